"""From what a connection and a header prove to one identity (specification 2.1).

The first proof that holds decides, strongest first; a bare MAIL FROM or From proves nothing and may only ever be
held against the sender. Raises `DirectoryUnknown` where the snapshot can't tell whose an address is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from groupmilter.config.model import Rights, TrustedNetwork
from groupmilter.groups.directory import Directory
from groupmilter.groups.group import Nodes
from groupmilter.groups.person import Node, Person
from groupmilter.mail.address import canonical, domain_of
from groupmilter.policy.facts import Content, Identity, Strength


@dataclass(frozen=True, slots=True)
class Network:
    """Hosts that may speak for domains.

    :param net: None for local submission, which has no SMTP client.
    :param speaks_for: canonical domains of the authors that it vouches for.
    :param person: whether it gives the rights of the person behind the author's address.
    """

    net: IPv4Network | IPv6Network | None
    speaks_for: frozenset[str]
    person: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """What the MTA says of the client.

    :param client: IP address as text; empty for local submission.
    :param login: SASL user name, empty for none.
    :param helo: what the client calls itself.
    :param certificate: the subject of a client certificate that the MTA has verified, empty for none.
    :param issuer: who has issued it.
    """

    client: str
    login: str = ""
    daemon_name: str = ""
    helo: str = ""
    certificate: str = ""
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Proofs:
    """What DKIM and SPF prove of one message. Domains are canonical: the author's and the envelope sender's.

    :param dkim: domains with which a signature that verifies is aligned (RFC 7489 section 3.1).
    :param spf: domains with which an SPF pass of the envelope sender is aligned, its own included.
    :param dkim_doubt, spf_doubt: domains of which DNS couldn't tell.
    :param signed: lower-case names of the fields that such a signature of the author's domain covers.
    :param because: in a few English words, where the proof comes from, or why there is none.
    """

    dkim: frozenset[str] = frozenset()
    spf: frozenset[str] = frozenset()
    dkim_doubt: frozenset[str] = frozenset()
    spf_doubt: frozenset[str] = frozenset()
    signed: frozenset[str] = frozenset()
    because: str = ""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the configuration trusts for what."""

    networks: tuple[Network, ...] = ()
    dmarc_is_internal: bool = False


def trusted_networks(entries: Iterable[TrustedNetwork]) -> tuple[Network, ...]:
    """Return networks as the configuration (or a case file) names them."""
    return tuple(Network(e.net, frozenset(e.speaks_for), e.rights is Rights.PERSON) for e in entries)


def identify(
    connection: Connection,
    envelope_sender: str,
    content: Content | None,
    proofs: Proofs | None,
    trust: Trust,
    directory: Directory,
) -> Identity:
    """Return who the sender is as far as it is proven now.

    :param envelope_sender: canonical, empty for the null sender.
    :param content: None at RCPT: then ``may_become`` says what the header can still prove.
    :param proofs: None where nobody has asked yet: then ``could_be`` says what they may come to.
    :raises DirectoryUnknown: where the directory can't be asked.
    """
    if connection.login:
        return replace(_by_login(connection.login, directory), path_proven=True)
    networks = _networks(connection.client, trust.networks)
    if content is None:
        claimed = _claimed((envelope_sender,), directory)
        return replace(claimed, may_become=Strength.NETWORK if networks else Strength.DMARC)
    author = one_author(content)
    by_network = _by_network(author, networks, directory)
    if by_network is not None:
        vouched = frozenset[str]().union(*(network.speaks_for for network in networks))
        return replace(by_network, path_proven=domain_of(envelope_sender) in vouched)
    claims = (envelope_sender, *(a.address for a in content.authors))
    return _by_domain(author, envelope_sender, claims, proofs, trust, directory)


def _by_login(login: str, directory: Directory) -> Identity:
    person = directory.person_by_login(login)
    if person is None:
        address = canonical(login)
        return Identity(Strength.LOGIN, login, claims=(address,) if address else ())
    nodes = _nodes(person, directory)
    if person.disabled:
        # A login may outlive the lock: it has no rights then, but what it is denied stays denied.
        return Identity(Strength.LOGIN, login, suspects=nodes, claims=person.addresses)
    return Identity(Strength.LOGIN, login, person, person.addresses, nodes, nodes, person.addresses)


def restored(
    strength: Strength, person: Person | None, content: Content, envelope_sender: str, directory: Directory
) -> Identity:
    """Return who had sent a message that was held, from what its ticket says and from its header.

    The ticket doesn't say whether a return path was proven by SPF or DKIM: then it isn't taken for proven. Of a
    network it is where its domain is the author's, for which the network spoke.

    :param person: whom the ticket names, if anybody.
    :raises DirectoryUnknown: where the directory can't be asked.
    """
    known = _restored(strength, person, content, envelope_sender, directory)
    spoken_for = {domain_of(author.address) for author in content.authors}
    vouched = strength is Strength.NETWORK and domain_of(envelope_sender) in spoken_for
    return replace(known, path_proven=vouched or strength > Strength.NETWORK)


def _restored(
    strength: Strength, person: Person | None, content: Content, envelope_sender: str, directory: Directory
) -> Identity:
    if person is not None and not person.disabled:
        nodes = _nodes(person, directory)
        known = Identity(strength, person.address, person, person.addresses, nodes, nodes, person.addresses)
        by_signature = strength is Strength.DMARC
        return replace(known, dkim=by_signature, internal=by_signature)
    author = one_author(content)
    if strength is Strength.CLAIMED:
        return _claimed((envelope_sender, *(a.address for a in content.authors)), directory)
    if strength is Strength.NETWORK and author:
        return _network_identity(author, rights=False, directory=directory)
    addresses = (author,) if author and strength is Strength.DMARC else ()
    return Identity(strength, author, None, addresses, claims=(author,) if author else ())


def _nodes(person: Person, directory: Directory) -> Nodes:
    return directory.containing(person.node) | {person.node}


def _networks(client: str, networks: Iterable[Network]) -> tuple[Network, ...]:
    """Return the networks that hold the client; an IPv4-mapped IPv6 address counts as the IPv4 one."""
    if not client:
        return tuple(network for network in networks if network.net is None)
    try:
        address = ip_address(client)
    except ValueError:
        return ()
    address = getattr(address, "ipv4_mapped", None) or address
    return tuple(network for network in networks if network.net is not None and address in network.net)


def one_author(content: Content) -> str:
    """Return the only author's address, canonical; empty unless the header names exactly one without doubt."""
    return content.authors[0].address if content.readable and len(content.authors) == 1 else ""


def _by_network(author: str, networks: Iterable[Network], directory: Directory) -> Identity | None:
    if not author:
        return None
    for network in networks:
        if domain_of(author) in network.speaks_for:
            return _network_identity(author, network.person, directory)
    return None


def _network_identity(author: str, rights: bool, directory: Directory) -> Identity:
    person = _person(author, directory)
    nodes = _nodes(person, directory) if person else frozenset[Node]()
    if person is not None and rights:
        return Identity(Strength.NETWORK, author, person, person.addresses, nodes, nodes, person.addresses)
    return Identity(Strength.NETWORK, author, None, (author,), frozenset(), nodes, (author,))


def _by_domain(
    author: str,
    envelope_sender: str,
    claims: tuple[str, ...],
    proofs: Proofs | None,
    trust: Trust,
    directory: Directory,
) -> Identity:
    """Return what proofs make of a sender whom nothing else proves, and what they may still come to."""
    known = proofs or Proofs()
    domain, path = domain_of(author), domain_of(envelope_sender)
    proven = _Proven(author, trust.dmarc_is_internal, known.signed, directory)
    if not author or domain not in known.dkim | known.spf:
        identity = _claimed(claims, directory)
    else:
        identity = proven.by(dkim=domain in known.dkim)
    could_be = None
    if author and domain not in known.dkim and (proofs is None or domain in known.dkim_doubt):
        could_be = proven.by(dkim=True)
    elif author and domain not in known.dkim | known.spf and domain in known.spf_doubt:
        could_be = proven.by(dkim=False)
    doubtful = bool(path) and (proofs is None or path in known.dkim_doubt | known.spf_doubt)
    shown = path in known.spf | known.dkim
    return replace(
        identity,
        path_proven=shown,
        path_doubtful=doubtful and not shown,
        could_be=could_be,
        unasked=proofs is None,
        because=known.because,
    )


@dataclass(frozen=True, slots=True)
class _Proven:
    """Who an author is once DKIM or SPF has proven the address."""

    author: str
    is_internal: bool
    signed: frozenset[str]
    directory: Directory

    def by(self, dkim: bool) -> Identity:
        """Return the identity, by DKIM or by SPF alone."""
        author, person = self.author, _person(self.author, self.directory)
        nodes = _nodes(person, self.directory) if person else frozenset[Node]()
        if dkim and person is not None and self.is_internal:
            known = Identity(Strength.DMARC, author, person, person.addresses, nodes, nodes, person.addresses)
            return replace(known, dkim=True, internal=True, signed=self.signed)
        known = Identity(Strength.DMARC, author, None, (author,), frozenset(), nodes, (author,), dkim)
        return replace(known, signed=self.signed if dkim else frozenset())


def _person(address: str, directory: Directory) -> Person | None:
    found = directory.find(address)
    return found if isinstance(found, Person) and not found.disabled else None


def _claimed(addresses: Iterable[str], directory: Directory) -> Identity:
    claims = tuple(dict.fromkeys(address for address in addresses if address))
    suspects: set[Node] = set()
    for address in claims:
        person = directory.find(address)
        if isinstance(person, Person):
            suspects |= _nodes(person, directory)
    return Identity(
        Strength.CLAIMED, claims[0] if claims else "", suspects=frozenset(suspects), claims=claims
    )
