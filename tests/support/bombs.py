"""Mail bombs: messages that are small to send and dear to read. Each is whole, with CRLF line ends.

    for name, bomb in BOMBS.items():
        content = bomb()

They are made when asked for: together they have some hundred megabytes. Never fails.
"""

from __future__ import annotations

import base64
import io
import struct
import zipfile
from collections.abc import Callable, Mapping

AUTHOR = b"From: x@outside.example\r\n"
_MIXED = b"Content-Type: multipart/mixed; boundary="
Bomb = Callable[[], bytes]


def _plain(fields: bytes, body: bytes = b"hello\r\n") -> bytes:
    return AUTHOR + fields + b"\r\n" + body


def nested(depth: int) -> bytes:
    """Multiparts inside multiparts."""
    opened = b"".join(b"--%d\r\n%s%d\r\n\r\n" % (n, _MIXED, n + 1) for n in range(depth))
    return _plain(_MIXED + b"0\r\n", opened + b"--%d\r\n\r\ndeep\r\n" % depth)


def messages_in_messages(depth: int) -> bytes:
    """Forwarded messages inside forwarded messages."""
    return _plain(b"Content-Type: message/rfc822\r\n", b"Content-Type: message/rfc822\r\n\r\n" * depth)


def parts(count: int) -> bytes:
    """One multipart of many parts."""
    return _plain(_MIXED + b"b\r\n", b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n")


def without_end(count: int) -> bytes:
    """Delimiters of boundaries that nobody has opened."""
    return _plain(_MIXED + b"b\r\n", b"".join(b"--b%d\r\n" % n for n in range(count)))


def fields(count: int) -> bytes:
    """Many header fields."""
    return _plain(b"".join(b"X-%d: y\r\n" % n for n in range(count)))


def one_name(count: int, name: bytes = b"Received", value: bytes = b"from a by b") -> bytes:
    """Many header fields of one name."""
    return _plain((name + b": " + value + b"\r\n") * count)


def named(count: int, name: bytes, each: int, domain: str = "b") -> bytes:
    """Many fields of many addresses, all of them different."""
    lists = (
        ", ".join(f"a{n}@{domain}{n % 1000}.cd" for n in range(at * each, (at + 1) * each))
        for at in range(count)
    )
    return b"".join(name + b": " + one.encode() + b"\r\n" for one in lists) + b"\r\nhello\r\n"


def line(length: int, name: bytes = b"Subject") -> bytes:
    """One header line without a fold."""
    return _plain(name + b": " + b"x" * length + b"\r\n")


def folds(count: int, name: bytes = b"References") -> bytes:
    """One header field of many lines."""
    return _plain(name + b": a" + b"\r\n b" * count + b"\r\n")


def value(name: bytes, text: bytes) -> bytes:
    """One field that is dear to parse."""
    return b"%s: %s\r\n\r\nhello\r\n" % (name, text)


def recipients(count: int) -> bytes:
    """A To field that names very many."""
    return _plain(b"To: " + b",\r\n ".join(b"user%d@many.example" % n for n in range(count)) + b"\r\n")


def attached(octets: bytes, name: str = "data.zip", kind: str = "application/zip") -> bytes:
    """A message with a file."""
    head = f"--b\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; filename={name}\r\n"
    encoding = "Content-Transfer-Encoding: base64\r\n\r\n"
    return _plain(_MIXED + b"b\r\n", (head + encoding).encode() + base64.encodebytes(octets) + b"--b--\r\n")


def zipped_zeros(size: int) -> bytes:
    """A ZIP archive of little more than nothing that unpacks to ``size`` octets."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * size)
    return written.getvalue()


def zipped_names(count: int) -> bytes:
    """A ZIP archive that lists very many empty files."""
    entry = (
        struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
        + b"x"
    )
    local = struct.pack("<4s2B4HL2L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"x"
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, min(count, 65_535), min(count, 65_535), len(entry) * count, len(local), 0
    )
    return local + entry * count + end


def encoded_words(count: int) -> bytes:
    """A subject of very many encoded words."""
    return _plain(b"Subject: " + b"\r\n ".join([b"=?utf-8?Q?=C3=A9?="] * count) + b"\r\n")


def naming(count: int) -> bytes:
    """Very many parts with a file name in pieces."""
    pieces = b"".join(b";\r\n filename*%d*=%%41" % n for n in range(50))
    return _plain(
        _MIXED + b"b\r\n", (b"--b\r\nContent-Disposition: attachment" + pieces + b"\r\n\r\nx\r\n") * count
    )


def html(size: int) -> bytes:
    """HTML of nothing but openings."""
    return _plain(b"Content-Type: text/html\r\n", b"<" * (size // 2) + b"<!--" * (size // 8) + b"\r\n")


BOMBS: Mapping[str, Bomb] = {
    "multiparts 10,000 deep": lambda: nested(10_000),
    "multiparts 400 deep": lambda: nested(400),
    "messages 10,000 deep": lambda: messages_in_messages(10_000),
    "200,000 parts": lambda: parts(200_000),
    "900 parts": lambda: parts(900),
    "200,000 delimiters of nothing": lambda: without_end(200_000),
    "100,000 fields": lambda: fields(100_000),
    "100,000 From fields": lambda: one_name(100_000, b"From", b"x@outside.example"),
    "900 From fields of 35 authors": lambda: named(900, b"From", 35),
    "a From of 800 authors": lambda: named(1, b"From", 800),
    "900 To fields of 25 in another script": lambda: named(900, b"To", 25, "münchen"),
    "900 To fields": lambda: one_name(900, b"To", b"a" * 500),
    "5,000 DKIM-Signatures": lambda: one_name(
        5_000, b"DKIM-Signature", b"v=1; a=rsa-sha256; h=from; b=" + b"A" * 60
    ),
    "900 DKIM-Signatures": lambda: one_name(900, b"DKIM-Signature", b"v=1; h=" + b"from:" * 90),
    "900 Authentication-Results": lambda: one_name(
        900, b"Authentication-Results", b"a.example; " + b"dkim=pass " * 45
    ),
    "Authentication-Results of comments": lambda: one_name(4, b"Authentication-Results", b"(" * 60_000),
    "900 ARC-Seals": lambda: one_name(900, b"ARC-Seal", b"i=1; cv=pass; b=" + b"A" * 400),
    "a line of 1 MB": lambda: line(1_000_000),
    "a From line of 1 MB": lambda: line(1_000_000, b"From"),
    "90,000 folds": lambda: folds(25_000),
    "a From of folds": lambda: folds(25_000, b"From"),
    "a From of parentheses": lambda: value(b"From", b"(" * 60_000 + b" x@outside.example"),
    "a From of quotes": lambda: value(b"From", b'"' * 8_000 + b" <x@outside.example>"),
    "a From of escapes": lambda: value(b"From", b'"' + b"\\a" * 8_000 + b'" <x@outside.example>'),
    "a From of at signs": lambda: value(b"From", b"a@" * 30_000),
    "a From of encoded words": lambda: value(b"From", b"=?utf-8?Q?a?= " * 1_000 + b"<x@outside.example>"),
    "a To of 1,000 parentheses": lambda: value(b"To", b"(" * 1_000),
    "a To that names 4,000": lambda: recipients(4_000),
    "a To that names 40,000": lambda: recipients(40_000),
    "4,000 encoded words": lambda: encoded_words(4_000),
    "900 names in 50 pieces": lambda: naming(900),
    "HTML of openings": lambda: html(400_000),
    "9 MB of zeros, zipped": lambda: attached(zipped_zeros(9_000_000)),
    "100,000 names, zipped": lambda: attached(zipped_names(100_000)),
    "60,000 names, zipped": lambda: attached(zipped_names(60_000)),
    "base64 of 6 MB": lambda: attached(b"PK\3\4" + b"x" * 6_000_000),
    "Content-Type of parameters": lambda: _plain(
        b"Content-Type: multipart/mixed" + b"; a=b" * 15_000 + b"\r\n"
    ),
    "Auto-Submitted of comments": lambda: value(b"Auto-Submitted", b"(" * 60_000 + b"no"),
    "References of brackets": lambda: value(b"References", b"<" * 50_000),
}
"""By their names. Sizes are such that an MTA takes them; what of it reaches us is the MTA's business."""
