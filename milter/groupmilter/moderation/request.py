"""What somebody asked for, to be in a group or out of it, and where that stands: frozen values and one table. Pure.

A request is named by 56 random bits, in tokens as they are and for people as ten letters, like an item. What isn't in
the table of transitions doesn't happen: the first decision stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from groupmilter.moderation.item import name_of


class Wanted(StrEnum):
    """What is asked for."""

    JOIN = "join"
    LEAVE = "leave"


class Stage(StrEnum):
    """Where a request stands."""

    UNCONFIRMED = "unconfirmed"
    WAITING = "waiting"
    ACCEPTED = "accepted"
    DONE = "done"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REFUSED = "refused"
    FAILED = "failed"


class Turn(StrEnum):
    """What can happen to a request.

    ``ASK``: its address is confirmed, and owners have to decide. ``REFUSE``: the group's rules don't allow it.
    ``FINISH``: the directory has it. ``FAIL``: the directory won't take it.
    """

    ASK = "ask"
    ACCEPT = "accept"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    REFUSE = "refuse"
    FINISH = "finish"
    FAIL = "fail"


TURNS: Mapping[tuple[Stage, Turn], Stage] = {
    (Stage.UNCONFIRMED, Turn.ASK): Stage.WAITING,
    (Stage.UNCONFIRMED, Turn.ACCEPT): Stage.ACCEPTED,
    (Stage.UNCONFIRMED, Turn.REFUSE): Stage.REFUSED,
    (Stage.WAITING, Turn.ACCEPT): Stage.ACCEPTED,
    (Stage.WAITING, Turn.REJECT): Stage.REJECTED,
    (Stage.WAITING, Turn.WITHDRAW): Stage.WITHDRAWN,
    (Stage.WAITING, Turn.EXPIRE): Stage.EXPIRED,
    (Stage.ACCEPTED, Turn.FINISH): Stage.DONE,
    (Stage.ACCEPTED, Turn.FAIL): Stage.FAILED,
}

OPEN = frozenset({Stage.UNCONFIRMED, Stage.WAITING, Stage.ACCEPTED})
"""Stages in which a request still is somebody's business; of one person there is one such request for a thing."""

ENDED = frozenset(Stage) - OPEN

DECIDING = frozenset({Turn.ACCEPT, Turn.REJECT, Turn.WITHDRAW, Turn.EXPIRE, Turn.REFUSE})
"""Turns that decide; who and why is kept with the request."""


def after(stage: Stage, turn: Turn) -> Stage | None:
    """Return where a turn leads, None where it can't happen."""
    return TURNS.get((stage, turn))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is recorded of a request at first.

    :param digest: 56 random bits that name it.
    :param group_uuid, group_address: as the directory had them then.
    :param person_uuid: of who asks, or for whom; empty for an outsider, who is his ``address`` alone.
    :param address: where he is written to. ``language`` as the directory says.
    :param reason: his own words; ``note``: ours, for people.
    :param way, origin: how he asked (`item.Way`), and from where.
    :param expires, remind: seconds since 1970, UTC; 0 for never.
    """

    digest: int
    kind: Wanted
    group_uuid: str
    group_address: str
    address: str
    person_uuid: str = ""
    person_name: str = ""
    language: str = ""
    reason: str = ""
    way: str = ""
    origin: str = ""
    expires: int = 0
    remind: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Draft):
    """One row of the ledger; times are seconds since 1970, UTC.

    :param decided, decided_by, decided_way, comment: of the decision; 0 and empty before it.
    :param reminded: when the deciders were reminded. ``finished``: when it ended.
    :param attempts, next_attempt: of writing it to the directory.
    """

    id: int
    stage: Stage
    asked: int
    decided: int = 0
    decided_by: str = ""
    decided_way: str = ""
    comment: str = ""
    reminded: int = 0
    attempts: int = 0
    next_attempt: int = 0
    finished: int = 0

    @property
    def name(self) -> str:
        """Ten letters and digits that name the request for people."""
        return name_of(self.digest)

    @property
    def who(self) -> str:
        """Who is to be in the group or out of it, for people."""
        return self.person_name or self.address


@dataclass(frozen=True, slots=True)
class Change:
    """What changes with a turn beside the stage; what is empty here stays as it is.

    :param comment: of who decides, for who asked. ``note``: ours. ``expires``, ``remind``: seconds since 1970, UTC.
    """

    comment: str = ""
    note: str = ""
    expires: int = 0
    remind: int = 0


@dataclass(frozen=True, slots=True)
class Turned:
    """A request as it stands after an attempt to change it, and whether the attempt did."""

    request: Request
    happened: bool
