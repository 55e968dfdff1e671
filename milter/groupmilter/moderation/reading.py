"""Reading a message's body: its parts, and its text as people read it. Pure; never raises.

A message built to be costly (a bomb) is read in part or not at all: time grows with its size only, and its size is
bounded. Sources: RFC 2045, RFC 2046, RFC 2231.
"""

from __future__ import annotations

import email
import email.policy
import html
import re
from email.message import Message
from itertools import islice

from groupmilter.mail.words import in_charset

_MOST_READ = 256 * 1024
_MOST_PARTS = 200
_MOST_BOUNDARIES = 50
_MOST_DELIMITERS = 1_000
_MOST_VALUE = 4096
_BOUNDARY = re.compile(rb"boundary\*?\d*\*?\s*=", re.IGNORECASE)
_WRONG = (RecursionError, ValueError, LookupError, AttributeError, TypeError, AssertionError)
_TAG = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]*)")
_HIDDEN = {
    name: re.compile(rf"</{name}", re.IGNORECASE) for name in ("head", "script", "style", "template", "title")
}
_BREAKS = frozenset({"br", "div", "dt", "dd", "h1", "h2", "h3", "h4", "li", "p", "pre", "table", "tr"})
_QUOTED = re.compile(r"<blockquote|gmail_quote|divrplyfwdmsg|appendonsend|moz-cite-prefix", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"&#(?:\d{8,}|[xX][0-9a-fA-F]{8,});?")


def parts_of(message: bytes) -> tuple[Message, ...] | None:
    """Return all parts of a message, containers included; None where it has too many or can't be taken apart."""
    boundaries = sum(1 for _ in islice(_BOUNDARY.finditer(message), _MOST_BOUNDARIES + 1))
    if boundaries > _MOST_BOUNDARIES or message.count(b"\n--") > _MOST_DELIMITERS:
        return None
    try:
        parsed = email.message_from_bytes(message, policy=email.policy.compat32)
        parts = tuple(islice(parsed.walk(), _MOST_PARTS + 1))
    except _WRONG:
        return None
    return parts if len(parts) <= _MOST_PARTS and all(map(_readable, parts)) else None


def _readable(part: Message) -> bool:
    """Tell whether the fields with parameters are of a length at which nothing in them is slow."""
    fields = ("content-type", "content-disposition")
    return all(len(str(value)) <= _MOST_VALUE for name in fields for value in part.get_all(name, ()))


def text_of(message: bytes) -> str:
    """Return the text of a message as people read it: its first text part, HTML without its marks."""
    parts = parts_of(message[:_MOST_READ])
    texts = [part for part in parts or () if _is_text(part)]
    plain = next((part for part in texts if part.get_content_subtype() == "plain"), None)
    read = _decoded(plain) if plain is not None else ""
    if read.strip() or not texts:
        return read
    other = next((part for part in texts if part is not plain), None)
    if other is None:
        return read
    return text_of_html(_decoded(other)) if other.get_content_subtype() == "html" else _decoded(other)


def _is_text(part: Message) -> bool:
    if part.is_multipart() or part.get_content_maintype() != "text":
        return False
    return str(part.get("content-disposition", "")).partition(";")[0].strip().lower() != "attachment"


def _decoded(part: Message) -> str:
    try:
        payload = part.get_payload(decode=True)
        charset = part.get_content_charset()
    except _WRONG:
        return ""
    return in_charset(payload if isinstance(payload, bytes) else b"", charset)


def text_of_html(source: str) -> str:
    """Return HTML without its marks: line breaks where blocks begin, ``>`` where a quote does."""
    found: list[str] = []
    at = 0
    while (mark := source.find("<", at)) >= 0:
        found.append(source[at:mark])
        at = _after(source, mark, found)
        if at < 0:
            break
    else:
        found.append(source[at:])
    return html.unescape(_LONG_NUMBER.sub("\N{REPLACEMENT CHARACTER}", "".join(found)))


def _after(source: str, mark: int, found: list[str]) -> int:
    """Return where text goes on after a ``<``; negative for nowhere."""
    if source.startswith("<!--", mark):
        end = source.find("-->", mark + 4)
        return end + 3 if end >= 0 else -1
    name = _TAG.match(source, mark + 1)
    if name is None and source[mark + 1 : mark + 2] not in {"!", "?", "/"}:
        found.append("<")
        return mark + 1
    end = source.find(">", mark)
    if end < 0:
        return -1
    tag = name[1].lower() if name else ""
    if tag in _HIDDEN and source[mark + 1] != "/":
        closing = _HIDDEN[tag].search(source, end)
        return closing.start() if closing else -1
    if _QUOTED.search(source, mark, end):
        found.append("\n> ")
    elif tag == "hr":
        found.append("\n" + "_" * 20 + "\n")
    elif tag in _BREAKS:
        found.append("\n")
    return end + 1
