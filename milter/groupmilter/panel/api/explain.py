"""May this sender write to the group? Played through the very code that answers live mail; nothing is sent or counted.

Everybody may ask for himself, about groups that he may know of; owners and administrators for any sender, and they see
why. Of groups inside that are none of the caller's business neither name nor reason is told.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from groupmilter.authentication.identity import Connection, Proofs
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import canonical, domain_of, strict
from groupmilter.membership.roles import Roles
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Reading
from groupmilter.panel.api.desk_shapes import Question, Verdict
from groupmilter.panel.api.finding import Found, group_in
from groupmilter.panel.api.groups import GroupPath
from groupmilter.panel.api.problem import Code, Refusal, Wrong
from groupmilter.policy.case import Step
from groupmilter.policy.disposition import Deferred, Expanded, Refused, Reported, Split
from groupmilter.policy.explain import word
from groupmilter.rehearsal.explanation import explained, question

router = APIRouter(tags=["explain"])
_SOMEWHERE = "203.0.113.1"
"""Whoever asks comes from an address of nobody's (RFC 5737), so from the Internet."""

_NO_ADDRESS = marked("no mail address that every mail server takes as it is")
_NOT_YOURS = marked("Only its owners may ask for other senders.")


@router.get(
    "/groups/{group}/explain",
    operation_id="explainGroup",
    response_model=Verdict,
    responses=problems(Code.NOT_FOUND),
)
def explain(call: Reading, group: GroupPath, asked: Annotated[Question, Query()]) -> dict[str, object]:
    """Return what would become of a message to a group, and why."""
    found, connection = call.look(lambda directory: _asked(call, directory, group, asked))
    sender = asked.sender or call.person.address
    message = question(
        connection, sender, found.group.address, _proofs(asked, sender), asked.size,
        datetime.fromtimestamp(call.parts.now()).astimezone(),
    )  # fmt: skip
    [observed] = explained(message, call.parts.watch.site).observed
    disposition = observed.verdict.disposition
    reached = len(disposition.expansion.members) if isinstance(disposition, Expanded | Split) else 0
    reply = disposition.reply if isinstance(disposition, Refused | Deferred | Reported) else ""
    steps = call.look(
        lambda directory: [_step(each, call.roles(directory), directory) for each in observed.verdict.trace]
    )
    return {
        "verdict": word(disposition),
        "reply": str(reply),
        "members": reached if found.own else None,
        "steps": steps if found.own else [],
    }


def _asked(call: Call, directory: Snapshot, group: str, asked: Question) -> tuple[Found, Connection]:
    """Return the group, and how the message comes: with the log-in of whose address it is, else from the Internet."""
    found = group_in(call, directory, group)
    if asked.sender and strict(asked.sender) is None:
        raise Refusal(Code.INVALID, errors=[Wrong("sender", _NO_ADDRESS, written=asked.sender)])
    if not found.own and (asked.sender not in ("", call.person.address) or asked.proof != "login"):
        raise Refusal(Code.FORBIDDEN, _NOT_YOURS)
    if asked.proof != "login":
        return found, Connection(_SOMEWHERE, "")
    sender = asked.sender or call.person.address
    person = directory.find(canonical(sender, call.parts.settings.own_domains) or sender)
    login = person.logins[0] if isinstance(person, Person) and person.logins else sender
    return found, Connection(_SOMEWHERE, login)


def _proofs(asked: Question, sender: str) -> Proofs:
    domain = frozenset({domain_of(canonical(sender) or sender)})
    nobody: frozenset[str] = frozenset()
    return Proofs(domain if asked.proof == "dkim" else nobody, domain if asked.proof == "spf" else nobody)


def _step(step: Step, roles: Roles, directory: Snapshot) -> dict[str, object]:
    group = directory.find(step.group)
    shown = isinstance(group, Group) and roles.knows_of(group)
    own = isinstance(group, Group) and roles.may_change(group)
    return {
        "group": step.group if shown else "",
        "rule": step.rule,
        "answer": step.answer.value,
        "because": step.because if own else "",
    }
