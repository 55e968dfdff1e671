"""What the desk knows of one copy that came into the hold mailbox: frozen values.

An item is named by its ticket everywhere outside the ledger; ``item.name`` is what people type and read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from groupmilter.groups.ticket import Kind, Ticket, digest
from groupmilter.moderation.claim import Claim
from groupmilter.moderation.quorum import Approvals


class State(StrEnum):
    """Where an item stands; `transitions` says what leads where."""

    HELD = "held"
    APPROVED = "approved"
    RELEASED = "released"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SHUNTED = "shunted"
    REPORTED = "reported"


class Event(StrEnum):
    """What can happen to an item."""

    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    RELEASE = "release"
    REPORT = "report"
    SHUNT = "shunt"
    REOPEN = "reopen"


class Way(StrEnum):
    """How somebody decided; ``desk`` for what the desk does by itself."""

    MAIL = "mail"
    LINK = "link"
    COMMAND = "command"
    PANEL = "panel"
    API = "api"
    DESK = "desk"
    MILTER = "milter"


@dataclass(frozen=True, slots=True)
class Who:
    """Who did something, and how: for the ledger and for people.

    :param name: a person's address or login, ``root`` for a command, ``desk``.
    :param uuid: of the person's entry, empty where it isn't one.
    :param origin: IP address, message id or terminal; empty where there is none.
    """

    name: str
    way: Way
    uuid: str = ""
    origin: str = ""


DESK = Who("desk", Way.DESK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One file of the hold mailbox, read: what its ticket and its header say.

    :param ticket: the ticket's text as delivered (lower case), empty where none can be read.
    :param content: SHA-256 of the message without the delivery agent's own lines (`mail.content`), hexadecimal.
    :param file: the name in the Maildir without its flags.
    :param kind: of the ticket; None where it is not one of ours.
    :param partly: of a refusal: a group inside the one that was written to refused. ``group, sender``: the ticket's
        digests. ``sent``: the ticket's time, seconds since 1970, UTC.
    :param return_path: the envelope sender, empty for the null one.
    :param author, subject, message_id, queue_id: for people: decoded, one line, cut; ``queue_id`` as our MTA's own
        Received line tells.
    :param size: octets of the message.
    :param recipient: what it was addressed to where it has no ticket: a group, if it came past the milter.
    """

    ticket: str
    content: str
    file: str
    kind: Kind | None = None
    group: int = 0
    sender: int = 0
    strength: int = 0
    reason: int = 0
    smtputf8: bool = False
    partly: bool = False
    sent: int = 0
    return_path: str = ""
    author: str = ""
    subject: str = ""
    message_id: str = ""
    queue_id: str = ""
    size: int = 0
    recipient: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the policy gave an item when it was recorded.

    :param group_uuid, group_address: as the directory had them then; empty for a group that it didn't know.
    :param sender_name: of the proven person, else empty. ``why``: a word of `policy.reasons`, or a site rule's name.
    :param moderators: DNs or addresses that a site rule names instead of the group's moderators.
    :param expires, remind: seconds since 1970, UTC; 0 for never.
    :param approvals: how many different persons have to approve.
    """

    group_uuid: str = ""
    group_address: str = ""
    sender_name: str = ""
    sender_uuid: str = ""
    why: str = ""
    moderators: tuple[str, ...] = ()
    expires: int = 0
    remind: int = 0
    approvals: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row of the ledger.

    :param id: number in this ledger, new after a rebuild; ``arrival`` as first seen.
    :param recorded: when the desk first saw it; seconds since 1970, UTC, as all times here.
    :param decided, decided_by, way, comment: of the decision; 0 and empty before it.
    :param noticed: when the moderators were first written to; 0 before.
    :param attempts, next_attempt: of the release (or report) under way.
    :param finished: when it was released, rejected, expired or reported.
    :param note: what last happened to it, for people: an SMTP reply, why it was shunted.
    :param approved_by: who has approved, where that takes several. ``claim``: who is dealing with it.
    """

    id: int
    state: State
    arrival: Arrival
    terms: Terms
    recorded: int
    decided: int = 0
    decided_by: str = ""
    way: str = ""
    comment: str = ""
    noticed: int = 0
    reminded: int = 0
    attempts: int = 0
    next_attempt: int = 0
    finished: int = 0
    note: str = ""
    approved_by: Approvals = ()
    claim: Claim | None = None

    @property
    def digest(self) -> int:
        """56 bits that name the item in tokens; the same after a rebuild."""
        return item_digest(self.arrival)

    @property
    def name(self) -> str:
        """Ten letters and digits that name the item for people; the same after a rebuild."""
        return name_of(self.digest)


def item_key(arrival: Arrival) -> str:
    """Return what makes an arrival the same as another: its ticket; without one it is only ever the same file."""
    return arrival.ticket or f"{arrival.content} {arrival.file}"


def ticket_again(arrival: Arrival, kind: Kind, time: int, nonce: int) -> Ticket:
    """Return a ticket that says of a message what the one it arrived with says.

    :param time: seconds since 1970, UTC. ``nonce``: 32 bits.
    """
    whose = (arrival.group, arrival.sender, arrival.strength)
    return Ticket(kind, time, nonce, *whose, arrival.smtputf8, arrival.reason)


def item_digest(arrival: Arrival) -> int:
    """Return 56 bits that name the item of an arrival."""
    return digest(item_key(arrival))


_LETTERS = "abcdefghjkmnpqrstvwxyz23456789"


def name_of(item_digest: int) -> str:
    """Return the name for people of the item with this digest: ten characters, none easily mistaken for another."""
    letters = ""
    for _ in range(10):
        item_digest, place = divmod(item_digest, len(_LETTERS))
        letters += _LETTERS[place]
    return letters
