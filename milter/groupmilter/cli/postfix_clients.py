"""Whom Postfix lets speak for others beside us: content filters, proxies, networks. Pure: settings in, advice out.

What comes back from a filter comes from loopback and has lost its log-in; it must never have more rights than its
sender. Sources: postconf(5), MILTER_README, FILTER_README, SMTPD_PROXY_README, XCLIENT_README, and trials with 3.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from groupmilter.cli.advice import Advice, Level
from groupmilter.cli.postfix_wanted import addresses, milters, split

if TYPE_CHECKING:
    from groupmilter.cli.postfix_installed import Installed
    from groupmilter.config.model import Site

_AREA = "postfix"
_BRACKETED = re.compile(r"\[([^\]]+)\](/\d+)?")
_WIDE = {4: 8, 6: 16}
"""Bits of a prefix that is shorter than any one organisation's."""

Network = IPv4Network | IPv6Network


def advise_clients(site: Site, postfix: Installed) -> Iterator[Advice]:
    """Yield who could come with rights that are not his."""
    yield from _returning(site, postfix)
    yield from _before_queue(postfix)
    yield from _loopback(site, postfix)
    yield from _speaking_for_others(site, postfix)
    yield from _networks(site, postfix)
    yield from _certificates(site, postfix)


def _bad(subject: str, text: str, fix: str = "") -> Advice:
    return Advice(Level.ERROR, _AREA, subject, text, fix)


def _warn(subject: str, text: str, fix: str = "") -> Advice:
    return Advice(Level.WARNING, _AREA, subject, text, fix)


def _returning(site: Site, postfix: Installed) -> Iterator[Advice]:
    """Look at each listener by which a content filter brings mail back: it was judged when it came."""
    ours = addresses(site.listen, postfix.main["queue_directory"])
    for service in filter(postfix.is_return_path, postfix.services):
        label = f"master.cf {service.name}"
        overrides = split(postfix.effective(service, "receive_override_options"))
        listed = milters(postfix.effective(service, "smtpd_milters"))
        if "no_milters" not in overrides and not ours.isdisjoint(listed):
            text = (
                "what a content filter brings back here meets groupmilter a second time, as mail from loopback:"
                " it refuses the addresses of held mail, which then bounces."
            )
            yield _bad(label, text, "    -o receive_override_options=no_milters")
        elif "no_address_mappings" in overrides:
            text = (
                "no_milters and no_address_mappings together: nothing catches groups' mail of this host here."
            )
            yield _warn(label, text, "    -o receive_override_options=no_milters")
        else:
            text = "a content filter's way back, without milters: mail to a group from elsewhere waits unprocessed."
            yield Advice(Level.OK, _AREA, label, text)


def _before_queue(postfix: Installed) -> Iterator[Advice]:
    for place, value, _ in postfix.places("smtpd_proxy_filter"):
        if value:
            text = (
                f"smtpd_proxy_filter={value}: Postfix shows milters neither header nor body there and lets them"
                " change nothing, so no group is expanded. Filter by milter, or after the queue (content_filter)."
            )
            yield _bad(place, text)


def _loopback(site: Site, postfix: Installed) -> Iterator[Advice]:
    """Name a trusted network that holds loopback: whatever filter or web form sends from there would be believed."""
    named = [entry.net for entry in site.networks if entry.net is not None and _holds_loopback(entry.net)]
    if not named:
        return
    nets = " and ".join(map(str, named))
    filtered = postfix.filtered or any(value for _, value, _ in postfix.places("smtpd_proxy_filter"))
    text = f"{nets} is loopback: every program and web form of this host is believed there."
    fix = "networks: [{net: local, ...}]   (for what sendmail(1) submits)"
    if filtered:
        text = f"{text} So is mail from outside that a content filter brings back: it becomes an insider's."
        yield _bad("networks", text, fix)
    else:
        yield _warn("networks", text, fix)


def _holds_loopback(net: Network) -> bool:
    loopback: Network = ip_network("127.0.0.0/8" if net.version == 4 else "::1/128")
    return net.overlaps(loopback)


def _speaking_for_others(site: Site, postfix: Installed) -> Iterator[Advice]:
    for place, value, _ in postfix.places("smtpd_authorized_xclient_hosts"):
        if value:
            found, tables = networks_of(value)
            abroad = tables or any(not net.is_loopback for net in found)
            text = f"clients of {value} may claim any address by XCLIENT, and any log-in."
            yield (_bad if abroad else _warn)(place, text)
    for service in postfix.listeners:
        spoken = postfix.effective(service, "smtpd_upstream_proxy_protocol")
        if spoken and site.networks and not service.on_loopback:
            text = (
                f"smtpd_upstream_proxy_protocol={spoken}: whoever reaches this port names his own address, and"
                " networks goes by that. Only the proxy may reach it."
            )
            yield _warn(f"master.cf {service.name}", text)


def _networks(site: Site, postfix: Installed) -> Iterator[Advice]:
    trusted = [entry.net for entry in site.networks if entry.net is not None]
    for net in trusted:
        if net.prefixlen < _WIDE[net.version]:
            yield _bad("networks", f"{net} is not one organisation: whoever writes from there is believed.")
    found, _ = networks_of(postfix.main.get("mynetworks", ""))
    wide = [str(net) for net in found if net.prefixlen < _WIDE[net.version] and not net.is_loopback]
    if wide:
        text = f"{', '.join(wide)} is not one organisation: whoever writes from there may relay without a log-in."
        yield _bad("mynetworks", text)
    unknown = [net for net in found if _others(net) and str(net) not in wide and not _within(net, trusted)]
    if unknown:
        text = (
            f"{', '.join(map(str, unknown))} may relay without a log-in, and is a stranger to groups: no network"
            " of networks holds it. Let people log in, and name what can't in both."
        )
        fix = f"networks: [{{net: {unknown[0]}, speaks_for: [...]}}]   (or mynetworks without it)"
        yield _warn("mynetworks", text, fix)


def _others(net: Network) -> bool:
    """Tell whether a network holds more than this host: its own addresses and link-local ones are no others."""
    return net.num_addresses > 1 and not net.is_loopback and not net.is_link_local


def _within(net: Network, wider: list[Network]) -> bool:
    for one in wider:
        if isinstance(net, IPv4Network) and isinstance(one, IPv4Network) and net.subnet_of(one):
            return True
        if isinstance(net, IPv6Network) and isinstance(one, IPv6Network) and net.subnet_of(one):
            return True
    return False


def networks_of(value: str) -> tuple[list[Network], list[str]]:
    """Return the networks of a list such as mynetworks, and what else it names: tables, files, host names."""
    found: list[Network] = []
    tables: list[str] = []
    for item in split(value):
        bracketed = _BRACKETED.fullmatch(item)
        text = "".join(part or "" for part in bracketed.groups()) if bracketed else item
        try:
            found.append(ip_network(text, strict=False))
        except ValueError:
            tables += [] if item.startswith("!") else [item]
    return found, tables


def _certificates(site: Site, postfix: Installed) -> Iterator[Advice]:
    """Tell whether clients are asked for the certificates that they are to be known by, and who signs those."""
    if not site.certificates:
        return
    asking = ("smtpd_tls_ask_ccert", "smtpd_tls_req_ccert")
    if not any(postfix.effective(one, name) == "yes" for one in postfix.listeners for name in asking):
        text = "certificates names clients, but no listener asks a client for one: nobody is known by his."
        yield _warn("smtpd_tls_ask_ccert", text, "smtpd_tls_ask_ccert = yes")
    if any(not one.issuer for one in site.certificates) and _any_authority(postfix):
        text = (
            "certificates are believed from any authority of this host's list (tls_append_default_CA, or"
            " smtpd_tls_CApath): name the issuer of each, or trust an authority of your own alone."
        )
        yield _warn("certificates", text, "smtpd_tls_CAfile = /etc/postfix/our-authority.pem")


def _any_authority(postfix: Installed) -> bool:
    """Tell whether Postfix takes the certificates of authorities that are everybody's (TLS_README)."""
    return postfix.main.get("tls_append_default_CA") == "yes" or any(
        postfix.main.get(name, "").startswith(("/etc/ssl/certs", "/usr/share/ca-certificates"))
        for name in ("smtpd_tls_CApath", "smtpd_tls_CAfile")
    )
