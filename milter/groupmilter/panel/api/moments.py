"""Times of the API: RFC 3339 in UTC, as they go out and as they come in. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: int) -> str | None:
    """Return a time, None for 0, which stands for never."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds else None


def seconds(written: str | None) -> int:
    """Return seconds since 1970, UTC, of a time that has a zone; 0 for none, and for one before.

    :raises ValueError: where it is no time.
    """
    return max(0, int(datetime.fromisoformat(written).timestamp())) if written else 0
