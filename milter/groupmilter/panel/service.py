"""What the panel asks of moderation: the one service that mail, links and commands decide through."""

from __future__ import annotations

from typing import Protocol

from groupmilter.groups.ticket import Kind
from groupmilter.moderation.decision import Asked, Problem
from groupmilter.moderation.item import Event, Item, Who
from groupmilter.moderation.ledger import Changed


class DecisionsLike(Protocol):
    """`moderation.decision.Decisions`, as far as the panel needs it. Called from several threads.

    Every method may raise `LedgerUnavailable`; nothing has happened then.
    """

    def open(self, text: str, kind: Kind) -> Asked | Problem:
        """Return what a token stands for, or why it decides nothing; changes nothing."""

    def decide(self, item: Item, event: Event, who: Who, comment: str = "") -> Changed:
        """Approve or reject; the first decision stands."""

    def refused(self, problem: Problem, who: Who, detail: str = "") -> None:
        """Leave an audit row of a token that decided nothing."""

    def is_owner(self, asked: Asked) -> bool:
        """Tell whether the person may have this sender remembered."""

    def unremembered(self, item: Item, allow: bool) -> str | None:
        """Return a sentence why the item's sender can't be remembered; None where that can be."""

    def remember(self, item: Item, who: Who, allow: bool) -> str | None:
        """Always allow or always block the item's sender; return a sentence where that can't be."""
