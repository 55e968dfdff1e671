"""What a moderator sees of a held message before he decides: its text, its HTML made harmless, its files.

All of it that a mail program would show, not the first part only: what is approved was seen. A message that can't be
taken apart within bounds isn't shown at all, and the page says so. Pure; never raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from groupmilter.mail.shown import lines, prose, shown
from groupmilter.mail.words import decoded, in_charset
from groupmilter.moderation.attaching import attachment_names
from groupmilter.moderation.reading import parts_of
from groupmilter.moderation.safe_html import whole

_MOST_READ = 16 * 1024 * 1024
"""Octets of a message that are taken apart; of a larger one the beginning is."""

_MOST_TEXT = 64 * 1024
_MOST_FIELDS = 200
_LONGEST_FIELD = 1_000
_MOST_DEPTH = 20
_WRONG = (RecursionError, ValueError, LookupError, AttributeError, TypeError, AssertionError)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a message.

    :param name: for people; empty where it has none. ``kind``: its media type. ``size``: octets, decoded.
    """

    name: str
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text that a mail program shows.

    :param within: what the attached message calls itself that it stands in; None for the message itself.
    """

    text: str
    within: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """All that is shown of a message.

    :param fields: its header, decoded. ``html``: its pieces of HTML, as the sender wrote them.
    :param cut: whether there is more of it. ``readable``: whether it could be taken apart.
    """

    fields: tuple[tuple[str, str], ...] = ()
    texts: tuple[Text, ...] = ()
    html: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    cut: bool = False
    readable: bool = True


@dataclass(frozen=True, slots=True)
class _Piece:
    part: Message
    within: str | None


def preview(message: bytes) -> Preview:
    """Return what to show of a message.

    :param message: without the delivery agent's own lines (`arrival.message_of`).
    """
    beginning = message[:_MOST_READ]
    parts = parts_of(beginning)
    if parts is None:
        named = tuple(Attachment(name, "", 0) for name in attachment_names(beginning))
        return Preview(attachments=named, readable=False)
    pieces = tuple(_pieces(parts[0], None, _MOST_DEPTH))
    texts = [Text(_text(each.part), each.within) for each in pieces if _inline(each.part, "plain")]
    shorter = tuple(Text(lines(each.text[:_MOST_TEXT]), each.within) for each in texts if each.text.strip())
    html = tuple(_text(each.part) for each in pieces if _inline(each.part, "html"))
    return Preview(
        tuple(_fields(parts[0])),
        shorter,
        html,
        tuple(_attachment(each.part) for each in pieces if not _body(each.part)),
        len(message) > _MOST_READ or any(len(each.text) > _MOST_TEXT for each in texts) or not whole(html),
    )


def _pieces(part: Message, within: str | None, depth: int) -> Iterator[_Piece]:
    """Yield the parts that hold something, in the order in which they stand."""
    inside = part.get_payload() if part.is_multipart() else None
    if part.get_content_maintype() == "message" and isinstance(inside, list):
        yield _Piece(part, within)
        for each in inside:
            if isinstance(each, Message) and depth:
                yield from _pieces(each, _decoded(str(each.get("subject", ""))), depth - 1)
    elif isinstance(inside, list):
        for each in inside:
            if isinstance(each, Message) and depth:
                yield from _pieces(each, within, depth - 1)
    else:
        yield _Piece(part, within)


def _body(part: Message) -> bool:
    return _inline(part, "plain") or _inline(part, "html")


def _inline(part: Message, subtype: str) -> bool:
    """Tell whether a mail program shows a part as text of this kind."""
    if part.is_multipart() or part.get_content_type() != f"text/{subtype}":
        return False
    return str(part.get("content-disposition", "")).partition(";")[0].strip().lower() != "attachment"


def _text(part: Message) -> str:
    try:
        return in_charset(_octets(part), part.get_content_charset())
    except _WRONG:
        return ""


def _octets(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except _WRONG:
        return b""
    return payload if isinstance(payload, bytes) else b""


def _attachment(part: Message) -> Attachment:
    if part.is_multipart():
        inside = part.get_payload()
        subjects = [str(each.get("subject", "")) for each in inside if isinstance(each, Message)]
        return Attachment(_decoded(subjects[0]) if subjects else "", shown(part.get_content_type(), 80), 0)
    try:
        name = part.get_filename("") or ""
    except _WRONG:
        name = ""
    octets = _octets(part)
    return Attachment(shown(decoded(name) or name, 120), shown(part.get_content_type(), 80), len(octets))


def _fields(message: Message) -> Iterator[tuple[str, str]]:
    for name, value in message.items()[:_MOST_FIELDS]:
        yield shown(str(name), 80), _decoded(str(value))


def _decoded(value: str) -> str:
    text = value[: 4 * _LONGEST_FIELD].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    read = decoded(text)
    return prose(text if read is None else read, _LONGEST_FIELD)
