"""What becomes of a moderator's answer by mail, at the milter."""

from __future__ import annotations

from groupmilter.groups.ticket import Token, digest
from groupmilter.mail.header import mentioned
from groupmilter.policy.disposition import Answered, Refused, Undecided
from groupmilter.policy.facts import Content, Facts, Strength
from groupmilter.policy.replies import reply_for
from groupmilter.policy.rules import by_program
from groupmilter.policy.settings import Settings


def answered(token: Token, address: str, facts: Facts, settings: Settings) -> Answered | Undecided | Refused:
    """Return what becomes of a moderator's answer: only the person whom the token names decides, proven.

    :param address: to which it goes, canonical; the token stands in it.

    What a program has written goes to the desk as nobody's, where it is dropped: answering it would begin a loop.
    """
    if facts.content is None:
        return Undecided()
    if not facts.envelope_sender or by_program(facts.content):
        return Answered(token)
    identity = facts.identity
    person = identity.person
    replayed = identity.strength is Strength.DMARC and not _meant_for(address, facts.content)
    if person is None or digest(person.uuid) != token.moderator or replayed:
        return Refused(reply_for("answer-login", "", settings), concerns_all=True)
    return Answered(token, digest(person.uuid), identity.strength)


def _meant_for(address: str, content: Content) -> bool:
    """Tell whether the signature says for whom a message is, and that it is for this address.

    A signature holds for whomever the message is sent to. Who got one from a moderator, such as the request itself
    passed on, could send it to the addresses in it.
    """
    fields = content.values("to")
    return len(fields) == 1 and "to" in content.signed and address.lower() in mentioned(fields)
