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
    partial, empty_lines, something = b"", 0, False
    for start in range(0, len(body), _PIECE):
        piece = partial + body[start : start + _PIECE].translate(_TABS)
        while b"  " in piece:
            piece = piece.replace(b"  ", b" ")
        piece = piece.replace(b" \r\n", b"\r\n")
        # Only what follows tells whether a blank ends a line, and whether an empty line is one of the last.
        partial = next((end for end in (b" \r", b"\r", b" ") if piece.endswith(end)), b"")
        piece = piece.removesuffix(partial)
        end = _end(piece)
        if end:
            _empty_lines(digest, empty_lines)
            digest.update(memoryview(piece)[:end])
            empty_lines, something = 0, True
        empty_lines += (len(piece) - end) // 2
    rest = partial.removesuffix(b" ")
    if rest:
        _empty_lines(digest, empty_lines)
    if rest or something:
        digest.update(rest + b"\r\n")
    return digest.digest()


def _empty_lines(digest: hashlib._Hash, count: int) -> None:
    """Add as many line ends, a megabyte at a time."""
    for start in range(0, count, _PIECE // 2 or 1):
        digest.update(b"\r\n" * min(_PIECE // 2 or 1, count - start))


def _end(octets: bytes) -> int:
    """Return where the run of CRLF begins with which octets end."""
    start = len(octets.rstrip(b"\r\n"))
    tail = octets[start:]
    if not tail.endswith(b"\r\n"):
        return len(octets)
    # Within the tail of CR and LF alone, pairs alternate from behind the last place where one comes twice.
    begin = max(tail.rfind(b"\r\r"), tail.rfind(b"\n\n")) + 1
    return start + begin + (tail[begin : begin + 1] == b"\n")
