"""A prover over the DNS server of the tests, and messages as evidence for it.

    with Court() as court:
        court.dns.txt("outside.example", "v=spf1 ip4:192.0.2.1 -all")
        proofs = court.prove(signer.craft(MESSAGE), sender="jean@outside.example")
        assert proofs.dkim == {"outside.example"}

Fails as `Dns` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.dns import Dns

from groupmilter.authentication.alignment import Alignment, alignment
from groupmilter.authentication.evidence import Evidence, parted
from groupmilter.authentication.identity import Connection, Proofs
from groupmilter.authentication.proof import Bounds, Prover, Relay
from groupmilter.authentication.resolver import Resolver, resolver
from groupmilter.mail.header import mailboxes

MESSAGE = (
    b"From: Jean <jean@outside.example>\r\nTo: staff@own.example\r\nSubject: Roof\r\n"
    b"Date: Thu, 26 Nov 2026 10:00:00 +0000\r\n\r\nIt leaks.\r\n"
)
SENDER = "jean@outside.example"
CLIENT = "192.0.2.1"
_PATIENCE = 150.0
"""Seconds: long, since machines are slow at times; a test that wants DNS to be too slow says less."""


def patience() -> float:
    """Until when a test lets DNS take its time."""
    return time.monotonic() + _PATIENCE


def evidence(
    message: bytes, *, sender: str = SENDER, client: str = CLIENT, helo: str = "mx.outside.example"
) -> Evidence:
    """A message as the collector hands it on: the author is who its one From field names alone."""
    fields, body = parted(message)
    froms = [value.decode("utf-8", "surrogateescape") for name, value in fields if name.lower() == b"from"]
    named = mailboxes(froms[0]) if len(froms) == 1 else None
    author = named[0] if named is not None and len(named) == 1 else ""
    return Evidence(Connection(client, helo=helo), sender, author, fields, lambda: body)


@dataclass(slots=True)
class Court:
    """The prover with its DNS server, as a context manager."""

    relays: tuple[Relay, ...] = ()
    bounds: Bounds = Bounds(seconds=_PATIENCE)
    timeout: float = _PATIENCE
    clock: Callable[[], float] = time.time
    dns: Dns = field(default_factory=Dns)
    alignment: Alignment = field(default_factory=alignment)

    def __enter__(self) -> Self:
        self.dns.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dns.__exit__(kind, error, trace)

    @property
    def resolver(self) -> Resolver:
        """A resolver without a memory of earlier questions."""
        return resolver([(self.dns.host, self.dns.port)], self.timeout)

    @property
    def prover(self) -> Prover:
        """A prover that has asked nothing yet."""
        return Prover(self.resolver, self.alignment, self.relays, self.bounds, self.clock)

    def prove(
        self, message: bytes, *, sender: str = SENDER, client: str = CLIENT, helo: str = "mx.outside.example"
    ) -> Proofs:
        """What is proven of a message."""
        return self.prover.prove(evidence(message, sender=sender, client=client, helo=helo))
