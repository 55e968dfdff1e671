"""What the pages work with, put together by bootstrap. Each of these may be used from several threads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.enrolment.service import Requests
from groupmilter.groups.person import Person
from groupmilter.membership.roles import Lookup, Roles
from groupmilter.membership.service import Groups
from groupmilter.moderation.claiming import Claiming
from groupmilter.moderation.decision import Decisions
from groupmilter.moderation.item import Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.panel.door import Door
from groupmilter.panel.watching import Watching
from groupmilter.policy.settings import Settings


class Changing(Protocol):
    """Gives what changes groups on behalf of a person, whose rights are checked at each write."""

    def __call__(self, person: Person, who: Who) -> AbstractContextManager[Groups]:
        """Open it for the length of a ``with`` block."""


class Mirror(Protocol):
    """The directory as the mirror has it, for single entries and for lists."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open one consistent look at it; raises `DirectoryUnknown`."""


RolesOf = Callable[[Person, Lookup], Roles]
"""Tells a person's roles from a snapshot of the mirror."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The services behind the pages.

    :param lookups: the mirror, for reading. ``changing``: the directory, for writing.
    :param roles: what a person is to groups, for what is shown; what is written is checked anew.
    :param door: who is in, and how one gets in.
    :param now: the wall clock, seconds.
    :param requests: joining and leaving. ``branch``: DN below which everybody stands.
    :param attributes: in lower case, what rules for dynamic members may ask for without asking the server.
    :param watch: what there is to look at besides. ``claiming``: who deals with which held message.
    :param patience: seconds for which a page waits until the mirror has what was written.
    """

    ledger: Ledger
    lookups: Mirror
    decisions: Decisions
    changing: Changing
    roles: RolesOf
    settings: Settings
    door: Door
    now: Callable[[], float]
    requests: Requests
    branch: str
    attributes: frozenset[str]
    watch: Watching
    claiming: Claiming
    patience: float = 3.0
