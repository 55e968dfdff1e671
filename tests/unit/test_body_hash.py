"""The body's hash: like the library's for every body, with little memory and time for the worst ones."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.authentication import body
from groupmilter.authentication.body import body_hash

PIECES = st.lists(st.sampled_from([b"a", b"b", b" ", b"\t", b"\r\n", b"\r", b"\n", b"\r\n\r\n"]), max_size=30)


@pytest.mark.parametrize("piece", [1, 2, 3, 2**20])
def test_as_the_library_hashes_it(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(body, "_PIECE", piece)

    @given(PIECES)
    def compare(pieces: list[bytes]) -> None:
        octets = b"".join(pieces)
        assert body_hash(octets, relaxed=False) == hashlib.sha256(Simple.canonicalize_body(octets)).digest()
        # White space at the very end, without a line end, is something that no MTA ever hands on.
        whole = octets.rstrip(b" \t")
        assert body_hash(whole, relaxed=True) == hashlib.sha256(Relaxed.canonicalize_body(whole)).digest()

    compare()


@pytest.mark.parametrize("unit", [b" ", b"\r\n", b"a \t", b" \r\n", b"\r", b"ab\r\n"])
def test_a_large_body_takes_little_memory(unit: bytes) -> None:
    octets = unit * (8_000_000 // len(unit))
    tracemalloc.start()
    for relaxed in (False, True):
        body_hash(octets, relaxed=relaxed)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5 * len(octets)
