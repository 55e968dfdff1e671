"""What becomes of a moderator's answer by mail, at the milter."""

from __future__ import annotations

from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Token, digest
from groupmilter.mail.header import mentioned
from groupmilter.policy.disposition import Answered, Deferred, Refused, Undecided
from groupmilter.policy.facts import Content, Facts, Identity, Strength
from groupmilter.policy.replies import reply_for
from groupmilter.policy.rules import by_program
from groupmilter.policy.settings import Settings


def answered(
    token: Token, address: str, facts: Facts, settings: Settings
) -> Answered | Undecided | Refused | Deferred:
    """Return what becomes of a moderator's answer: only the person whom the token names decides, proven.

    :param address: to which it goes, canonical; the token stands in it.

    What a program has written goes to the desk as nobody's, where it is dropped: answering it would begin a loop.
    """
    if facts.content is None:
        return Undecided()
    if not facts.envelope_sender or by_program(facts.content):
        return Answered(token)
    identity, could_be, content = facts.identity, facts.identity.could_be, facts.content
    if _is_the_moderator(token, address, identity, identity.signed, content):
        return Answered(token, token.moderator, identity.strength)
    if could_be is not None and _is_the_moderator(token, address, could_be, content.signed, content):
        # Where DNS couldn't tell, the moderator's server comes again.
        return Undecided() if identity.unasked else Deferred(reply_for("proof", "", settings))
    return Refused(reply_for("answer-login", "", settings), concerns_all=True)


def _is_the_moderator(
    token: Token, address: str, identity: Identity, signed: frozenset[str], content: Content
) -> bool:
    """Tell whether the proven sender is the person whom a token names, and means this answer.

    An aligned DKIM signature proves a moderator here even where it gives no person's rights otherwise (3.3).

    :param signed: fields that the signature covers which proves the author.
    """
    if identity.strength is not Strength.DMARC:
        person = identity.person
    else:
        owner = content.authors[0].owner if identity.dkim and len(content.authors) == 1 else None
        meant = isinstance(owner, Person) and not owner.disabled and _meant_for(address, content, signed)
        person = owner if meant and isinstance(owner, Person) else None
    return person is not None and digest(person.uuid) == token.moderator


def _meant_for(address: str, content: Content, signed: frozenset[str]) -> bool:
    """Tell whether the signature says for whom a message is, and that it is for this address.

    A signature holds for whomever the message is sent to. Who got one from a moderator, such as the request itself
    passed on, could send it to the addresses in it.
    """
    fields = content.values("to")
    return len(fields) == 1 and "to" in signed and address.lower() in mentioned(fields)
