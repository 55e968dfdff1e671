"""Times as directories write them, as seconds since 1970, UTC. Pure; what is no time is 0."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_GENERALIZED = re.compile(r"(\d{14})(?:[.,]\d+)?Z", re.ASCII)
_FILETIME = re.compile(r"\d{17,19}", re.ASCII)
_BEFORE_1970 = 11_644_473_600
"""Seconds from 1601, where Windows' times begin."""


def moment(text: str) -> int:
    """Return a GeneralizedTime in UTC (RFC 4517 section 3.3.13), or a FILETIME as Active Directory has it.

    Source for the latter: Windows' FILETIME, steps of 100 ns since 1601.
    """
    if _FILETIME.fullmatch(text):
        return max(0, int(text) // 10_000_000 - _BEFORE_1970)
    found = _GENERALIZED.fullmatch(text)
    try:
        return (
            max(0, int(datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()))
            if found
            else 0
        )
    except ValueError:
        return 0
