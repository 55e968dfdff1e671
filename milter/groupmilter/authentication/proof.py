"""What DKIM, SPF or a relay of ours proves of a message's author and envelope sender (specification 2.1).

A relay's own results come first where the client is one. What they leave open, signatures may prove: only those whose
domain is aligned with the author's or the envelope sender's are looked at, body before DNS, and no more once everything
is proven. What signatures leave open, SPF may prove, but never for the address of a relay or of this host itself (a
content filter that hands mail back), which says nothing of where the mail is from. All of it ends at one deadline; what
DNS didn't tell until then is doubt. Never fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from threading import Lock

from groupmilter.authentication.alignment import Alignment
from groupmilter.authentication.body import body_hash
from groupmilter.authentication.dkim import Verifier
from groupmilter.authentication.dmarc import Policies, Published
from groupmilter.authentication.evidence import Evidence, Field
from groupmilter.authentication.identity import Connection, Proofs
from groupmilter.authentication.resolver import DnsUnknown, Resolver
from groupmilter.authentication.results import Result, believed, forged
from groupmilter.authentication.signature import Signature, covered, flaw, signatures
from groupmilter.authentication.spf import Policy
from groupmilter.mail.address import canonical_domain, domain_of
from groupmilter.mail.client import client_address


@dataclass(frozen=True, slots=True)
class Relay:
    """Hosts of ours that take mail from outside and note what they found in Authentication-Results.

    :param authserv_id: under which they do, in lower case.
    """

    net: IPv4Network | IPv6Network
    authserv_id: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a proof is gone after.

    :param signatures: how many are verified at most.
    :param octets: of a body; no signature of a larger one is verified.
    :param seconds: for everything together.
    """

    signatures: int = 8
    octets: int = 25_000_000
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Prover:
    """What computes proofs, for all threads of a process.

    :param clock: seconds since 1970.
    :param turn: held by who has a whole body in memory.
    """

    resolver: Resolver
    alignment: Alignment
    relays: tuple[Relay, ...] = ()
    bounds: Bounds = Bounds()
    clock: Callable[[], float] = time.time
    turn: Lock = field(default_factory=Lock)

    def prove(self, evidence: Evidence) -> Proofs:
        """Return what is proven of a message."""
        ids = self.ids(evidence.connection.client)
        one_from = sum(name.lower() == b"from" for name, _ in evidence.fields) == 1
        author = domain_of(evidence.author) if one_from else ""
        until = time.monotonic() + self.bounds.seconds
        case = _Case(self, evidence, until, author, domain_of(evidence.envelope_sender))
        if not case.wanted:
            return Proofs(because="neither author nor envelope sender to prove")
        if ids:
            case.believe(believed(evidence.fields, ids))
        if not case.settled:
            case.verify()
        if not case.settled and not ids and evidence.connection.client:
            case.admit()
        return case.proofs()

    def forged(self, connection: Connection, fields: tuple[Field, ...]) -> tuple[int, ...]:
        """Return which Authentication-Results fields only claim to be of one of the relays; see `results.forged`."""
        every = frozenset(relay.authserv_id for relay in self.relays)
        return forged(fields, every, relay=bool(self.ids(connection.client)))

    def ids(self, client: str) -> frozenset[str]:
        """Return the authserv-ids under which a client writes; none where it is no relay."""
        address = client_address(client)
        if address is None:
            return frozenset()
        return frozenset(relay.authserv_id for relay in self.relays if address in relay.net)


@dataclass(slots=True)
class _Case:
    """What is known so far of one message.

    :param author: the author's domain, empty unless there is one From field that names one author.
    :param sender: the envelope sender's domain, empty for the null sender.
    """

    prover: Prover
    evidence: Evidence
    until: float
    author: str
    sender: str
    dkim: set[str] = field(default_factory=set)
    spf: set[str] = field(default_factory=set)
    dkim_doubt: set[str] = field(default_factory=set)
    spf_doubt: set[str] = field(default_factory=set)
    signed: set[str] = field(default_factory=set)
    because: list[str] = field(default_factory=list)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The domains that may be proven."""
        return tuple(dict.fromkeys(domain for domain in (self.author, self.sender) if domain))

    @property
    def settled(self) -> bool:
        """Whether nothing stronger is left to prove."""
        return self.dkim.issuperset(self.wanted)

    def proofs(self) -> Proofs:
        """Return the outcome; what is proven is in no doubt."""
        return Proofs(
            dkim=frozenset(self.dkim),
            spf=frozenset(self.spf),
            dkim_doubt=frozenset(self.dkim_doubt - self.dkim),
            spf_doubt=frozenset(self.spf_doubt - self.spf),
            signed=frozenset(self.signed),
            because="; ".join(self.because),
        )

    def believe(self, results: Mapping[str, tuple[Result, ...]]) -> None:
        """Take over what a relay found. Its "could not tell" is no doubt: it will say the same next time."""
        for result in results.get("dkim", ()):
            if result.result == "pass":
                self._believe_signature(result.properties)
        for result in results.get("spf", ()):
            domain = _named(result.properties.get("smtp.mailfrom", ""))
            if result.result == "pass" and domain and domain == self.sender:
                self._note_spf(domain, "as a relay says")
        for result in results.get("dmarc", ()):
            domain = _named(result.properties.get("header.from", ""))
            if result.result == "pass" and domain and domain == self.author:
                # It may have been SPF that was aligned, so it is no more than that.
                self.spf.add(domain)
                self.because.append(f"DMARC of {domain} passes, as a relay says")

    def _believe_signature(self, properties: Mapping[str, str]) -> None:
        """Count a signature that held at a relay, unless the message shows it to be of a kind that doesn't count.

        Where the relay tells only an identity (``header.i``), a signature has to show that it is the domain, too.
        """
        signed_by = properties.get("header.d", "")
        domain = _named(signed_by or properties.get("header.i", ""))
        found = [one for one in signatures(self.evidence.fields) if _meant(one, domain, properties)]
        if not domain or not (found or signed_by):
            return
        flawed = next((why for one in found if (why := flaw(one, self.prover.clock()))), "")
        if flawed:
            self.because.append(f"DKIM d={domain}: held at a relay, but {flawed}")
            return
        names = [covered(one, self.evidence.fields) for one in found] or [frozenset({"from"})]
        self._note_dkim(domain, frozenset.intersection(*names), f"DKIM d={domain} holds, as a relay says")

    def verify(self) -> None:
        """Verify the signatures that could prove anything, the topmost first."""
        candidates = [
            (one, targets)
            for one in signatures(self.evidence.fields)
            if (targets := tuple(d for d in self.wanted if self.prover.alignment.related(one.domain, d)))
        ]
        if not candidates:
            self.because.append("no DKIM signature of the author's or sender's domain")
            return
        tried = []
        for signature, targets in candidates[: self.prover.bounds.signatures]:
            why = flaw(signature, self.prover.clock())
            if why:
                self.because.append(f"{signature}: {why}")
            else:
                tried.append((signature, targets))
        hashes = self._hashes(tried)
        verifier = Verifier(self.prover.resolver)
        for signature, targets in tried if hashes else ():
            if not self.dkim.issuperset(targets):
                self._verify(verifier, signature, targets, hashes)

    def _hashes(self, tried: Sequence[tuple[Signature, tuple[str, ...]]]) -> Mapping[bool, bytes]:
        """Return the body's hash in the forms that signatures want, relaxed or not; none where that can't be had.

        One body at a time is in memory, and none while DNS is asked.
        """
        forms = {signature.relaxed_body for signature, _ in tried}
        if not forms or self.evidence.body is None:
            self.because += ["DKIM: not verified, too large"] if forms else []
            return {}
        if not self.prover.turn.acquire(timeout=max(self.until - time.monotonic(), 0)):
            self.dkim_doubt.update(*(targets for _, targets in tried))
            self.because.append("DKIM: not known, too many large messages at a time")
            return {}
        try:
            octets = self.evidence.body()
            if len(octets) <= self.prover.bounds.octets:
                return {form: body_hash(octets, relaxed=form) for form in forms}
        finally:
            self.prover.turn.release()
        self.because.append("DKIM: not verified, too large")
        return {}

    def _verify(
        self,
        verifier: Verifier,
        signature: Signature,
        targets: tuple[str, ...],
        hashes: Mapping[bool, bytes],
    ) -> None:
        try:
            why = verifier.fault(signature, self.evidence.fields, hashes, self.until)
        except DnsUnknown as error:
            self.dkim_doubt.update(targets)
            self.because.append(f"{signature}: not known, {error}")
            return
        if why:
            self.because.append(f"{signature}: {why}")
            return
        self._note_dkim(signature.domain, covered(signature, self.evidence.fields), f"{signature} holds")

    def _note_dkim(self, domain: str, names: frozenset[str], words: str) -> None:
        """Note a signature that holds for whom it is aligned with."""
        self.because.append(words)
        for target in self._aligned(domain, lambda policy: policy.strict_dkim, self.dkim_doubt):
            self.dkim.add(target)
            if target == self.author:
                self.signed |= names

    def admit(self) -> None:
        """Ask SPF about the envelope sender, or about the HELO name for the null sender (RFC 7208 section 2.4)."""
        connection = self.evidence.connection
        if _loopback(connection.client):
            self.because.append("SPF: not asked, the client is this host itself")
            return
        domain = self.sender or canonical_domain(connection.helo) or ""
        targets = {one for one in self.wanted if self.prover.alignment.related(domain, one)}
        if targets <= self.dkim:
            return
        policy = Policy(self.prover.resolver)
        try:
            why = policy.fault(connection.client, self.evidence.envelope_sender, domain, self.until)
        except DnsUnknown as error:
            self.spf_doubt |= targets
            self.because.append(f"SPF of {domain}: not known, {error}")
            return
        if why:
            self.because.append(f"SPF of {domain}: {why}")
        else:
            self._note_spf(domain, f"for {connection.client}")

    def _note_spf(self, domain: str, words: str) -> None:
        self.because.append(f"SPF of {domain} passes, {words}")
        self.spf.update(self._aligned(domain, lambda policy: policy.strict_spf, self.spf_doubt))

    def _aligned(self, domain: str, strict: Callable[[Published], bool], doubt: set[str]) -> Iterator[str]:
        """Give the wanted domains that a domain may speak for; what DNS can't tell goes into doubt.

        A published policy is only looked up where it makes a difference: for another domain of the same organisation.
        """
        policies = Policies(self.prover.resolver, self.prover.alignment)
        for target in self.wanted:
            if domain == target:
                yield target
            elif self.prover.alignment.related(domain, target):
                try:
                    if not strict(policies.of(target, self.until)):
                        yield target
                    else:
                        self.because.append(f"{domain} is not {target}, whose DMARC record is strict")
                except DnsUnknown as error:
                    doubt.add(target)
                    self.because.append(f"DMARC record of {target}: not known, {error}")


def _meant(signature: Signature, domain: str, properties: Mapping[str, str]) -> bool:
    """Tell whether a relay's result may be about a signature, by selector and beginning where it tells them."""
    selector, beginning = properties.get("header.s", ""), properties.get("header.b", "").encode()
    if signature.domain != domain or (selector and canonical_domain(selector) != signature.selector):
        return False
    return b"".join(signature.tags.get(b"b", b"").split()).startswith(beginning)


def _named(value: str) -> str:
    """Return the canonical domain of a property's value, an address or a domain; empty where it is none."""
    return canonical_domain(value.rpartition("@")[2]) or ""


def _loopback(client: str) -> bool:
    address = client_address(client)
    return address is not None and address.is_loopback
