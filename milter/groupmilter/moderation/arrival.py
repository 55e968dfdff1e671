"""Reading what the MTA has written into the hold mailbox. Pure; never raises, whatever a message contains.

virtual(8) puts its own lines on top: ``Return-Path``, ``X-Original-To``, ``Delivered-To``. Only there a ticket is read;
the same names further down are the sender's text. Without those lines the message is what the MTA was given, octet
for octet. Sources: virtual(8), RFC 2047, RFC 3834, RFC 5322.
"""

from __future__ import annotations

import email
import email.policy
import re
import unicodedata
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from functools import partial
from html.parser import HTMLParser

from groupmilter.groups.ticket import Keys, Kind, unseal
from groupmilter.mail.content import content_digest
from groupmilter.moderation.item import Arrival

_AGENT = (b"return-path:", b"x-original-to:", b"delivered-to:")
_MOST_HEADER = 256 * 1024
_MOST_SHOWN = 200
_MOST_BODY = 512 * 1024
_MOST_OWN = 1_000
_QUEUE_ID = re.compile(rb"\bid ([0-9A-Za-z]{6,20})\b")
_QUOTES = re.compile(
    r"^\s*(>|--\s?$|-{3,}\s*(original message|message d'origine|message original|forwarded message)|_{10,}"
    r"|(on|le|am|el|il|op)\b.{3,200}(wrote|a écrit|schrieb|escribió|ha scritto|schreef)\s*:?\s*$"
    r"|(from|de|von|envoyé|sent)\s*:\s)",
    re.IGNORECASE,
)
_QUIET = frozenset({"bulk", "junk", "list", "auto_reply"})


def read_arrival(octets: bytes, file: str, keys: Keys, service_domain: str) -> Arrival:
    """Return what a file says of itself.

    :param file: its name in the mailbox, without flags.
    """
    top = _agent_lines(octets)
    message = message_of(octets)
    header = message[:_MOST_HEADER]
    recipient = _bare(top.get("delivered-to", ""))
    local, _, domain = recipient.rpartition("@")
    word, _, text = local.lower().partition("+") if domain.lower() == service_domain else ("", "", "")
    ticket = unseal(text, keys) if word in {"hold", "bounce"} else None
    if ticket is not None and (ticket.kind is Kind.BOUNCE) is not (word == "bounce"):
        ticket = None
    shown = partial(_field, header)
    return Arrival(
        ticket=text if ticket else "",
        content=content_digest(message).hex(),
        file=file,
        kind=ticket.kind if ticket else None,
        group=ticket.group if ticket else 0,
        sender=ticket.sender if ticket else 0,
        strength=ticket.strength if ticket else 0,
        reason=ticket.reason if ticket else 0,
        smtputf8=bool(ticket and ticket.smtputf8),
        sent=ticket.time if ticket else 0,
        return_path=_bare(top.get("return-path", "")),
        author=shown("from"),
        subject=shown("subject"),
        message_id=shown("message-id"),
        queue_id=_queue_id(header),
        size=len(message),
        recipient="" if ticket else _bare(top.get("x-original-to", "") or recipient)[:_MOST_SHOWN],
    )


def message_of(octets: bytes) -> bytes:
    """Return the message without the delivery agent's own lines; everything else as it is."""
    return octets[_agent_end(octets) :]


def _agent_end(octets: bytes) -> int:
    end, seen = 0, set()
    if octets.startswith(b"From "):
        end = octets.find(b"\n") + 1
    while True:
        name = next((n for n in _AGENT if octets[end : end + len(n)].lower() == n and n not in seen), None)
        stop = octets.find(b"\n", end)
        if name is None or stop < 0:
            return end
        seen.add(name)
        end = stop + 1


def _agent_lines(octets: bytes) -> dict[str, str]:
    lines = octets[: _agent_end(octets)].split(b"\n")
    fields = (line.partition(b":") for line in lines if b":" in line)
    return {
        name.decode("ascii", "replace").lower(): value.decode("utf-8", "surrogateescape").strip()
        for name, _, value in fields
    }


def _bare(value: str) -> str:
    return value.removeprefix("<").removesuffix(">")


def _field(header: bytes, name: str) -> str:
    """Return the first field of a name as text for people: decoded, one line, cut, nothing that hides or reorders."""
    found = re.search(rb"^" + name.encode() + rb"[ \t]*:((?:[^\n]|\n[ \t])*)", _fields(header), re.I | re.M)
    return plain(_decoded(found[1])) if found else ""


def _fields(header: bytes) -> bytes:
    end = re.search(rb"\r?\n\r?\n", header)
    return header[: end.start()] if end else header


def _decoded(value: bytes) -> str:
    text = value[:4096].decode("utf-8", "replace")
    try:
        parts = decode_header(text)
    except (HeaderParseError, ValueError, IndexError):
        return text
    return "".join(_in_charset(part, charset) if isinstance(part, bytes) else part for part, charset in parts)


def _in_charset(octets: bytes, charset: str | None) -> str:
    try:
        return octets.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")


def plain(text: str, most: int = _MOST_SHOWN) -> str:
    """Return text as one line in which nothing is hidden, reordered or longer than ``most`` characters."""
    shown = "".join(
        " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c)[0] == "C" else c
        for c in text[: 4 * most]
    )
    shown = " ".join(shown.split())
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _queue_id(header: bytes) -> str:
    """Return the queue id of our own MTA: of the topmost Received field."""
    found = re.search(rb"^received:((?:[^\n]|\n[ \t])*)", _fields(header), re.I | re.M)
    inside = _QUEUE_ID.search(found[1]) if found else None
    return inside[1].decode() if inside else ""


def automatic(octets: bytes) -> bool:
    """Tell whether a program has written a mail: nobody decides by an out-of-office reply (RFC 3834)."""
    header = message_of(octets)[:_MOST_HEADER]
    submitted = _field(header, "auto-submitted").partition(";")[0].strip().lower()
    content = _field(header, "content-type").lower()
    return (
        _bare(_agent_lines(octets).get("return-path", "")) == ""
        or submitted not in {"", "no"}
        or _field(header, "precedence").lower() in _QUIET
        or content.startswith("multipart/report")
        or any(_field(header, name) for name in ("x-autoreply", "x-autorespond", "list-id"))
    )


def own_text(octets: bytes) -> str:
    """Return what somebody wrote above the quote, up to 1,000 characters; empty where nothing can be read."""
    lines = []
    for line in text_of(message_of(octets)).splitlines():
        if _QUOTES.match(line):
            break
        lines.append(plain(line, _MOST_OWN))
    return "\n".join(lines).strip()[:_MOST_OWN]


def text_of(message: bytes) -> str:
    """Return the text of a message as people read it: its first text part, HTML without its marks."""
    try:
        parsed = email.message_from_bytes(message[:_MOST_BODY], policy=email.policy.compat32)
        parts = [part for part in _leaves(parsed) if part.get_content_maintype() == "text"]
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError):
        return ""
    chosen = next((p for p in parts if p.get_content_subtype() == "plain"), parts[0] if parts else None)
    if chosen is None:
        return ""
    payload = chosen.get_payload(decode=True)
    text = _in_charset(payload if isinstance(payload, bytes) else b"", chosen.get_content_charset())
    return _without_marks(text) if chosen.get_content_subtype() == "html" else text


def _leaves(message: Message) -> Iterator[Message]:
    """Yield the parts that aren't attached, the first hundred."""
    for number, part in enumerate(message.walk()):
        if number > 100:
            return
        if not part.is_multipart() and part.get_content_disposition() != "attachment":
            yield part


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parser's signature
        self._hidden += tag in {"style", "script", "head"}
        if tag in {"br", "p", "div", "tr", "li", "blockquote"}:
            self.text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "script", "head"} and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(data)


def _without_marks(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    return "".join(parser.text)
