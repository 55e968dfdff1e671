"""Pure. The hash of a message's body as DKIM signs it (RFC 6376 section 3.4), of a large one with little memory.

The library's own canonicalisation takes the body apart into millions of pieces where somebody wants it to. Here each
step is a pass in C over a megabyte. Never fails.
"""

from __future__ import annotations

import hashlib

_PIECE = 2**20
_TABS = bytes.maketrans(b"\t", b" ")


def body_hash(body: bytes, *, relaxed: bool) -> bytes:
    """Return the SHA-256 of a body in canonical form.

    :param body: its octets with CRLF line ends.
    """
    return _relaxed(body) if relaxed else _simple(body)


def _simple(body: bytes) -> bytes:
    """Empty lines at the end don't count, and there is always a last line end (section 3.4.3)."""
    digest = hashlib.sha256(memoryview(body)[: _end(body)])
    digest.update(b"\r\n")
    return digest.digest()


def _relaxed(body: bytes) -> bytes:
    """Nor does white space at the ends of lines, and a run of it elsewhere is one space (section 3.4.4)."""
    digest = hashlib.sha256()
    pending, empty = b"", True
    for start in range(0, len(body), _PIECE):
        piece = pending + body[start : start + _PIECE].translate(_TABS)
        while b"  " in piece:
            piece = piece.replace(b"  ", b" ")
        piece = piece.replace(b" \r\n", b"\r\n")
        kept = piece.rstrip(b" \r\n")
        # Only what follows tells whether white space ends a line, and whether a line end ends the body.
        pending = piece[len(kept) :]
        digest.update(kept)
        empty = empty and not kept
    pending = pending.removesuffix(b" ")
    rest = pending[: _end(pending)]
    if rest or not empty:
        digest.update(rest + b"\r\n")
    return digest.digest()


def _end(octets: bytes) -> int:
    """Return where the run of CRLF begins with which octets end."""
    start = len(octets.rstrip(b"\r\n"))
    tail = octets[start:]
    if not tail.endswith(b"\r\n"):
        return len(octets)
    # Within the tail of CR and LF alone, pairs alternate from behind the last place where one comes twice.
    begin = max(tail.rfind(b"\r\r"), tail.rfind(b"\n\n")) + 1
    return start + begin + (tail[begin : begin + 1] == b"\n")
