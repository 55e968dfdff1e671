"""What a report about a member's mail says: who did not get it, why, and whether the address is to blame. Pure.

A delivery status notification (RFC 3464, RFC 6533) is read here, line by line and in one pass, so that a report of any
size and nesting costs no more than its length; what isn't one goes to the heuristics of flufl.bounce (`guessing`). A
report is anybody's text: nothing in it is believed here, and nothing in it makes reading fail.

Sources: RFC 3464 section 2.3, RFC 3463 (status codes), RFC 6533 section 3, RFC 3834, RFC 2046 section 5.1.1.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from quopri import decodestring

from groupmilter.mail.shown import shown
from groupmilter.moderation.arrival import absent, message_of, programmed
from groupmilter.moderation.guessing import guessed

_MOST = 16 * 1024 * 1024
_MOST_HEADER = 256 * 1024
_MOST_RECIPIENTS = 50_000
_MOST_FIELDS = 1_000
_MOST_WHY = 300
_LINE = 4096
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_BOUNDARY = re.compile(r'boundary[ \t]*=[ \t]*("[^"\n]{1,70}"|[^\s;"]{1,70})', re.IGNORECASE)
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_OURS = ("by ", "from localhost (localhost) by ")
_SUBMITTED = ", from userid "
"""What pickup(8) notes of mail from an account of this host, which names no client either."""

_DSN = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RECEIPT = frozenset({"disposition-notification"})


class Cause(StrEnum):
    """What made a delivery fail."""

    PERMANENT = "permanent"
    """The address takes no mail, its server says."""

    TEMPORARY = "temporary"
    """A server has given up after days of trying."""

    MESSAGE = "message"
    """The message was refused, not the address: its size, its content, a policy (RFC 3463 X.6, X.7, X.2.3, X.3.4)."""

    FORGIVEN = "forgiven"
    """Counted before delivery to the address was resumed; it says nothing any more."""


class Tells(StrEnum):
    """What a mail to a bounce address is."""

    FAILURE = "failure"
    DELAY = "delay"
    SUCCESS = "success"
    AUTOMATIC = "automatic"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient who didn't get the message.

    :param addresses: by which the report names him, the most telling first.
    :param status: enhanced status code, or empty. ``why``: in the server's own words, one line.
    """

    addresses: tuple[str, ...]
    cause: Cause
    status: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A mail to a bounce address, read.

    :param own: our own mail server has written it: the topmost Received field, which is its, names neither a client
        nor an account of this host (Postfix), or names itself without an address (Sendmail; of a client that calls
        itself so it writes the address).
    """

    tells: Tells = Tells.OTHER
    failures: tuple[Failure, ...] = ()
    own: bool = False


def read_report(octets: bytes) -> Report:
    """Return what a file of the hold mailbox says about members' mail; never raises."""
    message = message_of(octets)[:_MOST]
    fields = _fields(_head(message)[:_MOST_HEADER])
    received = fields.get("received", "")
    own = received.startswith(_OURS) and _SUBMITTED not in received
    content_type = fields.get("content-type", "").lower()
    if content_type.startswith("multipart/report"):
        status = _status_part(message, fields["content-type"])
        if status is not None:
            return _notified(status, own)
        if any(word in content_type for word in _RECEIPT):
            return Report(Tells.AUTOMATIC, own=own)
    if absent(message):
        return Report(Tells.AUTOMATIC, own=own)
    guess = guessed(message)
    if guess.permanent:
        failures = tuple(Failure((address,), Cause.PERMANENT) for address in guess.permanent)
        return Report(Tells.FAILURE, failures, own)
    if guess.temporary:
        return Report(Tells.DELAY, own=own)
    # A report of another kind, such as a complaint (RFC 5965), is for people.
    automatic = not content_type.startswith("multipart/report") and programmed(message)
    return Report(Tells.AUTOMATIC if automatic else Tells.OTHER, own=own)


def _notified(status: str, own: bool) -> Report:
    """Return what the fields of a delivery status notification say (RFC 3464 section 2.3)."""
    failures: list[Failure] = []
    actions: set[str] = set()
    # The first block is about the message.
    for block in islice(_blocks(status), _MOST_RECIPIENTS + 1):
        words = block.get("action", "").lower().split()
        action = words[0] if words else ""
        actions.add(action)
        # OpenSMTPD says "error".
        if action.startswith(("fail", "error")) and len(failures) < _MOST_RECIPIENTS:
            failures.append(_failure(block))
    if failures:
        return Report(Tells.FAILURE, tuple(failures), own)
    if any(action.startswith("delay") for action in actions):
        return Report(Tells.DELAY, own=own)
    return Report(Tells.SUCCESS if actions & {"delivered", "relayed", "expanded"} else Tells.OTHER, own=own)


def _failure(block: Mapping[str, str]) -> Failure:
    diagnostic = block.get("diagnostic-code", "").partition(";")[2].strip()
    said = [_STATUS.search(text) for text in (block.get("status", ""), diagnostic)]
    status, within = (found[1] if found else "" for found in said)
    if within and (not status or status.endswith(".0.0")):
        status = within
    named = (_address(block.get(name, "")) for name in ("final-recipient", "original-recipient"))
    addresses = tuple(dict.fromkeys(address for address in named if address))
    return Failure(addresses, cause_of(status), status, shown(diagnostic, _MOST_WHY))


def cause_of(status: str) -> Cause:
    """Return what an enhanced status code blames (RFC 3463 section 3); the address where there is none."""
    kind, _, detail = status.partition(".")
    if detail.startswith(("6.", "7.")) or detail in {"2.3", "3.4"}:
        return Cause.MESSAGE
    return Cause.TEMPORARY if kind == "4" else Cause.PERMANENT


def _address(value: str) -> str:
    """Return the address of a typed one: ``rfc822; jean@example.org``; some leave the type out."""
    kind, semicolon, rest = value.partition(";")
    text = (rest if semicolon else kind).strip().removeprefix("<").removesuffix(">")
    if kind.strip().lower() == "utf-8":
        text = _ESCAPED.sub(lambda found: _character(found[1]), text)
    return text if "@" in text and len(text) <= 320 else ""


def _character(hexadecimal: str) -> str:
    number = int(hexadecimal, 16)
    return chr(number) if number < 0x110000 else "\N{REPLACEMENT CHARACTER}"


def _status_part(message: bytes, content_type: str) -> str | None:
    """Return the fields for programs of a multipart/report, decoded; None where there are none."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return None
    mark = b"\n--" + found[1].strip('"').encode("utf-8", "surrogateescape")
    # The text for people, the fields, the message itself: nobody looks further.
    for part in (b"\n" + message).split(mark, 4)[1:4]:
        inner = part.partition(b"\n")[2]
        head = _fields(_head(inner)[:_MOST_HEADER])
        if head.get("content-type", "").lower().partition(";")[0].strip() in _DSN:
            body = inner[len(_head(inner)) :].lstrip(b"\r\n")
            return _decoded(body, head.get("content-transfer-encoding", "")).decode("utf-8", "replace")
    return None


def _decoded(body: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "base64":
            try:
                return b64decode(body)
            except (Base64Error, ValueError):
                return b""
        case "quoted-printable":
            return decodestring(body)
        case _:
            return body


def _head(message: bytes) -> bytes:
    if message.startswith((b"\n", b"\r\n")):
        return b""
    end = min((at for mark in (b"\n\n", b"\n\r\n") if (at := message.find(mark)) >= 0), default=len(message))
    return message[:end]


def _fields(head: bytes) -> dict[str, str]:
    """Return the first field of each name, by lower-case name, unfolded."""
    return next(_blocks(head.decode("utf-8", "replace")), {})


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """Yield groups of fields that stand apart by an empty line; the first field of a name counts, cut at 4,096.

    What a block has beyond 1,000 fields is left out. A line costs the same wherever it stands: a report is anybody's.
    """
    block: dict[str, list[str]] = {}
    current: list[str] = []
    room = 0
    for line in chain(text.split("\n"), ("",)):
        bare = line.rstrip("\r")[:_LINE]
        if not bare.strip():
            if block:
                yield {name: " ".join(lines)[:_LINE] for name, lines in block.items()}
            block, current, room = {}, [], 0
        elif bare[0] not in " \t":
            name, _, value = bare.partition(":")
            current, room = [value.strip()], _LINE - len(value)
            if len(block) < _MOST_FIELDS:
                block.setdefault(name.strip().lower(), current)
        elif room > 0:
            current.append(bare.strip())
            room -= len(current[-1])
