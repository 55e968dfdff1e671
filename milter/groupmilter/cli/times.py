"""Times in commands: as people read them, as programs read them, and as an administrator writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import typer

from groupmilter.cli.control import lasting

_LENGTH = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def iso(seconds: int) -> str | None:
    """Return a time for programs, RFC 3339 in UTC; None for 0, which stands for never."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds else None


def local(seconds: int, *, exact: bool = False) -> str:
    """Return a time for people on this host, to the minute or to the second; a dash for 0."""
    if not seconds:
        return "–"
    moment = datetime.fromtimestamp(seconds).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}" if exact else f"{moment:%Y-%m-%d %H:%M}"


def brief(seconds: float) -> str:
    """Return a length of time in seven characters at most: ``45 s``, ``12 min``, ``3 h``, ``4 days``."""
    if seconds < 120:
        return f"{max(0.0, seconds):.0f} s"
    for length, unit in ((60, "min"), (3600, "h"), (86_400, "days")):
        if seconds < 48 * 3600 and unit != "days" and seconds < 120 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds // 86_400)} days"


def ago(seconds: int, now: float) -> str:
    """Return how long ago a time was: ``3 h ago``, or ``just now``."""
    return f"{lasting(now - seconds)} ago" if now - seconds >= 1 else "just now"


def until(seconds: int, now: float) -> str:
    """Return how far away a time is: ``in 4 days``; ``overdue`` when it is past, ``never`` for 0."""
    if not seconds:
        return "never"
    return f"in {lasting(seconds - now)}" if seconds > now else "overdue"


def moment(text: str, now: float) -> int:
    """Return the time that somebody wrote: a length that has passed (``90m``, ``2h``, ``3d``), or a date of ISO 8601.

    :param now: seconds since 1970, UTC.
    :raises ValueError: where it is neither.
    """
    length = _LENGTH.fullmatch(text.strip())
    if length:
        return max(0, int(now) - int(length[1]) * _SECONDS[length[2]])
    written = datetime.fromisoformat(text.strip())
    return max(0, int(written.astimezone().timestamp() if written.tzinfo is None else written.timestamp()))


def moment_option(text: str, now: float, option: str) -> int:
    """Return the time that an option was given, 0 where it wasn't.

    :raises typer.BadParameter: where that is no time.
    """
    try:
        return moment(text, now) if text else 0
    except ValueError as error:
        wants = "wants a date of ISO 8601, such as 2026-11-26 or 2026-11-26T09:00, or a length such as 90m, 2h, 3d"
        raise typer.BadParameter(wants, param_hint=option) from error
