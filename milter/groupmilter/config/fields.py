"""The kinds of values that options take, each with the sentence for a bad one.

Durations are written ``30s``, ``10m``, ``24h``, ``7d`` and become seconds; sizes are written ``500KB``,
``10MB`` (thousands), ``10MiB`` (1,024s) or plain octets. A bare number is refused as a duration: of what unit
would it be?
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from groupmilter.mail import address

_DURATION = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SIZE = re.compile(r"([1-9][0-9]{0,12}) ?(B|KB|MB|GB|KiB|MiB|GiB)?")
_OCTETS = {None: 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_GLOB = re.compile(r"[^\s\[\]]+")

Network = IPv4Network | IPv6Network


def _duration(value: object) -> int:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("wants a duration such as 30s, 10m, 24h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def size_in_octets(value: object) -> int:
    """Return a size such as ``10MB`` in octets; ValueError with what is wanted."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("wants a size such as 500KB, 10MB, 10MiB or a number of octets")
    return int(found[1]) * _OCTETS[found[2]]


def _hours(value: object) -> int:
    seconds = _duration(value)
    if seconds % 3600:
        raise ValueError("wants whole hours or days, such as 72h or 3d")
    return seconds // 3600


def _hours_or_never(value: object) -> int:
    return 0 if value == "0h" else _hours(value)


def _listing(value: object) -> object:
    """One value is a list of one; a list becomes a tuple."""
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple | dict) or value is None else (value,)


def _file(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError("wants the path of a file")
    folder = info.context.get("folder", Path()) if isinstance(info.context, dict) else Path()
    return Path(folder) / value


def _domain(value: object) -> str:
    host = address.canonical_domain(value) if isinstance(value, str) else None
    if host is None or "." not in host:
        raise ValueError("wants a domain such as example.org")
    return host


def _mailbox(value: object) -> str:
    mailbox = address.canonical(value) if isinstance(value, str) else None
    if mailbox is None:
        raise ValueError("wants an address such as jean@example.org")
    return mailbox


def _place(value: object) -> Network | None:
    """Read a network, or ``local`` for local submission, which has no client address."""
    return None if value == "local" else _network(value)


def _network(value: object) -> Network:
    try:
        if not isinstance(value, str):
            raise TypeError
        return ip_network(value)
    except (ValueError, TypeError) as error:
        raise ValueError(
            "wants an address or network such as 192.0.2.7, 10.1.0.0/16 or 2001:db8::/32"
        ) from error


def _glob(value: object) -> str:
    if not isinstance(value, str) or not _GLOB.fullmatch(value):
        raise ValueError("wants a pattern of letters, * and ?, without blanks or [ ]")
    return value.casefold()


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(
            "wants text" if not isinstance(value, int | float) else "wants text; put it in quotes"
        )
    if any(not character.isprintable() for character in value):
        raise ValueError("wants one line of printable text")
    return value


def _later(value: object) -> None:
    if value is not None:
        raise ValueError("not yet available in this version")


def host_and_port(text: str) -> tuple[str, int]:
    """Read ``host:port`` or ``[2001:db8::1]:port``.

    :raises ValueError: where it is none.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65_536:
        raise ValueError("wants host:port, with a port from 1 to 65535")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Tell whether a host as configured is this machine's loopback, without asking DNS."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Later = Annotated[None, BeforeValidator(_later)]
Seconds = Annotated[int, BeforeValidator(_duration)]
Hours = Annotated[int, BeforeValidator(_hours)]
HoursOrNever = Annotated[int, BeforeValidator(_hours_or_never)]
Octets = Annotated[int, BeforeValidator(size_in_octets)]
FilePath = Annotated[Path, BeforeValidator(_file)]
Domain = Annotated[str, BeforeValidator(_domain)]
Net = Annotated[Network, BeforeValidator(_network)]
Place = Annotated[Network | None, BeforeValidator(_place)]
Mailbox = Annotated[str, BeforeValidator(_mailbox)]
Glob = Annotated[str, BeforeValidator(_glob)]
Line = Annotated[str, BeforeValidator(_text)]
Files = Annotated[tuple[FilePath, ...], BeforeValidator(_listing)]
Domains = Annotated[tuple[Domain, ...], BeforeValidator(_listing)]
Globs = Annotated[tuple[Glob, ...], BeforeValidator(_listing)]
Lines = Annotated[tuple[Line, ...], BeforeValidator(_listing)]
Listing = BeforeValidator(_listing)
