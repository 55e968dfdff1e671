"""Who is asking, as far as HTTP tells: the client's address, and whether a form was sent from our own page.

Nothing here fails; what can't be read counts as not given.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

Networks = tuple[IPv4Network | IPv6Network, ...]

_OURS = ("same-origin", "none")


@dataclass(frozen=True, slots=True)
class Clients:
    """How requests reach us.

    :param proxies: whose ``X-Forwarded-For`` is believed; nobody's where empty.
    :param host: name (and port) of the panel's public URL, which may differ from what a proxy asks us for; or empty.
    """

    proxies: Networks = ()
    host: str = ""

    def address(self, request: Request) -> str:
        """Return the client's address: the last one of the chain that isn't a trusted proxy's."""
        peer = request.client.host if request.client else ""
        chain = ",".join(request.headers.getlist("x-forwarded-for"))[-1000:].split(",")
        hops = [hop.strip() for hop in chain if hop.strip()]
        while hops and self._trusted(peer):
            peer = hops.pop()
        return peer if _is_address(peer) else ""

    def _trusted(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self.proxies)

    def same_origin(self, request: Request) -> bool:
        """Tell whether a form may come from our own page (it does not, where a browser says another's).

        ``Origin: null`` is what browsers send from a page with our referrer policy, so it says nothing.
        """
        if request.headers.get("sec-fetch-site", "same-origin") not in _OURS:
            return False
        origin = request.headers.get("origin", "null")
        if origin == "null":
            return True
        try:
            host = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return host in {request.headers.get("host", "").lower(), self.host.lower()} - {""}


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
