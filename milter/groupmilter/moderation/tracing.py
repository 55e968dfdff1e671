"""What became of a mail, as the ledger tells: for which groups it was held, who decided, and as what it left again.

Shared by the command and the panel. Raises `LedgerUnavailable`; a mail that the ledger doesn't know is nobody's fault.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from groupmilter.mail.queue_id import QUEUE_ID
from groupmilter.moderation.item import Item
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.rows import AuditRow

_NAME = re.compile(r"[a-z0-9]{3,10}")
_TOKEN = re.compile(r"[^\s,;]+")
_SENT_OUT = frozenset({"release", "report"})


@dataclass(frozen=True, slots=True)
class Traced:
    """What the ledger tells of one item.

    :param left_as: queue ids under which it went back to the MTA.
    """

    item: Item
    history: Sequence[AuditRow]
    left_as: tuple[str, ...]


def traced(ledger: Ledger, what: str) -> tuple[Traced, ...]:
    """Return every item of a mail: one for each moderated group that it was sent to.

    :param what: a Message-ID, with or without its brackets, a queue id, or the name of an item.
    """
    found = []
    for item in _items(ledger, what):
        history = ledger.search.history(item)
        found.append(Traced(item, history, _left_as(history)))
    return tuple(found)


def bracketed(message_id: str) -> str:
    """Return a Message-ID with its brackets."""
    return message_id if message_id.startswith("<") else f"<{message_id}>"


def _items(ledger: Ledger, what: str) -> list[Item]:
    search = ledger.search
    found = [*search.of_mail(message_id=bracketed(what)), *search.of_mail(message_id=what)]
    if QUEUE_ID.fullmatch(what):
        # The ledger is searched for parts of words, in any case: another mail's queue id may hold this one.
        went = (item for item in search.sent_out_as(what) if what in _left_as(search.history(item)))
        found += [*search.of_mail(queue_id=what), *went]
    if _NAME.fullmatch(what.lower()):
        found += search.named(what)
    for message_id in {item.arrival.message_id for item in found if item.arrival.message_id}:
        found += search.of_mail(message_id=message_id)
    return sorted({item.id: item for item in found}.values(), key=lambda item: item.id)


def _left_as(history: Sequence[AuditRow]) -> tuple[str, ...]:
    said = (word for row in history if row.action in _SENT_OUT for word in _TOKEN.findall(row.detail))
    return tuple(dict.fromkeys(word for word in said if QUEUE_ID.fullmatch(word)))
