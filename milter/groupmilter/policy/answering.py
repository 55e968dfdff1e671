"""What becomes of a moderator's answer by mail, at the milter."""

from __future__ import annotations

from groupmilter.groups.ticket import Token, digest
from groupmilter.policy.disposition import Answered, Refused, Undecided
from groupmilter.policy.facts import Facts
from groupmilter.policy.replies import reply_for
from groupmilter.policy.rules import by_program
from groupmilter.policy.settings import Settings


def answered(token: Token, facts: Facts, settings: Settings) -> Answered | Undecided | Refused:
    """Return what becomes of a moderator's answer: only the person whom the token names decides, proven.

    What a program has written goes to the desk as nobody's, where it is dropped: answering it would begin a loop.
    """
    if facts.content is None:
        return Undecided()
    if not facts.envelope_sender or by_program(facts.content):
        return Answered(token)
    identity = facts.identity
    person = identity.person
    if person is None or digest(person.uuid) != token.moderator:
        return Refused(reply_for("answer-login", "", settings), concerns_all=True)
    return Answered(token, digest(person.uuid), identity.strength)
