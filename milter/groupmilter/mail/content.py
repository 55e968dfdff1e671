"""The digest of a message's content, the same at the milter and at the desk.

A milter sees the header field by field, without the line ends as they were, and the body in chunks; the desk sees a
file with line feeds. So what is digested is what both can see: each field as its lower-case name and its value
without any white space, then the body with line feeds for CRLF and without line ends at its very end. Nothing that a
person could read differs between two messages of one digest. Source: libmilter's xxfi_header and xxfi_body pages.
"""

from __future__ import annotations

import hashlib

_WHITE = b" \t\r\n"


class ContentDigest:
    """Takes a message in order: all fields first, then the body in chunks of any size."""

    __slots__ = ("_carriage_return", "_hash", "_in_body", "_line_ends")

    def __init__(self) -> None:
        """Begin with nothing taken."""
        self._hash = hashlib.sha256()
        self._in_body = False
        self._line_ends = 0
        self._carriage_return = False

    def field(self, name: bytes, value: bytes) -> None:
        """Take one header field, folded or not; up to a NUL, where the milter protocol ends a string."""
        seen = value.partition(b"\0")[0].translate(None, _WHITE)
        self._hash.update(name.strip(_WHITE).lower() + b":" + seen + b"\n")

    def body(self, chunk: bytes) -> None:
        """Take a part of the body; a chunk may end anywhere, between CR and LF too."""
        self._begin_body()
        if self._carriage_return:
            chunk = b"\r" + chunk
        self._carriage_return = chunk.endswith(b"\r")
        if self._carriage_return:
            chunk = chunk[:-1]
        chunk = chunk.replace(b"\r\n", b"\n")
        kept = chunk.rstrip(b"\n")
        if kept:
            self._hash.update(b"\n" * self._line_ends + kept)
            self._line_ends = 0
        self._line_ends += len(chunk) - len(kept)

    def digest(self) -> bytes:
        """Return the 32 octets of the digest of what was taken."""
        self._begin_body()
        whole = self._hash.copy()
        if self._carriage_return:
            whole.update(b"\n" * self._line_ends + b"\r")
        return whole.digest()

    def _begin_body(self) -> None:
        if not self._in_body:
            self._in_body = True
            self._hash.update(b"\n")


def content_digest(content: bytes) -> bytes:
    """Return the digest (32 octets) of a whole message as a file of the MTA has it: a line ends with LF.

    A CR before it belongs to the line: over the wire it is followed by CRLF.
    """
    taking = ContentDigest()
    fields, body = parted(content)
    for name, value in fields:
        taking.field(name, value)
    taking.body(body.replace(b"\n", b"\r\n"))
    return taking.digest()


def parted(content: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the header fields of a message (name and value, folded as they were) and its body.

    What is no field begins the body, as it does for Postfix.
    """
    fields: list[tuple[bytes, bytes]] = []
    at = 0
    while at < len(content):
        stop = _line_end(content, at)
        line = content[at:stop]
        if not line.rstrip(b"\r"):
            at = stop + 1
            break
        if b":" not in line:
            break
        while content[stop + 1 : stop + 2] in {b" ", b"\t"}:
            stop = _line_end(content, stop + 1)
        name, _, value = content[at:stop].partition(b":")
        fields.append((name, value))
        at = stop + 1
    return fields, content[at:]


def _line_end(content: bytes, at: int) -> int:
    """Return where the line ends that begins at a place: its line feed, or the end of all."""
    end = content.find(b"\n", at)
    return end if end >= 0 else len(content)
