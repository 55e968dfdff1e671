"""From what a connection and a header prove to one identity (specification 2.1).

The first proof that holds decides, strongest first; a bare MAIL FROM or From proves nothing and may only ever be
held against the sender. Raises `DirectoryUnknown` where the snapshot can't tell whose an address is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from groupmilter.authentication.ownership import owner_of, owns
from groupmilter.authentication.trust import Certificate, Trust, Voucher
from groupmilter.groups.directory import Directory
from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.login import login_name
from groupmilter.groups.person import Node, Person
from groupmilter.mail.address import canonical, domain_of
from groupmilter.policy.facts import Content, Identity, Strength


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


_VOUCHING = (Strength.NETWORK, Strength.CERTIFICATE)


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
    certificate = trust.certificate(connection.certificate, connection.issuer)
    known = _by_name(connection, certificate, trust, directory)
    if known is not None:
        return replace(known, path_proven=owns(known, envelope_sender, trust, directory))
    vouchers = trust.vouchers(connection.client, certificate)
    if content is None:
        claimed = _claimed((envelope_sender,), trust, directory)
        return replace(claimed, may_become=vouchers[0].strength if vouchers else Strength.DMARC)
    author = one_author(content)
    vouched = _vouched(author, content, vouchers, trust, directory)
    if vouched is not None:
        spoken_for = frozenset[str]().union(*(voucher.speaks_for for voucher in vouchers))
        return replace(vouched, path_proven=domain_of(envelope_sender) in spoken_for)
    claims = (envelope_sender, *(a.address for a in content.authors))
    return _by_domain(author, envelope_sender, claims, proofs, trust, directory)


def _by_name(
    connection: Connection, certificate: Certificate | None, trust: Trust, directory: Directory
) -> Identity | None:
    """Return who has proven a name of his own: by a login, or by a certificate that is somebody's."""
    if connection.login:
        person = person_by_login(connection.login, trust, directory)
        return _named(Strength.LOGIN, connection.login, person, trust, directory)
    if certificate is None or not (certificate.login or certificate.address):
        return None
    name = certificate.login or certificate.address
    if certificate.login:
        person = person_by_login(name, trust, directory)
    else:
        person = _entry(canonical(name, trust.own_domains) or name, directory)
    known = _named(Strength.CERTIFICATE, name, person, trust, directory)
    return replace(known, because=f"the client certificate {certificate.subject}")


def person_by_login(login: str, trust: Trust, directory: Directory) -> Person | None:
    """Return the person who logs in under a name; None for nobody, or more than one.

    Where a realm was left away that makes no difference, the whole name may be nobody else's address.
    """
    name = login_name(login, trust.login_realms)
    person = directory.person_by_login(name)
    if person is None or name == login.strip().casefold():
        return person
    owner = directory.find(canonical(login, trust.own_domains) or login)
    return person if owner is None or owner.node == person.node else None


def _entry(address: str, directory: Directory) -> Person | None:
    found = directory.find(address)
    return found if isinstance(found, Person) else None


def _named(
    strength: Strength, name: str, person: Person | None, trust: Trust, directory: Directory
) -> Identity:
    if person is None:
        return Identity(strength, name, claims=_addresses_of(name, trust))
    nodes = _nodes(person, directory)
    if person.disabled:
        # A login may outlive the lock: it has no rights then, but what it is denied stays denied.
        return Identity(strength, name, suspects=nodes, claims=person.addresses)
    return Identity(strength, name, person, person.addresses, nodes, nodes, person.addresses)


def _addresses_of(login: str, trust: Trust) -> tuple[str, ...]:
    """Return the addresses that a login which is nobody's may bear: a denial of them hits it."""
    address = canonical(login, trust.own_domains)
    if address:
        return (address,)
    mailboxes = (canonical(f"{login}@{domain}", trust.own_domains) for domain in sorted(trust.own_domains))
    return tuple(mailbox for mailbox in mailboxes if mailbox)


def restored(
    strength: Strength,
    person: Person | None,
    content: Content,
    envelope_sender: str,
    trust: Trust,
    directory: Directory,
) -> Identity:
    """Return who had sent a message that was held, from what its ticket says and from its header.

    The ticket doesn't say whether a return path was proven by SPF or DKIM: then it isn't taken for proven. Of what
    speaks for domains it is where its domain is the author's.

    :param person: whom the ticket names, if anybody.
    :raises DirectoryUnknown: where the directory can't be asked.
    """
    known = _restored(strength, person, content, envelope_sender, trust, directory)
    spoken_for = {domain_of(author.address) for author in content.authors}
    vouched = strength in _VOUCHING and known.person is None and domain_of(envelope_sender) in spoken_for
    own = strength >= Strength.NETWORK and owns(known, envelope_sender, trust, directory)
    return replace(known, path_proven=vouched or own)


def _restored(
    strength: Strength,
    person: Person | None,
    content: Content,
    envelope_sender: str,
    trust: Trust,
    directory: Directory,
) -> Identity:
    if person is not None and not person.disabled:
        nodes = _nodes(person, directory)
        known = Identity(strength, person.address, person, person.addresses, nodes, nodes, person.addresses)
        by_signature = strength is Strength.DMARC
        return replace(known, dkim=by_signature, internal=by_signature)
    author = one_author(content)
    if strength is Strength.CLAIMED:
        return _claimed((envelope_sender, *(a.address for a in content.authors)), trust, directory)
    if strength in _VOUCHING and author:
        return _spoken_for(author, strength, rights=False, trust=trust, directory=directory)
    addresses = (author,) if author and strength is Strength.DMARC else ()
    return Identity(strength, author, None, addresses, claims=(author,) if author else ())


def _nodes(person: Person, directory: Directory) -> Nodes:
    return directory.containing(person.node) | {person.node}


def one_author(content: Content) -> str:
    """Return the only author's address, canonical; empty unless the header names exactly one without doubt."""
    return content.authors[0].address if content.readable and len(content.authors) == 1 else ""


def _vouched(
    author: str, content: Content, vouchers: Iterable[Voucher], trust: Trust, directory: Directory
) -> Identity | None:
    if not author:
        return None
    for voucher in vouchers:
        if domain_of(author) in voucher.speaks_for:
            writer = _writer(author, content, voucher)
            known = _spoken_for(writer, voucher.strength, voucher.person, trust, directory)
            return replace(known, because=voucher.because)
    return None


def _writer(author: str, content: Content, voucher: Voucher) -> str:
    """Return whose rights count: with a group in From, where persons have rights, those of the one in Sender."""
    by_sender = voucher.person and isinstance(content.authors[0].owner, Group)
    return content.sender if by_sender and domain_of(content.sender) in voucher.speaks_for else author


def _spoken_for(
    author: str, strength: Strength, rights: bool, trust: Trust, directory: Directory
) -> Identity:
    person = _person(author, trust, directory)
    nodes = _nodes(person, directory) if person else frozenset[Node]()
    if person is not None and rights:
        return Identity(strength, author, person, person.addresses, nodes, nodes, person.addresses)
    claims = person.addresses if person is not None and author not in person.addresses else ()
    return Identity(strength, author, None, (author,), frozenset(), nodes, (author, *claims))


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
    proven = _Proven(author, trust, known.signed, directory)
    if not author or domain not in known.dkim | known.spf:
        identity = _claimed(claims, trust, directory)
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
    trust: Trust
    signed: frozenset[str]
    directory: Directory

    def by(self, dkim: bool) -> Identity:
        """Return the identity, by DKIM or by SPF alone."""
        author, person = self.author, _person(self.author, self.trust, self.directory)
        nodes = _nodes(person, self.directory) if person else frozenset[Node]()
        if dkim and person is not None and self.trust.dmarc_is_internal:
            known = Identity(Strength.DMARC, author, person, person.addresses, nodes, nodes, person.addresses)
            return replace(known, dkim=True, internal=True, signed=self.signed)
        known = Identity(Strength.DMARC, author, None, (author,), frozenset(), nodes, (author,), dkim)
        return replace(known, signed=self.signed if dkim else frozenset())


def _person(address: str, trust: Trust, directory: Directory) -> Person | None:
    found = owner_of(address, trust, directory)
    return found if isinstance(found, Person) and not found.disabled else None


def _claimed(addresses: Iterable[str], trust: Trust, directory: Directory) -> Identity:
    claims = tuple(dict.fromkeys(address for address in addresses if address))
    suspects: set[Node] = set()
    for address in claims:
        person = owner_of(address, trust, directory)
        if isinstance(person, Person):
            suspects |= _nodes(person, directory)
    return Identity(
        Strength.CLAIMED, claims[0] if claims else "", suspects=frozenset(suspects), claims=claims
    )
