"""What the fuzzer begins with: a small corpus of real and odd inputs for each target, and what it has found before.

Files `tests/fuzz/found/TARGET/*` are findings that were mended; each is tried by every run. Never fails.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from tests.fuzz.invariants import TICKET, TOKEN
from tests.support.bombs import attached, encoded_words, nested, zipped_names

_ROOT = Path(__file__).resolve().parents[2]
_ADDRESSES = """\
<staff@own.example>
<STAFF@Own.Example>
<@relay.example:staff@own.example>
<"st\\"aff"@own.example>
<own.example!staff@own.example>
<staff%out.example@own.example>
<x@[192.0.2.1]>
<zoé@münchen.example>
<(c)staff@own.example>
@.partner.example
@partner.example
paul@partner.example
"""
_RESULTS = (
    b"relay.example; dkim=pass header.d=a.example; spf=pass smtp.mailfrom=b.example",
    b"relay.example 1; none",
    b"(c) relay.example (v) 1 ; dmarc=pass (p=none) header.from=a.example",
    b'"relay.example"; dkim=pass header.i=@a.example header.b="x"',
    b"relay.example.; dkim=fail\n\nrelay.example; dkim=pass header.d=a.example(.b.example",
)
_SIGNATURES = (
    b"v=1; a=rsa-sha256; c=relaxed/simple; d=a.example; s=s; h=From:To:From; t=1; x=9999999999; bh=QUJD; b=QUJD",
    b"v=1; a=rsa-sha256; d=a.example; s=s._domainkey.evil.example.; h=from; l=0; bh=QUJD; b=QUJD",
    b"v=1; d=m\xc3\xbcnchen.example; s=s; i=@b.example; h=; q=dns/txt; bh==; b=;;",
)
_CONTENTS = (
    b"From: a@own.example\nTo: b\n c\n\nbody\n\n",
    b"From: a\r\n b\r\n\r\nbody\r\n",
    b"no field\n\nbody",
    b"\n",
)


def seeds(target: str) -> list[bytes]:
    """Return the inputs to begin with, none of them a finding that isn't mended."""
    made = {
        "address": [line.encode() for line in _ADDRESSES.splitlines()] + [b"<staff>\nstaff@own.example"],
        "content": list(_CONTENTS),
        "header": _headers(),
        "held": [*_CONTENTS, nested(20), encoded_words(20), attached(zipped_names(3)), _ticketed()],
        "policy": [file.read_bytes() for file in sorted(_ROOT.glob("tests/cases/policies/*.yaml"))],
        "results": list(_RESULTS),
        "signature": list(_SIGNATURES),
        "token": [TICKET.encode(), TOKEN.encode(), bytes(range(48)), TICKET.encode() * 2],
    }
    found = sorted((Path(__file__).parent / "found" / target).glob("*"))
    return made[target] + [file.read_bytes() for file in found]


def _headers() -> list[bytes]:
    entries = yaml.safe_load((_ROOT / "tests" / "unit" / "from_fields.yaml").read_text("utf-8"))
    values = [
        value for one in entries for value in ([one["from"]] if isinstance(one["from"], str) else one["from"])
    ]
    return [str(value).encode("utf-8", "surrogateescape") for value in values]


def _ticketed() -> bytes:
    return (
        f"Return-Path: <x@own.example>\nDelivered-To: hold+{TICKET}@groups.own.example\n".encode()
        + _CONTENTS[0]
    )
