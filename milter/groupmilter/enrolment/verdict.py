"""What becomes of somebody's wish to be in a group, or out of it. Pure; every way in asks the same question.

*Open* means open to persons of the directory; outsiders only come in where the group says so. Hidden groups answer
like unknown ones, but to those who are in them or decide about them (specification 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from groupmilter.groups.group import Group, JoinPolicy
from groupmilter.groups.person import Person
from groupmilter.groups.standing import Standing
from groupmilter.moderation.request import Wanted


class Verdict(StrEnum):
    """What happens.

    ``CONFIRM``: first the address has to confirm. ``UNKNOWN``: as if there were no such group.
    """

    AT_ONCE = "at-once"
    ASK = "ask"
    CONFIRM = "confirm"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Why(StrEnum):
    """Why a wish is refused; each has a sentence (`wording`)."""

    CLOSED = "closed"
    OUTSIDER = "outsider"
    MEMBER = "member"
    NO_MEMBER = "no-member"
    NESTED = "nested"
    RULED = "ruled"
    LOCKED = "locked"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who wants it.

    :param address: canonical; of an outsider all there is. ``person``: of the directory.
    :param proven: by log-in or an aligned DKIM signature; what comes from the panel is.
    :param group: the address is a group's: a program, no person.
    """

    address: str
    person: Person | None = None
    proven: bool = True
    group: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """All canonical addresses."""
        known = () if self.person is None else self.person.addresses
        return tuple(dict.fromkeys((self.address, *known)))


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a wish.

    :param why: of a refusal.
    :param through: addresses (names, where they have none) of the groups by which somebody stays a member; hidden
        ones are left out.
    """

    verdict: Verdict
    why: Why | None = None
    through: tuple[str, ...] = ()


def answered(
    group: Group, applicant: Applicant, wanted: Wanted, standing: Standing, *, decides: bool
) -> Answer:
    """Return what becomes of a wish.

    :param standing: how the applicant stands to the group now.
    :param decides: whether he is one of those who decide about requests: an owner, an administrator.
    """
    if group.hidden and not (applicant.proven and (standing.member or decides)):
        return Answer(Verdict.UNKNOWN)
    refused = _impossible(group, applicant, wanted, decides=decides and applicant.proven)
    if refused is not None:
        return Answer(Verdict.REFUSED, refused)
    if not applicant.proven:
        return Answer(Verdict.CONFIRM)
    through = tuple(one.address or one.name for one in standing.through if not one.hidden)
    in_vain = _in_vain(wanted, standing)
    if in_vain is not None:
        return Answer(Verdict.REFUSED, in_vain, () if standing.listed else through)
    policy = _policy(group, wanted)
    if policy is JoinPolicy.APPROVAL and not decides:
        return Answer(Verdict.ASK, through=through)
    return Answer(Verdict.AT_ONCE, through=through)


def _policy(group: Group, wanted: Wanted) -> JoinPolicy:
    return group.join_policy if wanted is Wanted.JOIN else group.leave_policy


def _impossible(group: Group, applicant: Applicant, wanted: Wanted, *, decides: bool) -> Why | None:
    """Return why nobody like the applicant can have it: what may be told to strangers, too."""
    if applicant.group:
        return Why.GROUP
    if applicant.person is not None and applicant.person.disabled:
        return Why.LOCKED
    if _policy(group, wanted) is JoinPolicy.CLOSED and not decides:
        return Why.CLOSED
    if wanted is Wanted.JOIN and applicant.person is None and not group.join_outsiders:
        return Why.OUTSIDER
    return None


def _in_vain(wanted: Wanted, standing: Standing) -> Why | None:
    """Return why there is nothing to do; only the applicant himself may learn how he stands to the group."""
    if wanted is Wanted.JOIN:
        return Why.MEMBER if standing.member else None
    if standing.listed:
        return None
    if standing.through:
        return Why.NESTED
    return Why.RULED if standing.ruled else Why.NO_MEMBER
