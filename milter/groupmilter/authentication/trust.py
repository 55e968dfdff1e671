"""Whom the configuration trusts for what: networks, client certificates, realms of logins. Values; nothing fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from groupmilter.config.model import Rights, TrustedCertificate, TrustedNetwork
from groupmilter.mail.client import client_address
from groupmilter.policy.facts import Strength

_NO_DOMAINS: frozenset[str] = frozenset()


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
class Certificate:
    """A TLS client that is known: as somebody, or as a host that may speak for domains.

    :param subject, issuer: as the MTA names them, without regard to case; an empty issuer is any that the MTA trusts.
    :param login, address: who it is; both empty where it speaks for domains.
    :param person: see `Network`.
    """

    subject: str
    issuer: str = ""
    login: str = ""
    address: str = ""
    speaks_for: frozenset[str] = _NO_DOMAINS
    person: bool = False

    def names(self, subject: str, issuer: str) -> bool:
        """Tell whether this is a certificate of that subject and issuer."""
        same = subject.casefold() == self.subject.casefold()
        return same and (not self.issuer or issuer.casefold() == self.issuer.casefold())


@dataclass(frozen=True, slots=True)
class Voucher:
    """What speaks for an author whom it doesn't know itself.

    :param because: in a few English words, what it is.
    """

    strength: Strength
    speaks_for: frozenset[str]
    person: bool
    because: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the configuration trusts for what.

    :param certificates: the first that names the client's subject and issuer counts.
    :param login_realms: canonical domains behind a login that make no difference.
    :param own_domains: canonical domains where ``delimiters`` begin an address extension.
    """

    networks: tuple[Network, ...] = ()
    dmarc_is_internal: bool = False
    certificates: tuple[Certificate, ...] = ()
    login_realms: frozenset[str] = _NO_DOMAINS
    own_domains: frozenset[str] = _NO_DOMAINS
    delimiters: str = ""

    def certificate(self, subject: str, issuer: str) -> Certificate | None:
        """Return what the configuration says of a verified certificate."""
        if not subject:
            return None
        return next((one for one in self.certificates if one.names(subject, issuer)), None)

    def vouchers(self, client: str, certificate: Certificate | None) -> tuple[Voucher, ...]:
        """Return what may speak for an author, the strongest first."""
        found = [Voucher(Strength.NETWORK, n.speaks_for, n.person, _named(n)) for n in self._holding(client)]
        if certificate is not None and certificate.speaks_for:
            because = f"the client certificate {certificate.subject}"
            found.insert(
                0, Voucher(Strength.CERTIFICATE, certificate.speaks_for, certificate.person, because)
            )
        return tuple(found)

    def _holding(self, client: str) -> Iterable[Network]:
        """Return the networks that hold the client."""
        if not client:
            return (network for network in self.networks if network.net is None)
        address = client_address(client)
        if address is None:
            return ()
        return (network for network in self.networks if network.net is not None and address in network.net)


def _named(network: Network) -> str:
    return "local submission" if network.net is None else f"the network {network.net}"


def trusted_networks(entries: Iterable[TrustedNetwork]) -> tuple[Network, ...]:
    """Return networks as the configuration (or a case file) names them."""
    return tuple(Network(e.net, frozenset(e.speaks_for), e.rights is Rights.PERSON) for e in entries)


def trusted_certificates(entries: Iterable[TrustedCertificate]) -> tuple[Certificate, ...]:
    """Return certificates as the configuration (or a case file) names them."""
    return tuple(
        Certificate(
            entry.subject,
            entry.issuer or "",
            entry.login or "",
            entry.address or "",
            frozenset(entry.speaks_for),
            entry.rights is Rights.PERSON,
        )
        for entry in entries
    )
