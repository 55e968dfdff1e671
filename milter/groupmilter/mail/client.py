"""The address of a connecting client, as MTAs tell it to milters. Pure; never fails."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address


def client_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return a client's address; None for local submission, and for what is no IP address.

    A zone (RFC 4007 section 11) is left away; an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 one.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
