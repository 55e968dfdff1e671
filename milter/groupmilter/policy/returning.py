"""Where the reports about a group's copy go (specification 2.4)."""

from __future__ import annotations

from groupmilter.groups.expansion import Expansion, Refusal
from groupmilter.groups.group import BouncesTo, Group
from groupmilter.policy.facts import Facts
from groupmilter.policy.veiling import veiled


def bounces(group: Group, expansion: Expansion, facts: Facts) -> BouncesTo:
    """Return to whom reports go, never ``AUTO``: hidden members' to the owners, whatever the group says."""
    if wants_own_path(group, expansion):
        return BouncesTo.OWNER
    if group.bounces_to is not BouncesTo.AUTO:
        return group.bounces_to
    own = facts.identity.authenticated and facts.identity.path_proven
    return BouncesTo.SENDER if own else BouncesTo.OWNER


def told(expansion: Expansion, facts: Facts) -> tuple[Refusal, ...]:
    """Return the refusals inside a group of which the desk tells the sender: none where that would be backscatter."""
    return expansion.news if facts.may_be_told else ()


def wants_own_path(group: Group, expansion: Expansion) -> bool:
    """Tell whether the copy must have a return path of its own, whoever else gets the message.

    With ``auto`` members merely report to nobody where the message goes to others as well.
    """
    return veiled(expansion) or group.bounces_to is BouncesTo.OWNER
