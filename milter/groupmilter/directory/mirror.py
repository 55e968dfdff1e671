"""The mirror's write side: one SQLite file in WAL mode, written by the synchroniser alone (specification 1.3).

Stub: signatures are fixed, bodies follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from groupmilter.directory.entry import Change
from groupmilter.directory.findings import Finding
from groupmilter.directory.profile import Profile


class MirrorError(Exception):
    """The mirror can't be opened or written (disk full, no permission, another writer holds it)."""


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """What a mirror is made from; another value of any of them makes it start empty.

    :param base: the suffix that the source searches.
    :param own_domains: canonical domains in which local parts are case-folded.
    :param placeholder: DN (or its first RDNs) of the member that a groupOfNames keeps when it is empty.
    :param max_members, max_depth: direct members and nesting levels past which a group is a finding.
    """

    profile: Profile
    base: str
    own_domains: frozenset[str] = frozenset()
    placeholder: str = "cn=placeholder"
    max_members: int = 200_000
    max_depth: int = 50


@dataclass(frozen=True, slots=True)
class Search:
    """A member URL that only the server can evaluate: search it, hand the UUIDs to `Mirror.set_dynamic`.

    :param scope: ``base``, ``one`` or ``sub``.
    """

    group_uuid: str
    base: str
    scope: str
    filter: str


class Mirror:
    """The one writer. Not for several threads at once; any thread may use it in turn."""

    @classmethod
    def open(cls, path: Path, settings: MirrorSettings) -> Mirror:
        """Open or create the mirror.

        A file made from other settings starts empty; one that is corrupt or not ours is moved aside
        (`moved_aside`). Raises `MirrorError`.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Release the file. Readers can go on."""
        raise NotImplementedError

    @property
    def moved_aside(self) -> Path | None:
        """Where `open` put an unusable file, None where it found none."""
        raise NotImplementedError

    @property
    def cookie(self) -> bytes | None:
        """The RFC 4533 cookie to go on from; None: load everything."""
        raise NotImplementedError

    @property
    def synced_at(self) -> float | None:
        """Wall clock (seconds) at which the mirror last equalled the directory; None: never yet."""
        raise NotImplementedError

    @property
    def generation(self) -> int:
        """The number of the last batch."""
        raise NotImplementedError

    def age(self, now: float) -> float | None:
        """Return the seconds since `synced_at`, None where it was never complete."""
        raise NotImplementedError

    def apply(
        self, changes: Iterable[Change], *, now: float, cookie: bytes | None = None, complete: bool = True
    ) -> int:
        """Bring changes into force as one transaction and return the generation; all or nothing.

        :param changes: consumed as a stream, so a first load of any size takes bounded memory; an exception
            raised by the iterator rolls everything back and comes through.
        :param cookie: to remember with them; None keeps the one there.
        :param complete: whether the mirror then equals the directory; False leaves age and readiness alone.

        Unchanged entries change nothing; with no change at all the generation stays.
        """
        raise NotImplementedError

    def touch(self, now: float, cookie: bytes | None = None) -> None:
        """Note that mirror and directory are equal now, without any change. Needs a complete load before."""
        raise NotImplementedError

    def forget_cookie(self) -> None:
        """Forget the cookie (the server refused it): the next load is a full one."""
        raise NotImplementedError

    def searches(self) -> tuple[Search, ...]:
        """Return the member URLs that the mirror can't evaluate itself."""
        raise NotImplementedError

    def set_dynamic(self, group_uuid: str, uuids: Iterable[str]) -> int:
        """Replace the searched dynamic members of a group; return the generation. Unknown UUIDs are ignored."""
        raise NotImplementedError

    def findings(self) -> tuple[Finding, ...]:
        """Return what is wrong with the directory as of this generation."""
        raise NotImplementedError

    def group_addresses(self) -> tuple[str, ...]:
        """Return every address and alias of the groups, sorted: what the MTA's generated map is made from."""
        raise NotImplementedError
