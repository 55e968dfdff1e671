"""What becomes of an answer by mail to a letter of ours, at the milter: a decision, or a confirmation. Pure."""

from __future__ import annotations

from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Action, Token, digest
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
    if token.action is Action.CONFIRM:
        # Whoever has the token has got the letter to this address: that is what was to be proven.
        return Answered(token, token.moderator)
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
    person: Person | str | None = identity.person
    if identity.strength is Strength.DMARC:
        person = author_proven(address, identity, signed, content)
    return isinstance(person, Person) and digest(person.uuid) == token.moderator


def author_proven(
    address: str, identity: Identity, signed: frozenset[str], content: Content
) -> Person | str | None:
    """Return the author whom an aligned DKIM signature proves to have written to an address: a person, or an outsider.

    :returns: an outsider's canonical address; None where it proves nothing, or wasn't meant for this address.
    """
    if not identity.dkim or len(content.authors) != 1 or not _meant_for(address, content, signed):
        return None
    author = content.authors[0]
    if isinstance(author.owner, Person):
        return None if author.owner.disabled else author.owner
    return author.address if author.owner is None else None


def _meant_for(address: str, content: Content, signed: frozenset[str]) -> bool:
    """Tell whether the signature says for whom a message is, and that it is for this address.

    A signature holds for whomever the message is sent to. Who got one from a moderator, such as the request itself
    passed on, could send it to the addresses in it.
    """
    fields = content.values("to")
    return len(fields) == 1 and "to" in signed and address.lower() in mentioned(fields)
