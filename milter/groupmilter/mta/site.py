"""What stays the same from message to message for a worker: settings, directory, keys, and whom to ask.

Frozen; each message pins the one that was in force at its MAIL FROM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from groupmilter.authentication.evidence import Evidence, Field
from groupmilter.authentication.identity import Connection, Proofs
from groupmilter.authentication.trust import Trust
from groupmilter.groups.directory import Directory
from groupmilter.groups.ticket import Keys
from groupmilter.mail.address import canonical_domain
from groupmilter.policy.facts import Batch, Count, Waiting
from groupmilter.policy.settings import Settings
from groupmilter.policy.sighting import Seen, Sighting


class Snapshots(Protocol):
    """Where one consistent directory is to be had for a moment."""

    def snapshot(self) -> AbstractContextManager[Directory]:
        """Open a snapshot; raises `DirectoryUnknown` where there is none."""


@dataclass(frozen=True, slots=True)
class ReleaseDoor:
    """How approved messages come back.

    :param daemon_name, login: of the listener, and what the desk authenticates as there.
    :param spend: spends a ticket; returns what it brings back, None where it isn't ours or was spent before. Raises
        where the state can't be written.
    """

    daemon_name: str
    login: str
    spend: Callable[[str], Batch | None]

    def opened_by(self, connection: Connection) -> bool:
        """Tell whether a connection is the desk's; a realm behind the login is the MTA's."""
        return connection.daemon_name == self.daemon_name and connection.login.partition("@")[0] == self.login


@dataclass(frozen=True, slots=True)
class Site:
    """What stays the same from message to message, pinned by each at MAIL FROM.

    :param forged: which Authentication-Results fields only claim to be of a relay of ours: their places among the
        fields of that name, counted from 1, the last first.
    :param may_be_group: tells, with the directory unreadable, whether an address may be a group's.
    :param prove: what DKIM and SPF prove of a message, asked once at its end, with no snapshot open, and only where
        what becomes of the message hangs on it.
    :param largest_proven: octets of a body beyond which it isn't kept for DKIM.
    :param counts: the counters as they stand now; None where they can't be read.
    :param leave_out: has the state remember whom a split copy need not reach; raises where it can't be written.
    :param seen: which groups have taken a message before; None where the state can't be read. ``remember``: has it
        remembered that they have now; raises `DirectoryUnknown` where the state can't be written, or another copy has
        come at the same time.
    :param waiting: how much is held; None where the state can't be read.
    :param suspended: addresses of members who are left out for now; none where the state can't be read.
    :param audit: told of what decides nothing but may have to be explained: what, whose, from where, and about what.
        Never raises.
    """

    settings: Settings
    snapshots: Snapshots
    keys: Keys
    trust: Trust = Trust()
    prove: Callable[[Evidence], Proofs] = lambda _: Proofs()
    forged: Callable[[Connection, tuple[Field, ...]], tuple[int, ...]] = lambda *_: ()
    largest_proven: int = 32 * 1024 * 1024
    may_be_group: Callable[[str], bool] = lambda _: True
    counts: Callable[[], Mapping[Count, int] | None] = dict
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    waiting: Callable[[], Waiting | None] = Waiting
    suspended: Callable[[], frozenset[str]] = frozenset
    release: ReleaseDoor | None = None
    seen: Callable[[Sighting], Mapping[str, Seen] | None] = lambda _: {}
    remember: Callable[[Sighting], None] = lambda _: None
    leave_out: Callable[[str, tuple[str, ...]], None] = lambda *_: None
    audit: Callable[[str, str, str, str], None] = lambda *_: None

    def of_service_domain(self, argument: str) -> bool:
        """Tell whether an argument of RCPT leads to the service domain, even where it is no mailbox, as ``""@``."""
        domain = canonical_domain(argument.strip("<> \t").rpartition("@")[2])
        return domain is not None and domain == self.settings.service_domain
