"""The sentences that pages, letters and commands share: why a wish is refused, and what became of one. Pure.

They are looked up in the catalogue where they are said. ``{group}`` is filled in, and ``{through}`` where that is said.
"""

from __future__ import annotations

from collections.abc import Mapping

from groupmilter.enrolment.verdict import Answer, Why
from groupmilter.language.catalogue import marked
from groupmilter.moderation.request import Stage, Wanted

_REFUSALS: Mapping[tuple[Wanted, Why], str] = {
    (Wanted.JOIN, Why.CLOSED): marked("Nobody can join {group} on their own; its owners choose the members."),
    (Wanted.LEAVE, Why.CLOSED): marked(
        "Nobody can leave {group} on their own; its owners choose the members."
    ),
    (Wanted.JOIN, Why.OUTSIDER): marked("Only people of the organisation can join {group}."),
    (Wanted.JOIN, Why.MEMBER): marked("You are a member of {group} already."),
    (Wanted.LEAVE, Why.NO_MEMBER): marked("You are not a member of {group}."),
    (Wanted.LEAVE, Why.RULED): marked(
        "You are a member of {group} by a rule of the directory, so it can't be left."
    ),
    (Wanted.JOIN, Why.LOCKED): marked("Your account is locked."),
    (Wanted.LEAVE, Why.LOCKED): marked("Your account is locked."),
    (Wanted.JOIN, Why.GROUP): marked("This is the address of a group, which can't join {group} by itself."),
    (Wanted.LEAVE, Why.GROUP): marked("This is the address of a group, which can't leave {group} by itself."),
}
_NESTED = marked("You are a member of {group} because you are in {through}; leave that group instead.")
_NESTED_UNNAMED = marked(
    "You are a member of {group} because you are in another group that is inside it, so it can't be left."
)
_MEMBER_THROUGH = marked("You are a member of {group} already, because you are in {through}.")
STAGES: Mapping[Stage, str] = {
    Stage.UNCONFIRMED: marked("waits for confirmation"),
    Stage.WAITING: marked("waits for the owners"),
    Stage.ACCEPTED: marked("accepted"),
    Stage.DONE: marked("done"),
    Stage.REJECTED: marked("declined"),
    Stage.WITHDRAWN: marked("withdrawn"),
    Stage.EXPIRED: marked("expired"),
    Stage.REFUSED: marked("not possible"),
    Stage.FAILED: marked("failed"),
}
"""A word for each stage, for lists."""


def refusal(wanted: Wanted, answer: Answer) -> str:
    """Return the sentence for why a wish is refused."""
    why = answer.why or Why.CLOSED
    if why is Why.NESTED:
        return _NESTED if answer.through else _NESTED_UNNAMED
    if why is Why.MEMBER and answer.through:
        return _MEMBER_THROUGH
    return _REFUSALS.get((wanted, why)) or _REFUSALS[wanted, Why.CLOSED]
