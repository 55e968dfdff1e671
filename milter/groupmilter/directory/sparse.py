"""A group as it is, but of its long lists only what is asked about: adding one to 100,000 costs no more. Pure.

Whoever changes single values of a list has to know whether these are there, and whether the placeholder is; the rest
of the list may be as long as it likes. Nothing here fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from groupmilter.directory.change import Change, Values
from groupmilter.directory.dn import normalise, parent
from groupmilter.directory.entry import Entry
from groupmilter.directory.profile import Profile
from groupmilter.directory.profile_fields import Form
from groupmilter.directory.profile_file import Mapped
from groupmilter.directory.spelling import MEMBERS_OF
from groupmilter.mail.address import canonical, readable

LONG = ("members", "member_addresses")
"""Fields that may hold 100,000 values. No right hangs on them."""

Asked = Mapping[str, tuple[bytes, ...]]
"""Attributes of long lists, and the values that are asked about."""


def short_attributes(profile: Profile) -> tuple[str, ...]:
    """Return the attributes of everything but the long lists."""
    return profile.attributes(without=LONG)


def asked(profile: Profile, dn: str, changes: Iterable[Change], placeholder: str = "") -> Asked:
    """Return what has to be known of a group's long lists before these changes are made.

    :param dn: of the group. ``placeholder``: as for `planned`.
    """
    found: dict[str, dict[bytes, None]] = {}
    short = frozenset(short_attributes(profile))
    for change in changes:
        if not isinstance(change, Values) or change.field not in LONG:
            continue
        mapped = profile.mapped(change.field)
        for source in mapped.sources:
            if source.attribute not in short and not source.beside:
                spelt = found.setdefault(source.attribute, {})
                prefixes = dict.fromkeys(("", source.prefix or ""))
                for value in (*change.add, *change.remove):
                    texts = (prefix + text for text in _spellings(mapped, value) for prefix in prefixes)
                    spelt.update((text.encode(), None) for text in texts)
    for attribute in MEMBERS_OF.values():
        if attribute in found and placeholder:
            found[attribute].update({each.encode(): None for each in _placeholders(placeholder, dn)})
    return {attribute: tuple(values) for attribute, values in found.items()}


def _spellings(mapped: Mapped, value: str) -> Iterator[str]:
    """Yield what may stand in the directory for a value, and that the server doesn't take for the same."""
    if mapped.field.form is Form.NAMES:
        yield from (value,) if normalise(value) else ()
        return
    plain = canonical(value)
    yield from dict.fromkeys((value,) if plain is None else (value, plain, readable(plain)))


def _placeholders(placeholder: str, dn: str) -> Iterator[str]:
    """Yield the DNs that a placeholder may have: as configured, or before those above the group."""
    yield placeholder
    above = normalise(dn) or ""
    while above := parent(above):
        yield f"{placeholder},{above}"


def sparse(entry: Entry, found: Mapping[str, tuple[bytes, ...]]) -> Entry:
    """Return an entry with the values of its long lists that were found."""
    return Entry(entry.uuid, entry.dn, {**entry.attributes, **found})
