"""Why a message was put aside, and what can be done about it, in words of the catalogue. Pure.

What the ledger notes is for the log too, in English; what isn't known here is shown as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from groupmilter.language.catalogue import marked
from groupmilter.moderation.item import Item, State

_GONE = "its group is gone"
_NO_TICKET = "no ticket of ours"
_TWICE = "a ticket that was used for another message"


_UNSEALED = marked(
    "It bears no ticket of ours: it came past the mail filter, or the key of its ticket is missing."
)
_LET_THROUGH = marked(
    "If a key was lost, have it put back and run “groupmilter held rebuild”: the message then waits as before. Else "
    "look at it, and approve it if it may go to the group."
)
_SEND_ON = marked(
    "If a key was lost, have it put back and run “groupmilter held rebuild”: the message then waits as before. Else "
    "save the original, send it on yourself if it matters, and reject it here."
)
_COPIED = marked("Its ticket belongs to another message: somebody may have copied it.")
_REJECT = marked("Rejecting it is the safe choice.")
_GROUPLESS = marked("The group to which it was addressed is no longer in the directory.")
_COME_BACK = marked(
    "Should the group come back, it can be approved here. Else save the original, send it on yourself if it matters, "
    "and reject it here."
)
_FAILED = marked("It couldn't be delivered, or something unforeseen happened to it.")
_MEND = marked("Have the cause mended, then approve it: delivery is tried again.")


@dataclass(frozen=True, slots=True)
class Aside:
    """Two sentences.

    :param note: what the mail server or the log says of it, where that tells more.
    """

    why: str
    advice: str
    note: str = ""


def aside(item: Item, *, goes: bool) -> Aside | None:
    """Return why a message was put aside, None where it wasn't.

    :param goes: whether there is a group to which it could go.
    """
    if item.state is not State.SHUNTED:
        return None
    if item.note.startswith(_NO_TICKET):
        return Aside(_UNSEALED, _LET_THROUGH if goes else _SEND_ON, item.arrival.recipient)
    if item.note == _TWICE:
        return Aside(_COPIED, _REJECT)
    if item.note == _GONE or not goes:
        return Aside(_GROUPLESS, _COME_BACK, "" if item.note == _GONE else item.note)
    return Aside(_FAILED, _MEND, item.note)
