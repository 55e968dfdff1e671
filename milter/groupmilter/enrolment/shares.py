"""How many letters an hour ask an address whether it was it who wrote. Pure; never raises.

Anybody can write under a forged address, so there is a bound to all of them, and a share of it to whoever may stand
behind many: the host that brought the mail, the group that is asked for, the domain that is written to. Source: RFC
4291 section 2.5.4 (a site has 64 bits of its IPv6 addresses to itself).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from groupmilter.mail.address import domain_of

Net = IPv4Network | IPv6Network

IN_ALL = 200
_OF_A_CLIENT = 20
_OF_A_GROUP = 50
_OF_A_DOMAIN = 50


@dataclass(frozen=True, slots=True)
class Asking:
    """One letter.

    :param address: which is asked. ``group``: the group's. ``client``: see `source`.
    """

    address: str
    group: str
    client: str


def withheld(sent: Sequence[Asking], wanted: Asking, per_address: int) -> str:
    """Return whose share a letter would exceed; nothing where it may be sent.

    :param sent: what was sent within the hour.
    :returns: ``address``, ``client``, ``group``, ``domain`` or ``all``.
    """
    domain = domain_of(wanted.address).lower()
    counts = (
        ("address", per_address, sum(one.address == wanted.address for one in sent)),
        ("client", _OF_A_CLIENT, sum(one.client == wanted.client for one in sent) if wanted.client else 0),
        ("group", _OF_A_GROUP, sum(one.group == wanted.group for one in sent)),
        ("domain", _OF_A_DOMAIN, sum(domain_of(one.address).lower() == domain for one in sent)),
        ("all", IN_ALL, len(sent)),
    )
    return next((name for name, most, count in counts if count >= most), "")


def source(client: str, relays: Collection[Net]) -> str:
    """Return who is behind an IP address: itself, of IPv6 its network; nothing where it brings in other people's mail.

    :param relays: networks of hosts in front of ours. A content filter speaks over loopback.
    """
    try:
        address = ip_address(client)
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or any(address in net for net in relays):
        return ""
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))
