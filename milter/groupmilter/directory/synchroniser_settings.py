"""How the mirror follows the directory, what the synchroniser needs of a mirror, and what it tells about
itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from groupmilter.config.model import Sync
from groupmilter.directory.entry import Change
from groupmilter.directory.mirror import Search


class LostTooMuch(Exception):
    """A full load lacks so many of the mirror's groups that it is not applied without being forced."""


class Stopped(Exception):
    """The process was asked to stop in the middle of a load; what was half-read is dropped."""


class Stop(Protocol):
    """Says that it is time to end; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Tell whether to end now."""

    def wait(self, timeout: float) -> bool:
        """Sleep for so many seconds, or until it is time to end; tell whether it is."""


class Log(Protocol):
    """The part of a structlog logger that is used: an event's name and its facts."""

    def info(self, event: str, /, **facts: object) -> object:
        """Log what an administrator may like to know."""

    def warning(self, event: str, /, **facts: object) -> object:
        """Log what he should look at."""

    def error(self, event: str, /, **facts: object) -> object:
        """Log what he has to mend."""


class MirrorWriter(Protocol):
    """The mirror's write side, as `groupmilter.directory.mirror.Mirror` is it; raises its `MirrorError`."""

    @property
    def cookie(self) -> bytes | None:
        """The cookie to go on from."""

    @property
    def generation(self) -> int:
        """The number of the last batch."""

    @property
    def synced_at(self) -> float | None:
        """Wall clock at which mirror and directory were last equal."""

    def group_uuids(self) -> frozenset[str]:
        """Return the UUIDs of all groups in the mirror."""

    def apply(
        self, changes: Iterable[Change], *, now: float, cookie: bytes | None = None, complete: bool = True
    ) -> int:
        """Bring changes into force, all or nothing."""

    def touch(self, now: float, cookie: bytes | None = None) -> None:
        """Note that mirror and directory are equal now."""

    def forget_cookie(self) -> None:
        """Make the next load a full one."""

    def searches(self) -> tuple[Search, ...]:
        """Return the member URLs that only the server can evaluate."""

    def sides(self) -> Mapping[str, bytes]:
        """Return the groups that have values of the side store, and the digests of these (`side_store.signature`)."""

    def set_dynamic(self, group_uuid: str, uuids: Iterable[str]) -> int:
        """Replace the searched members of a group."""


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """How to follow the directory; all times in seconds.

    :param query, attributes: the filter (RFC 4515) and the attributes to ask for: the profile's.
    :param uuid: the attribute with an entry's UUID.
    :param mode: ``auto`` takes persist where the server speaks RFC 4533, else reload.
    :param poll, reload: between two polls, between two full loads.
    :param keepalive: between two signs of life asked from the server while nothing changes; also how often
        the mirror's age is set back.
    :param silence: after which such a question counts as unanswered.
    :param linger: for which more changes are waited for once one has come, to share its transaction.
    :param batch: changes after which a transaction ends nevertheless.
    :param first_pause, longest_pause: after a failure; doubled with each further one.
    :param dynamic: between two evaluations of the member URLs that only the server can evaluate.
    :param most_lost: the share of the mirror's groups that a full load may lack.
    """

    query: str
    attributes: tuple[str, ...]
    mode: Sync = Sync.AUTO
    poll: float = 30.0
    reload: float = 900.0
    keepalive: float = 5.0
    silence: float = 10.0
    linger: float = 0.01
    batch: int = 1000
    first_pause: float = 1.0
    longest_pause: float = 60.0
    dynamic: float = 60.0
    most_lost: float = 0.5
    uuid: str = "entryUUID"


@dataclass(frozen=True, slots=True)
class Status:
    """What the synchroniser is at.

    :param mode: ``persist``, ``poll``, ``reload`` or ``ldif``; empty before the first connection.
    :param source: the URL of the server (or the file) last read from.
    :param connected: whether the last attempt still holds.
    :param error: what the last failure was, empty after a success.
    :param failures: attempts that failed in a row.
    :param age: seconds since mirror and directory were last known to be equal, None: never yet.
    :param loads, batches: full loads and batches of changes applied since the start.
    """

    mode: str
    source: str
    connected: bool
    error: str
    failures: int
    age: float | None
    generation: int
    loads: int
    batches: int
