"""What the readers hand to the mirror: entries and changes, the same from LDAP and from an LDIF file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as read.

    :param uuid: entryUUID or objectGUID as lower-case text; for LDIF a digest of the DN.
    :param dn: as the server spells it.
    :param attributes: lower-case attribute description (options kept: ``dgmailtip;lang-fr``) to raw values.
    """

    uuid: str
    dn: str
    attributes: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    def first(self, attribute: str) -> str:
        """Return the first value as text (undecodable octets as U+FFFD), empty where there is none."""
        values = self.attributes.get(attribute.lower(), ())
        return values[0].decode("utf-8", "replace") if values else ""

    def holds(self, attributes: Mapping[str, Sequence[bytes]]) -> bool:
        """Tell whether all these values are there, whatever the case of letters."""
        there = {name: {raw.lower() for raw in raws} for name, raws in self.attributes.items()}
        return all(
            {raw.lower() for raw in raws} <= there.get(n.lower(), set()) for n, raws in attributes.items()
        )


@dataclass(frozen=True, slots=True)
class Put:
    """An entry is there, new or changed; it replaces what the mirror has under the same UUID."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Remove:
    """The entry with this UUID is gone."""

    uuid: str


@dataclass(frozen=True, slots=True)
class KeepOnly:
    """Everything but these UUIDs is gone: the end of a full load or of a present phase (RFC 4533)."""

    uuids: frozenset[str]


Change = Put | Remove | KeepOnly


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that come into force together, as one transaction and one generation.

    :param cookie: of RFC 4533, to go on from after a restart; None where the source has none.
    :param complete: whether the mirror equals the directory once this batch is in (the age counts from here).
    """

    changes: tuple[Change, ...]
    cookie: bytes | None = None
    complete: bool = True
