"""What ``check`` says about DNS: whether it answers, and which hosts mail from outside comes through.

Both matter for proofs from outside alone. Fails for nothing: what DNS can't tell is what it says.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from groupmilter.cli.advice import Advice, Level

if TYPE_CHECKING:
    from groupmilter.authentication.resolver import Resolver
    from groupmilter.config.model import Site
    from groupmilter.config.reload import Configuration

_PATIENCE = 15.0
"""Seconds for all questions together."""


def dns(configuration: Configuration) -> Iterator[Advice]:
    """Yield whether the DNS servers answer, and hints at relays that should be named."""
    from groupmilter.authentication.resolver import DnsUnknown, resolver

    site = configuration.site
    asked = site.authentication
    until = time.monotonic() + _PATIENCE
    domains = sorted(configuration.settings.own_domains)
    for domain in domains[:1] or [site.service.domain]:
        for server in asked.servers or (None,):
            try:
                resolver((server,) if server else (), float(asked.timeout)).ask(domain, "MX", until)
            except DnsUnknown as error:
                yield _silent(server, str(error))
            else:
                yield Advice(Level.OK, "dns", _named(server), "answers.")
    whole = resolver(asked.servers, float(asked.timeout))
    for domain in domains:
        try:
            yield from _relays(domain, site, whole, until)
        except DnsUnknown:
            # Said above already, or by the next message that needs an answer.
            return


def _silent(server: tuple[str, int] | None, why: str) -> Advice:
    text = f"does not answer ({why}): outsiders whose proof is needed are deferred, 451 4.4.3, as long as that lasts."
    return Advice(Level.WARNING, "dns", _named(server), text, "authentication: {servers: [192.0.2.53]}")


def _named(server: tuple[str, int] | None) -> str:
    return f"{server[0]} port {server[1]}" if server else "/etc/resolv.conf"


def _relays(domain: str, site: Site, asked: Resolver, until: float) -> Iterator[Advice]:
    """Yield who takes mail for a domain, and is neither this host nor a relay that is trusted."""
    from ipaddress import ip_address

    for _, host in sorted(record for record in asked.ask(domain, "MX", until) if isinstance(record, tuple)):
        addresses = [*asked.ask(host, "A", until), *asked.ask(host, "AAAA", until)]
        strange = [
            str(address)
            for address in addresses
            if not _ours(str(address))
            and not any(ip_address(str(address)) in relay.net for relay in site.trusted_relays)
        ]
        if strange:
            text = (
                f"{host} takes mail for {domain} and is no trusted relay. If it is another host of yours, whatever"
                " it hands on here may pass as proven by SPF."
            )
            fix = f"trusted_relays: [{{net: {strange[0]}, authserv_id: {host}}}]"
            yield Advice(Level.HINT, "dns", ", ".join(strange), text, fix)


def _ours(address: str) -> bool:
    """Tell whether an address is this host's: only then may a socket be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
