"""Gathers the facts of one message and puts them to the policy; the same code for live mail, `explain` and `test`.

Holds no connection and no snapshot between callbacks: records are read in one short transaction at RCPT and kept as
values; the end of the message takes them again in one snapshot, which costs nothing where nothing has changed.
What the directory can't tell becomes a recipient that is deferred, never one that passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import TypeVar

from groupmilter.authentication.evidence import Evidence, Field
from groupmilter.authentication.identity import Connection, Proofs, identify, one_author, restored
from groupmilter.authentication.ownership import owner_of
from groupmilter.authentication.trust import Certificate
from groupmilter.groups.directory import Directory, DirectoryMoved, DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import (
    LENGTH,
    RELEASE_LOCAL_PART,
    Action,
    Kind,
    LoopTrace,
    Ticket,
    unseal,
    unseal_token,
)
from groupmilter.mail.address import Address, domain_of, extended, path
from groupmilter.mail.content import ContentDigest
from groupmilter.mta.kept import KeptBody
from groupmilter.mta.reading import authors, entry, single
from groupmilter.mta.site import Site
from groupmilter.mta.watch import Watch, watching
from groupmilter.policy.case import Answer as RuleAnswer
from groupmilter.policy.case import Step
from groupmilter.policy.decide import decide, decide_recipient
from groupmilter.policy.disposition import Decision, Deferred, Passed, Refused, Verdict
from groupmilter.policy.facts import (
    Author,
    Batch,
    Content,
    Facts,
    Identity,
    Recipient,
    Strength,
    Waiting,
)
from groupmilter.policy.plan import LOOP_HEADER, RESULTS_HEADER
from groupmilter.policy.proving import wants_proof
from groupmilter.policy.replies import reply_for

_MOVED_OFTEN = 10
_REPORTS_SECONDS = 30 * 24 * 3600
"""How long a bounce address is good for: longer than any queue keeps mail (RFC 5321 section 4.5.4.1)."""

_RELEASE_SECONDS = 600
"""How long a release ticket is good for: the desk makes one for each attempt."""

_ANSWERS = {"approve": Action.APPROVE, "reject": Action.REJECT, "confirm": Action.CONFIRM}
_SKEW = 3600
"""How far the clocks of two hosts may differ, seconds."""

_MOST_FIELDS = 1_000
_MOST_HEADER_OCTETS = 512 * 1024
"""Beyond either a header isn't kept any more: no mail program writes that much, and it would fill the worker.

What the desk brings back may have twice as much: it has been taken once, and has grown on its way since.
"""

_MOST_AUTHORS = 1_000
"""Each is held against whom each group denies."""

_LOOP = LOOP_HEADER.lower()
_SIGNATURE = "dkim-signature"

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Collector:
    """One message from MAIL FROM to its end.

    :param sender: the envelope sender, as received and canonical.
    :param declared_size: of SIZE=, octets.
    :param headers: each field as received: name, and the value with the white space that it begins with.
    :param kept: the body, where somebody has signed it and a proof may be wanted.
    :param watch: looks whether the message came before, where that matters.
    :param proof_seconds: how long a proof took; None where none was wanted.
    :param audited: addresses whose tokens open nothing, which an audit row says already: a question may be put again.
    """

    site: Site
    connection: Connection
    sender: Address
    declared_size: int | None = None
    smtputf8: bool = False
    recipients: list[Recipient] = field(default_factory=list)
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    octets: int = 0
    excess: bool = False
    groups: bool = False
    digest: ContentDigest | None = None
    kept: KeptBody | None = None
    watch: Watch | None = None
    proof_seconds: float | None = None
    audited: set[str] = field(default_factory=set)

    @property
    def wants_header(self) -> bool:
        """Whether anybody will read the header: with a group addressed, or a name that may bear a group's address."""
        return self.groups or bool(self.connection.login or self._certificate)

    def recipient(
        self, argument: str, resolved: str | None = None, notify: str = "", orcpt: str = ""
    ) -> Verdict:
        """Decide on one recipient as far as RCPT can; the caller tells by `accept` that it stays.

        :param argument: of RCPT TO, as received.
        :param resolved: the MTA's canonical form, ``{rcpt_addr}``. ``notify``, ``orcpt``: ESMTP parameters.
        """
        own = self.site.settings.own_domains
        address = path(argument, own, resolved) or Address(argument, "")
        closed = not address.canonical and self.site.of_service_domain(resolved or argument)
        recipient = Recipient(address, notify=notify, orcpt=orcpt, service=closed)
        try:
            return self._asking(lambda directory: self._judged(recipient, directory))
        except DirectoryUnknown:
            return self._unreadable(recipient)

    def _judged(self, recipient: Recipient, directory: Directory) -> Verdict:
        found = self._look_up(recipient, directory)
        if not found.concerns_us:
            return Verdict(found, Passed())
        return decide_recipient(found, self._early(found, directory), directory, self.site.settings)

    def _asking(self, question: Callable[[Directory], Answer]) -> Answer:
        """Put a question to one snapshot, again where the directory moved under it."""
        for _ in range(_MOVED_OFTEN):
            try:
                with self.site.snapshots.snapshot() as directory:
                    return question(directory)
            except DirectoryMoved:
                continue
        raise DirectoryUnknown("the directory changes faster than it can be asked")

    def accept(self, recipient: Recipient) -> None:
        """Keep a recipient that was not refused."""
        self.recipients.append(recipient)
        self.groups = self.groups or recipient.concerns_us
        if recipient.release:
            self.digest = ContentDigest()
        if recipient.group is not None and self.watch is None:
            self.watch = watching(self.site, self.connection)

    def header(self, name: str, value: bytes) -> None:
        """Keep one header field as received; a caller without a reader leaves it out.

        :param value: with the white space that it begins with.
        """
        self.octets += len(name) + len(value) + 3
        if self.digest is not None:
            self.digest.field(name.encode("utf-8", "surrogateescape"), value)
        times = 1 if self.digest is None else 2
        if len(self.headers) >= times * _MOST_FIELDS or self.octets > times * _MOST_HEADER_OCTETS:
            self.excess = True
        else:
            self.headers.append((name, value))
        if (
            name.lower() == _SIGNATURE
            and self.digest is None
            and not self.connection.login
            and self.kept is None
        ):
            self.kept = KeptBody(self.site.largest_proven)

    def body(self, chunk: bytes) -> None:
        """Count a part of the body, and keep it where somebody has signed it."""
        self.octets += len(chunk)
        if self.watch is not None:
            self.watch.body(chunk)
        if self.digest is not None:
            self.digest.body(chunk)
        elif self.kept is not None:
            self.kept.add(chunk)

    def end(self) -> tuple[Facts, Decision]:
        """Decide on the whole message.

        :raises DirectoryUnknown: where the directory can't be asked any more.
        """
        if self.digest is not None:
            return self._brought_back(self.digest.digest())
        facts, decision = self._asking(partial(self._decided, None))
        if not wants_proof(facts, decision):
            return facts, decision
        # No snapshot is open here: DNS may take seconds.
        began = monotonic()
        proofs = self.site.prove(self._evidence(facts))
        self.proof_seconds = monotonic() - began
        return self._asking(partial(self._decided, proofs))

    def _evidence(self, facts: Facts) -> Evidence:
        author = one_author(facts.content) if facts.content is not None else ""
        body = self.kept.read if self.kept is not None and self.kept.whole else None
        return Evidence(self.connection, self.sender.canonical, author, self._received(), body)

    def _received(self) -> tuple[Field, ...]:
        return tuple((name.encode("utf-8", "surrogateescape"), value) for name, value in self.headers)

    def _brought_back(self, digest: bytes) -> tuple[Facts, Decision]:
        """Decide on a message that the desk brings back; its ticket is spent before anybody is answered."""
        text = self.recipients[0].release
        ticket = unseal(text, self.site.keys, digest) if len(self.recipients) == 1 else None
        if ticket is None or ticket.kind is not Kind.RELEASE or not self._fresh(ticket, _RELEASE_SECONDS):
            return self._asking(partial(self._not_released, "no ticket for this content"))
        door = self.site.release
        try:
            batch = None if door is None else door.spend(text)
        except Exception as error:
            raise DirectoryUnknown(f"the state can't be written: {error}") from error
        if batch is None:
            return self._asking(partial(self._not_released, "the ticket was used before"))
        return self._asking(partial(self._released, ticket, batch))

    def copied(self, ticket: Ticket, left_out: Iterable[str]) -> tuple[Facts, Decision]:
        """Decide on a copy that the desk has, before it is brought back: whom it is for.

        :param ticket: the copy's own. ``left_out``: addresses that others of its delivery have reached.
        :raises DirectoryUnknown: where the directory can't be asked.
        """
        return self._asking(partial(self._released, ticket, Batch(), taken=frozenset(left_out)))

    def _released(
        self, ticket: Ticket, batch: Batch, directory: Directory, taken: frozenset[str] = frozenset()
    ) -> tuple[Facts, Decision]:
        group = directory.by_digest(ticket.group)
        if not isinstance(group, Group) or not group.address:
            return self._not_released("the group is gone", directory)
        content = self._content(directory)
        sender = directory.by_digest(ticket.sender) if ticket.sender else None
        person = sender if isinstance(sender, Person) else None
        strength = Strength(ticket.strength) if ticket.strength in set(Strength) else Strength.CLAIMED
        identity = restored(strength, person, content, self.sender.canonical, self.site.trust, directory)
        recipient = replace(self.recipients[0], entry=group, release="")
        # What is counted was counted when it came; groups inside are asked for their approval alone.
        facts = replace(self._facts((recipient,), identity, content), batch=batch, taken=taken, counts={})
        return facts, decide(facts, directory, self.site.settings)

    def _not_released(self, why: str, directory: Directory) -> tuple[Facts, Decision]:
        content = self._content(directory)
        facts = self._facts(tuple(self.recipients), self._identity(content, directory, Proofs()), content)
        reply = reply_for("release", "", self.site.settings)
        step = Step("", "release", RuleAnswer.HIT, why)
        verdicts = tuple(Verdict(r, Refused(reply, concerns_all=True), (step,)) for r in self.recipients)
        return facts, Decision(verdicts, reply)

    def _decided(self, proofs: Proofs | None, directory: Directory) -> tuple[Facts, Decision]:
        content = self._content(directory)
        identity = self._identity(content, directory, proofs)
        recipients = tuple(self._look_up(r, directory) for r in self.recipients)
        facts = self._facts(recipients, identity, content)
        if self.watch is not None:
            facts = self.watch.looked_up(facts, self._received())
        return facts, decide(facts, directory, self.site.settings)

    def _unreadable(self, recipient: Recipient) -> Verdict:
        """Defer what may be a group's address; mail to anybody else has nothing to wait for."""
        address, settings = recipient.address.canonical, self.site.settings
        base, _ = extended(address, settings.recipient_delimiter)
        if not recipient.service and not any(self.site.may_be_group(one) for one in (address, base) if one):
            return Verdict(recipient, Passed())
        kept = replace(recipient, unknown=True)
        return Verdict(kept, Deferred(reply_for("unknown", address, settings)))

    def _look_up(self, recipient: Recipient, directory: Directory) -> Recipient:
        address = recipient.address.canonical
        if not address:
            return recipient
        settings = self.site.settings
        if domain_of(address) == settings.service_domain:
            return self._service(recipient, address)
        found, extension = entry(address, settings.recipient_delimiter, directory)
        return Recipient(
            recipient.address, found, recipient.notify, extension=extension, orcpt=recipient.orcpt
        )

    def _service(self, recipient: Recipient, address: str) -> Recipient:
        """Return what an address of the service domain is: bounce, answer or release, and closed otherwise."""
        local = address.rpartition("@")[0].lower()
        word, _, rest = local.partition("+")
        if word in _ANSWERS:
            token = unseal_token(rest, self.site.keys)
            known = token is not None and token.kind is Kind.ANSWER and token.action is _ANSWERS[word]
            if token is not None and known and token.expires >= self.site.clock().timestamp():
                return replace(recipient, answer=token)
            problem = "token-expired" if token is not None and known else "token-forged"
            if address not in self.audited:
                self.audited.add(address)
                self.site.audit(problem, self.sender.canonical, self.connection.client, "")
            return replace(recipient, service=True)
        door = self.site.release
        if local == RELEASE_LOCAL_PART and door is not None and door.opened_by(self.connection):
            known = len(recipient.orcpt) == LENGTH
            return replace(recipient, release=recipient.orcpt if known else "", service=not known)
        return replace(recipient, service=not self._is_report(address))

    def _is_report(self, address: str) -> bool:
        """Tell whether this is a bounce address that we made: the only one of the service domain open to anybody."""
        local = address.rpartition("@")[0].lower()
        ticket = (
            unseal(local.removeprefix("bounce+"), self.site.keys) if local.startswith("bounce+") else None
        )
        return ticket is not None and ticket.kind is Kind.BOUNCE and self._fresh(ticket, _REPORTS_SECONDS)

    def _fresh(self, ticket: Ticket, seconds: int) -> bool:
        return 0 <= self.site.clock().timestamp() - ticket.time + _SKEW < seconds + _SKEW

    @property
    def _certificate(self) -> Certificate | None:
        connection = self.connection
        return self.site.trust.certificate(connection.certificate, connection.issuer)

    def _early(self, recipient: Recipient, directory: Directory) -> Facts:
        identity = self._identity(None, directory, Proofs())
        return self._facts((*self.recipients, recipient), identity, None)

    def _identity(self, content: Content | None, directory: Directory, proofs: Proofs | None) -> Identity:
        sender = self.sender.canonical
        return identify(self.connection, sender, content, proofs, self.site.trust, directory)

    def _facts(self, recipients: tuple[Recipient, ...], identity: Identity, content: Content | None) -> Facts:
        grouped = any(r.group for r in recipients)
        return Facts(
            envelope_sender=self.sender.canonical,
            identity=identity,
            recipients=recipients,
            client=self.connection.client,
            smtp=bool(self.connection.client),
            declared_size=self.declared_size,
            size=None if content is None else self.octets,
            content=content,
            counts=self.site.counts(),
            smtputf8=self.smtputf8,
            local_time=self.site.clock(),
            waiting=self.site.waiting() if grouped else Waiting(),
            suspended=self.site.suspended() if grouped else frozenset(),
        )

    def _content(self, directory: Directory) -> Content:
        own = self.site.settings.own_domains
        fields = self._fields()
        named, readable = authors(fields.get("from", ()), own)
        sender = single(fields.get("sender", ()), own)
        return Content(
            authors=tuple(Author(a, owner_of(a, self.site.trust, directory)) for a in named),
            sender=sender,
            sender_owner=owner_of(sender, self.site.trust, directory) if sender else None,
            readable=readable,
            headers=fields,
            trace=self._trace(fields.get(_LOOP, ())),
            forged=self._forged() if RESULTS_HEADER.lower() in fields else (),
            excess=self.excess or len(named) > _MOST_AUTHORS,
        )

    def _fields(self) -> dict[str, tuple[str, ...]]:
        """Return the header as text, by lower-case name; octets that are no UTF-8 become surrogates."""
        fields: dict[str, tuple[str, ...]] = {}
        for name, value in self.headers:
            key = name.strip(" \t").lower()
            text = value.removeprefix(b" ").decode("utf-8", "surrogateescape")
            fields[key] = (*fields.get(key, ()), text)
        return fields

    def _forged(self) -> tuple[int, ...]:
        """Return what pretends to be a relay's; nothing of what the desk brings back, which was looked at before."""
        return () if self.digest is not None else self.site.forged(self.connection, self._received())

    def _trace(self, values: Iterable[str]) -> LoopTrace:
        digests = frozenset(digest for value in values for digest in value.split())
        return LoopTrace(digests, tuple(self.site.keys.keys.values()))
