"""How a message is known when it comes again, and whether its sender may only have tried again. Pure values.

Where a client never heard our answer, or a mail server failed after it, an honest sender sends the same message again.
Therefore what was deferred or refused is never remembered, and what comes again from where the first copy came is at
worst held.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_network

from groupmilter.mail.client import client_address

_HOSTS = {4: 24, 6: 64}
"""Bits of an address by which neighbours are told: large senders try again from another of theirs."""


class Seen(Enum):
    """How a message is known to a group: perhaps only as its sender's second try."""

    RETRY = "retry"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One message at some groups.

    :param groups: UUIDs of the groups that were written to.
    :param fingerprints: digests, by each of which it is known again.
    :param origin: a digest of where it came from: the client's network and the envelope sender.
    :param window: seconds for which it is remembered.
    """

    groups: tuple[str, ...]
    fingerprints: tuple[bytes, ...]
    origin: str
    window: int


def origin(client: str, envelope_sender: str) -> str:
    """Return where a message came from, as one word.

    :param client: IP address; empty for local submission.
    """
    address = client_address(client)
    place = str(ip_network((address, _HOSTS[address.version]), strict=False)) if address else client
    return hashlib.sha256(f"{place}\0{envelope_sender}".encode(errors="replace")).hexdigest()[:32]
