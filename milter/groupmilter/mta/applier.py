"""Carries out a plan at the MTA, edit by edit, and gives the one reply. `mode: observe` is one ``if``, here.

A failed edit raises; the session's guard then answers 451, and the MTA throws away what was edited so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from time import monotonic
from typing import Protocol

from groupmilter.mail.action import (
    Action,
    AddHeader,
    AddRecipient,
    ChangeSender,
    DeleteHeader,
    DeleteRecipient,
    InsertHeader,
    LeaveOut,
)
from groupmilter.mail.reply import Reply

_CHECK_EVERY = 256
_BELOW_RECEIVED = 1
"""Where smfi_insheader puts a field below the MTA's own Received, which is number 0 and no milter sees."""

_MAX_TEXT = 980
"""Octets that libmilter takes for one line of a reply."""


class OutOfTime(Exception):
    """Our own time for this message ran out before the MTA's would (451 4.3.0)."""


class Edits(Protocol):
    """What libmilter offers at the end of a message (pymilter's context)."""

    def addrcpt(self, recipient: str, parameters: str | None = None) -> None:
        """Add a recipient (smfi_addrcpt, smfi_addrcpt_par)."""

    def delrcpt(self, recipient: str) -> None:
        """Delete a recipient (smfi_delrcpt)."""

    def addheader(self, name: str, value: str, index: int = -1) -> None:
        """Add a header field (smfi_addheader, smfi_insheader)."""

    def chgheader(self, name: str, index: int, value: str | None) -> None:
        """Change the so-manyth field of a name, counted from 1; None deletes it (smfi_chgheader)."""

    def setreply(self, code: str, enhanced: str, text: str) -> None:
        """Set the reply that a refusal gives (smfi_setreply)."""

    def chgfrom(self, sender: str, parameters: str | None = None) -> None:
        """Change the envelope sender (smfi_chgfrom)."""


Remember = Callable[[str, tuple[str, ...]], None]
"""Has the state remember whom the split copy with a ticket leaves out; raises where it can't."""


def apply(
    actions: Iterable[Action],
    edits: Edits,
    deadline: float,
    observe: bool,
    remember: Remember,
    clock: Callable[[], float] = monotonic,
) -> int:
    """Perform the actions in order; return how many were performed.

    :param deadline: on ``clock``, seconds.
    :param observe: perform none.
    :param remember: what isn't the MTA's business.
    :raises OutOfTime: past the deadline.
    """
    performed = 0
    if observe:
        return performed
    for action in actions:
        if performed % _CHECK_EVERY == 0 and clock() > deadline:
            raise OutOfTime(f"after {performed} edits")
        _perform(action, edits, remember)
        performed += 1
    return performed


def spaced(actions: Iterable[Action]) -> Iterator[Action]:
    """Yield the actions for an MTA that writes no space of its own after a field's colon (SMFIP_HDR_LEADSPC)."""
    for action in actions:
        if isinstance(action, AddHeader | InsertHeader):
            yield replace(action, value=f" {action.value}")
        else:
            yield action


def answer(reply: Reply, edits: Edits, observe: bool) -> bool:
    """Set the reply for what is refused or deferred; tell whether it stands (not so when only observing)."""
    if observe:
        return False
    edits.setreply(reply.smtp, reply.enhanced, escaped(reply.text))
    return True


def escaped(text: str) -> str:
    """Return a reply's text as smfi_setreply takes it: Postfix turns ``%%`` into ``%`` and drops a single one."""
    doubled = text.replace("%", "%%")
    return doubled if len(doubled) <= _MAX_TEXT else text.replace("%", "?")


def _perform(action: Action, edits: Edits, remember: Remember) -> None:
    match action:
        case AddRecipient(address, ""):
            edits.addrcpt(f"<{address}>")
        case AddRecipient(address, parameters):
            edits.addrcpt(f"<{address}>", parameters)
        case DeleteRecipient(address):
            edits.delrcpt(address)
        case AddHeader(name, value):
            edits.addheader(name, value)
        case InsertHeader(name, value):
            edits.addheader(name, value, _BELOW_RECEIVED)
        case DeleteHeader(name, index):
            edits.chgheader(name, index, None)
        case ChangeSender(address):
            edits.chgfrom(f"<{address}>")
        case LeaveOut(ticket, addresses):
            remember(ticket, addresses)
