"""Messages made to keep the prover busy: verdict within 5 s of CPU and 200 MB (case 38 of the fault list)."""

from __future__ import annotations

import time
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network

import pytest
from tests.support.proving import MESSAGE, Court, evidence
from tests.support.signing import Signer

from groupmilter.authentication.body import body_hash
from groupmilter.authentication.proof import Relay

LARGEST = 25_000_000


@contextmanager
def bounded() -> Iterator[None]:
    """Fail where what is inside takes more CPU time or memory than a message may."""
    tracemalloc.start()
    began = time.process_time()
    yield
    seconds, (_, most) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000_000, "beside a process of 40 MB, with room to spare"
    assert seconds < 5


@pytest.fixture
def court() -> Iterator[Court]:
    with Court() as running:
        yield running


@pytest.mark.parametrize("unit", [b"a", b" ", b"\t ", b"\r\n", b" \r\n", b"a\r\n", b"a b\t", b"\r"])
def test_large_bodies(court: Court, unit: bytes) -> None:
    signer = Signer()
    signer.publish(court.dns)
    forms = ("relaxed/relaxed", "simple/simple", "relaxed", "simple/relaxed")
    message = MESSAGE
    for form in forms * 2:
        message = signer.craft(message, {"c": form})
    whole = replace(evidence(message), body=lambda: unit * (LARGEST // len(unit)))
    with bounded():
        assert not court.prover.prove(whole).dkim


def test_long_headers(court: Court) -> None:
    signer = Signer()
    signer.publish(court.dns)
    names = [f"x-{number}" for number in range(900)]
    message = b"".join(f"{name}: {'y ' * 120}\r\n".encode() for name in names) + MESSAGE
    for start in range(8):
        message = signer.craft(message, {"h": ":".join(["from", *names[start : start + 149]])})
    spoilt = message.replace(b"From: Jean", b"From: Joan")
    with bounded():
        assert not court.prove(spoilt).dkim


def test_white_space_where_the_library_looks_for_tags(court: Court) -> None:
    signer = Signer()
    signer.publish(court.dns)
    right = b64encode(body_hash(b"It leaks.\r\n", relaxed=True))
    bombs = b"".join(
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=outside.example; s=test; h=from%s;"
        b" bh=%s; n= b=%s; b=AAAA\r\n" % (b":" + b"\r\n " * 400, right, b"a\r\n " * 400)
        for _ in range(60)
    )
    with bounded():
        assert not court.prove(bombs + MESSAGE).dkim


def test_results_of_a_relay(court: Court) -> None:
    court.relays = (Relay(ip_network("192.0.2.1"), "mx.own.example"),)
    pieces = (
        b"()" * 3_900,
        b"; a=b" * 60,
        b"; dkim=pass" + b" header.x=y" * 650,
        b"; x=" + b"(" * 7_000,
        b" " * 8_000,
    )
    fields = b"".join(b"Authentication-Results: mx.own.example" + piece + b"\r\n" for piece in pieces * 8)
    with bounded():
        assert not court.prove(fields + MESSAGE).dkim
    court.relays = (Relay(ip_network("203.0.113.1"), "mx.own.example"),)
    with bounded():
        found = court.prover.forged(evidence(MESSAGE).connection, evidence(fields + MESSAGE).fields)
    assert found == tuple(range(40, 0, -1))
