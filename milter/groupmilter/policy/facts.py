"""What is known of one message, gathered before anything is decided: frozen values, ``None`` where not yet known.

The same value serves at RCPT (``content`` is None: headers are still to come) and at the end of the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from groupmilter.groups.directory import Member
from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.person import Node, Person
from groupmilter.groups.ticket import LoopTrace, Token
from groupmilter.mail.address import Address
from groupmilter.mail.header import mentioned, most_named, signed_fields
from groupmilter.policy.sighting import Seen, Sighting

_NOBODY: Nodes = frozenset()
_SIGNATURES = ("dkim-signature", "arc-message-signature")


class Strength(IntEnum):
    """How well the sender's identity is proven; a right never hangs on ``CLAIMED``."""

    CLAIMED = 0
    DMARC = 1
    NETWORK = 2
    CERTIFICATE = 3
    LOGIN = 4

    def __str__(self) -> str:
        """Return the word that policies and explanations use."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the sender is, as far as proven.

    :param name: login, certificate subject or address, for people who read.
    :param person: set only where the proof gives the rights of a person.
    :param addresses: canonical addresses that the proof covers.
    :param nodes: the person's node and every group containing it: a right is a non-empty intersection with these.
    :param suspects: nodes that a denial may hit; for a mere claim those of the claimed persons.
    :param claims: canonical addresses that a denial may hit.
    :param dkim: the proof is an aligned DKIM signature, not SPF alone.
    :param path_proven: the envelope sender is proven, too: a report sent there is no backscatter.
    :param path_doubtful: it isn't, and nobody has asked yet, or DNS couldn't tell.
    :param may_become: the strength that the header may still prove; None once the header is known.
    :param could_be: who the sender would be if a proof held that nobody has asked for yet, or of which DNS couldn't
        tell; None where nothing more can be proven.
    :param unasked: nobody has asked for a proof by DKIM or SPF.
    :param signed: lower-case names of the fields that the signature covers which proves the author.
    :param because: in a few words, what proves it, or why nothing does.
    """

    strength: Strength = Strength.CLAIMED
    name: str = ""
    person: Person | None = None
    addresses: tuple[str, ...] = ()
    nodes: Nodes = _NOBODY
    suspects: Nodes = _NOBODY
    claims: tuple[str, ...] = ()
    dkim: bool = False
    internal: bool = False
    path_proven: bool = False
    path_doubtful: bool = False
    may_become: Strength | None = None
    could_be: Identity | None = None
    unasked: bool = False
    signed: frozenset[str] = frozenset()
    because: str = ""

    @property
    def authenticated(self) -> bool:
        """Whether rule 4 is satisfied: login, certificate, network, or a DKIM proof that the policy counts."""
        return self.internal or self.strength >= Strength.NETWORK

    @property
    def bypasses(self) -> bool:
        """Whether an address right may spare approval: not by SPF, nor by what vouches without persons' rights."""
        if self.strength is Strength.DMARC:
            return self.dkim
        return self.strength is Strength.LOGIN or bool(self.nodes)


@dataclass(frozen=True, slots=True)
class Author:
    """One mailbox of From, and whose it is in the directory."""

    address: str
    owner: Person | Group | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What the header says: values as received, folded or not, by lower-case field name.

    :param authors: of the From fields; empty where they can't be read without doubt.
    :param sender: canonical address of Sender, or empty where none can be read without doubt; ``sender_owner``: whose.
    :param readable: exactly one From field that the strict grammar reads.
    :param trace: the groups that have handled this message before.
    :param forged: places of the Authentication-Results fields that only claim to be of a relay of ours, the last first.
    :param excess: the header is longer than anybody reads; what stands beyond is unknown.
    """

    authors: tuple[Author, ...] = ()
    sender: str = ""
    sender_owner: Person | Group | None = None
    readable: bool = True
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trace: LoopTrace = LoopTrace()
    forged: tuple[int, ...] = ()
    excess: bool = False

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of all fields of a lower-case name."""
        return self.headers.get(name, ())

    @property
    def signed(self) -> frozenset[str]:
        """The lower-case names of the fields that some signature covers."""
        return signed_fields(value for name in _SIGNATURES for value in self.values(name))

    def closed(self, name: str) -> bool:
        """Tell whether one more field of a lower-case name, above those that are there, breaks a signature."""
        signatures = (value for one in _SIGNATURES for value in self.values(one))
        return most_named(signatures, name) > len(self.values(name))

    @property
    def addressed(self) -> frozenset[str]:
        """The lower-case addresses of To and Cc."""
        return mentioned((*self.values("to"), *self.values("cc")))


@dataclass(frozen=True, slots=True)
class Count:
    """What is counted: messages under a rule, of a group (its UUID) or a digest of group and sender.

    :param seconds: length of the window.
    """

    rule: str
    of: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many held messages wait for somebody: in all, and by the 56-bit digest of each group's UUID."""

    total: int = 0
    groups: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction by which the desk brings an approved or split message back.

    :param number: from 0.
    :param members: whom it is for; None where the milter expands the group, so that there is only this one.
    """

    number: int = 0
    members: tuple[Member, ...] | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted recipient and what the directory says of it.

    :param entry: the group or person; None for an address the directory doesn't know.
    :param notify: the client's NOTIFY parameter, or empty.
    :param service: an address of the service domain that no client may use.
    :param unknown: the directory can't tell now, and the address may be a group's.
    :param extension: an address extension with a meaning of its own, such as ``join`` or ``owner``.
    :param orcpt: the client's ORCPT parameter, decoded, without ``rfc822;``; or empty.
    :param answer: what an address in a letter of ours decides. ``release``: the desk's ticket for what it brings back.
    """

    address: Address
    entry: Group | Person | None = None
    notify: str = ""
    service: bool = False
    unknown: bool = False
    extension: str = ""
    orcpt: str = ""
    answer: Token | None = None
    release: str = ""

    @property
    def concerns_us(self) -> bool:
        """Whether the end of the message has anything to say about this recipient."""
        return bool(self.group or self.service or self.unknown or self.answer or self.release)

    @property
    def group(self) -> Group | None:
        """The group that is addressed, if it is one that takes mail."""
        return self.entry if isinstance(self.entry, Group) and self.entry.address else None


@dataclass(frozen=True, slots=True)
class Facts:
    """One message.

    :param envelope_sender: canonical, empty for the null sender.
    :param client: address of the connecting client, empty for local submission.
    :param smtp: real SMTP: a recipient may be refused on its own; else everything waits for the end.
    :param recipients: those accepted so far, in envelope order.
    :param declared_size: of SIZE=, octets; ``size``: counted, None before the end.
    :param counts: messages in the running windows of the storm guard and of rate limits; None: can't be read.
    :param content: None while the header is still to come.
    :param local_time: wall clock with time zone, for calendar windows.
    :param waiting: how much is held; None where nobody can tell, and then nothing can be held.
    :param taken: canonical addresses that others of the same delivery have reached before.
    :param suspended: addresses of members that get no mail for now, since it goes on failing there.
    :param sighting: how the message is known again, where that is asked; ``seen``: the groups, by UUID, that have taken
        it before; None where nobody can tell.
    :param batch: the desk brings an approved or split message back: the group that was written to isn't asked again.
    """

    envelope_sender: str
    identity: Identity
    recipients: tuple[Recipient, ...] = ()
    client: str = ""
    smtp: bool = True
    declared_size: int | None = None
    size: int | None = None
    content: Content | None = None
    counts: Mapping[Count, int] | None = field(default_factory=dict)
    smtputf8: bool = False
    local_time: datetime | None = None
    waiting: Waiting | None = Waiting()
    batch: Batch | None = None
    taken: frozenset[str] = frozenset()
    sighting: Sighting | None = None
    seen: Mapping[str, Seen] | None = field(default_factory=dict)
    suspended: frozenset[str] = frozenset()

    @property
    def released(self) -> bool:
        """Whether somebody (or the policy) has let the message through before."""
        return self.batch is not None

    @property
    def may_be_told(self) -> bool:
        """Whether a report may be written to the sender: there is a return path, and it is proven."""
        return self.identity.path_proven and bool(self.envelope_sender)

    @property
    def ended(self) -> bool:
        """Whether everything that can be known is known."""
        return self.content is not None

    @property
    def direct(self) -> frozenset[Node]:
        """Nodes of the persons addressed directly."""
        return frozenset(r.entry.node for r in self.recipients if isinstance(r.entry, Person))
