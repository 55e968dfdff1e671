"""The canonical group of the specification (1.1): every profile maps its directory onto these fields.

Members are not among them: a list may hold 100,000 of them, and only an expansion reads it (`expansion`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from groupmilter.groups.person import Node
from groupmilter.mail.address import Pattern

Nodes = frozenset[Node]
_NOBODY: Nodes = frozenset()


class JoinPolicy(StrEnum):
    """Who may join or leave on his own."""

    OPEN = "open"
    CLOSED = "closed"
    APPROVAL = "approval"


class Notify(StrEnum):
    """Whether a sender learns of a rejection or expiry."""

    ALWAYS = "always"
    INTERNAL = "internal"
    NEVER = "never"


class BouncesTo(StrEnum):
    """Who gets delivery reports of the members' copies."""

    AUTO = "auto"
    SENDER = "sender"
    OWNER = "owner"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of the directory, with mail or (``address`` empty) only named in rights and memberships.

    Rights are sets of nodes, each a person or a group whose members at any depth are meant.

    :param node: the number of the entry's DN in the mirror.
    :param version: generation of the mirror in which this row or its members last changed.
    :param address: canonical primary address; ``aliases`` are the further ones.
    :param hold_hours, approvals, max_size: hours, count, octets; None where the policy decides.
    :param mail_tip: text per language tag; key ``""`` for the one without a tag.
    """

    node: Node
    uuid: str
    dn: str
    version: int = 0
    name: str = ""
    description: str = ""
    address: str = ""
    aliases: tuple[str, ...] = ()
    enabled: bool = True
    owners: Nodes = _NOBODY
    join_policy: JoinPolicy = JoinPolicy.CLOSED
    leave_policy: JoinPolicy = JoinPolicy.OPEN
    join_outsiders: bool = False
    require_authentication: bool = True
    external_senders: tuple[Pattern, ...] = ()
    allowed: Nodes = _NOBODY
    allowed_addresses: tuple[Pattern, ...] = ()
    denied: Nodes = _NOBODY
    denied_addresses: tuple[Pattern, ...] = ()
    moderated: bool = False
    moderators: Nodes = _NOBODY
    bypass: Nodes = _NOBODY
    bypass_addresses: tuple[Pattern, ...] = ()
    covers_nested: bool = False
    notify: Notify = Notify.ALWAYS
    hold_hours: int | None = None
    approvals: int = 1
    max_size: int | None = None
    send_as: Nodes = _NOBODY
    on_behalf: Nodes = _NOBODY
    bounces_to: BouncesTo = BouncesTo.AUTO
    auto_replies: bool = False
    hidden_members: bool = False
    hidden: bool = False
    mail_tip: Mapping[str, str] = field(default_factory=dict)
    policy: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All canonical addresses, the primary one first."""
        return (self.address, *self.aliases) if self.address else self.aliases

    @property
    def restricted(self) -> bool:
        """Whether a list of allowed senders is set at all."""
        return bool(self.allowed or self.allowed_addresses)

    @property
    def deciders(self) -> Nodes:
        """Who decides about held mail: the moderators, the owners where none is set."""
        return self.moderators or self.owners
