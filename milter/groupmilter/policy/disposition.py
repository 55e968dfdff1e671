"""What can become of a recipient, and of a message: the values that a decision consists of."""

from __future__ import annotations

from dataclasses import dataclass

from groupmilter.groups.expansion import Expansion
from groupmilter.groups.group import Group
from groupmilter.groups.ticket import Action, Token
from groupmilter.mail.action import InsertHeader
from groupmilter.mail.reply import Reply
from groupmilter.policy.case import Step
from groupmilter.policy.facts import Recipient, Strength
from groupmilter.policy.settings import HoldThen


@dataclass(frozen=True, slots=True)
class Passed:
    """No group: none of our business."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """At RCPT: nothing speaks against it so far; the end of the message decides."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """The recipient becomes the members."""

    group: Group
    expansion: Expansion
    tags: tuple[InsertHeader, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """The recipient becomes a ticket of the hold mailbox.

    :param reason: the situation or site rule that the ticket names (`reasons`).
    """

    group: Group
    why: str
    terms: HoldThen = HoldThen()
    tags: tuple[InsertHeader, ...] = ()
    reason: str = "moderation"


@dataclass(frozen=True, slots=True)
class Answered:
    """A moderator's answer goes to the desk; from nobody (``sender`` 0) where a program has written it."""

    token: Token
    sender: int = 0
    strength: Strength = Strength.CLAIMED


@dataclass(frozen=True, slots=True)
class Wished:
    """Somebody wants to join or leave a group; the desk does the rest.

    :param sender: `digest` of the UUID of the person who is proven; 0 for nobody of the directory.
    :param strength: how the author is proven; ``CLAIMED``: his address has to confirm.
    """

    group: Group
    action: Action
    sender: int = 0
    strength: Strength = Strength.CLAIMED


@dataclass(frozen=True, slots=True)
class ToOwners:
    """The message is for the group's owners, not for its members.

    :param addresses: theirs, strict. ``veiled``: the sender shall not learn who they are.
    """

    group: Group
    addresses: tuple[str, ...]
    veiled: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The recipient (``concerns_all``: the whole message) is refused for good.

    :param reason: the situation or site rule that a ticket names (`reasons`); empty where none can.
    """

    reply: Reply
    group: Group | None = None
    concerns_all: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """The group is taken out of an accepted message, and the desk tells the sender, whose return path is proven."""

    group: Group
    reply: Reply
    reason: str


@dataclass(frozen=True, slots=True)
class Split:
    """The desk sends the group's copy in transactions of its own: another return path, or too many members for one.

    :param expansion: as it is now; the members are found anew when the copy goes out.
    """

    group: Group
    why: str
    expansion: Expansion
    tags: tuple[InsertHeader, ...] = ()


@dataclass(frozen=True, slots=True)
class Deferred:
    """The client shall come again."""

    reply: Reply


Disposition = (
    Passed
    | Undecided
    | Expanded
    | Split
    | Held
    | Answered
    | Wished
    | ToOwners
    | Reported
    | Refused
    | Deferred
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one recipient, and how that came about."""

    recipient: Recipient
    disposition: Disposition
    trace: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a message.

    :param answer: the reply for the whole message; None where it is accepted.
    """

    verdicts: tuple[Verdict, ...]
    answer: Reply | None = None
