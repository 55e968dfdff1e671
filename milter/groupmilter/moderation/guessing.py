"""Reports in no standard form, read by the heuristics of flufl.bounce: the only importer of that library. Pure.

They see the beginning of a message only, in lines no longer than mail has, so that no report can keep the desk busy
for long. What makes the library fail has told nothing.

Sources: flufl.bounce (`all_failures`), RFC 5322 section 2.1.1.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from email import message_from_bytes

from flufl.bounce import all_failures

_MOST = 64 * 1024
_LINE = 998
_MOST_NESTED = 20
_MOST_NAMED = 100

# It tells its own log of each detector, and of messages that it stumbles over: those are no trouble of ours.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Guess:
    """The addresses that a report seems to be about, sorted: those that failed, and those that are only late."""

    permanent: tuple[str, ...] = ()
    temporary: tuple[str, ...] = ()


def guessed(message: bytes) -> Guess:
    """Return whose mail seems to have failed; never raises."""
    beginning = b"\n".join(line[:_LINE] for line in message[:_MOST].split(b"\n"))
    if beginning.lower().count(b"boundary") > _MOST_NESTED:
        return Guess()
    try:
        temporary, permanent = all_failures(message_from_bytes(beginning))
    except Exception:  # noqa: BLE001 - of another's heuristics over anybody's text: there is nothing to tell
        return Guess()
    return Guess(_named(permanent), _named(temporary))


def _named(addresses: frozenset[bytes]) -> tuple[str, ...]:
    return tuple(sorted(address.decode("ascii", "replace") for address in addresses if address)[:_MOST_NAMED])
