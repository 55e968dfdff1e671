"""What would become of one message, played through the very same collector as live mail; nothing is sent or counted.

Shared by the command and the panel. Raises `DirectoryUnknown` where there is no usable mirror.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from groupmilter.authentication.identity import Connection, Proofs, identify
from groupmilter.mail.reply import Reply
from groupmilter.mta.counters import Counters
from groupmilter.mta.site import Site
from groupmilter.policy.facts import Identity
from groupmilter.rehearsal.case import Message, Observed
from groupmilter.rehearsal.run import Prove, begin, play


@dataclass(frozen=True, slots=True)
class Explanation:
    """One message explained.

    :param answer: the one reply for the whole message, None where it is accepted.
    :param chain: the rules in the order in which they are asked.
    """

    message: Message
    identity: Identity
    observed: tuple[Observed, ...]
    answer: Reply | None
    chain: tuple[str, ...]


def explained(message: Message, site: Site, prove: Prove | None = None) -> Explanation:
    """Play a message; nothing is counted, and the storm guard finds no earlier mail.

    :param prove: what is proven of it; None for what it supposes itself.
    :raises DirectoryUnknown: where there is no usable mirror.
    """
    transcript = play(message, site, Counters(1 << 8), prove)
    identity = transcript.facts.identity if transcript.facts is not None else _at_rcpt(message, site)
    answer = transcript.decision.answer if transcript.decision is not None else None
    return Explanation(message, identity, transcript.observed, answer, site.settings.chain)


def _at_rcpt(message: Message, site: Site) -> Identity:
    collector = begin(message, site)
    with site.snapshots.snapshot() as directory:
        sender = collector.sender.canonical
        return identify(collector.connection, sender, None, message.proofs, site.trust, directory)


def usual_header(
    sender: str, recipients: tuple[str, ...], authors: tuple[str, ...], now: datetime
) -> tuple[tuple[str, str], ...]:
    """Return the header that a mail program writes.

    :param authors: who stands in From instead of the sender.
    """
    written = authors or ((sender,) if sender else ())
    usual = (("To", ", ".join(recipients)), ("Subject", "A question"), ("Date", format_datetime(now)))
    return ((("From", ", ".join(written)),) if written else ()) + usual


def question(
    connection: Connection, sender: str, recipient: str, proofs: Proofs, size: int | None, now: datetime
) -> Message:
    """Return the message that stands for a question: may this sender write to this group?

    :param size: octets; None where it doesn't matter.
    """
    fields = usual_header(sender, (recipient,), (), now)
    return Message(
        connection.client, connection.login, sender, (recipient,), size, size is not None, fields, proofs, now
    )
