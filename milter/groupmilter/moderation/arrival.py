"""Reading what the MTA has written into the hold mailbox. Pure; never raises, whatever a message contains.

virtual(8) puts its own lines on top: ``Return-Path``, ``X-Original-To``, ``Delivered-To``. Only there a ticket is read;
the same names further down are the sender's text. Without those lines the message is what the MTA was given, octet
for octet. Sources: virtual(8), RFC 2047, RFC 3834, RFC 5322.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import islice

from groupmilter.groups.ticket import Keys, Kind, unseal
from groupmilter.mail.content import content_digest
from groupmilter.mail.header import keyword
from groupmilter.mail.shown import prose, shown
from groupmilter.mail.words import decoded
from groupmilter.moderation.item import Arrival

_AGENT = (b"return-path:", b"x-original-to:", b"delivered-to:")
_MOST_HEADER = 256 * 1024
_MOST_SHOWN = 200
_MOST_VALUE = 4096
_MOST_FIELDS = 5
_ALONE = re.compile(r"<([^<>@\s]+@[^<>@\s]+)>")
_QUEUE_ID = re.compile(rb"\bid ([0-9A-Za-z]{6,20})\b")
# The name that a client gives itself stands first, and may look like anything but has no blank in it.
_CLIENT = re.compile(r"from \S+ \((?:\S+ )?\[(?:IPv6:)?([0-9A-Fa-f:.]{2,45})\]")
_QUIET = frozenset({"bulk", "junk", "list", "auto_reply", "auto-reply"})
_TELLING = ("auto-submitted", "precedence", "x-precedence", "content-type")
_REPORTS = frozenset({"multipart/report", "message/disposition-notification", "message/delivery-status"})
_OF_PROGRAMS = (
    "x-autoreply", "x-autoreply-from", "x-autorespond", "x-autoresponder", "x-mail-autoreply", "x-vacation",
    "x-ms-exchange-inbox-rules-loop", "list-id", "feedback-id",
)  # fmt: skip
_ABSENT = re.compile(
    r"(auto(matic)?[ -]?(reply|response|answer)|out[ -]of[ -](the[ -])?office|r[ée]ponse automatique"
    r"|absence du bureau|automatische (antwort|r[üu]ckantwort)|abwesenheits|automatisch antwoord"
    r"|afwezig|respuesta autom[áa]tica|fuera de la oficina|risposta automatica|fuori ufficio"
    r"|resposta autom[áa]tica|fora do escrit[óo]rio|autosvar|automatiskt svar|automatisk svar|fr[åa]nvar"
    r"|automaattinen vastaus|poissaolo|odpowied[źz] automatyczna|automatyczna odpowied[źz]"
    r"|autosvar|автоответ|автоматический ответ|自動応答|不在通知|自动回复|자동 응답)",
    re.IGNORECASE,
)
"""Subjects with which programs of many languages begin, for those that say so in no field."""


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
    field = partial(_field, header)
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
        partly=bool(ticket and ticket.partly),
        sent=ticket.time if ticket else 0,
        return_path=_bare(top.get("return-path", "")),
        author=_author(header),
        subject=field("subject"),
        message_id=field("message-id"),
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
    found = _values(header, name)
    return prose(found[0], _MOST_SHOWN) if found else ""


def _author(header: bytes) -> str:
    """Return the author as text for people, all fields of them; a long name is cut so that the address stays.

    An address without a name stands without brackets.
    """
    text = shown(", ".join(_values(header, "from")), 2 * _MOST_VALUE)
    alone = _ALONE.fullmatch(text)
    text = alone[1] if alone else text
    if len(text) <= _MOST_SHOWN:
        return text
    name, _, address = text.rpartition(" ")
    left = _MOST_SHOWN - len(address) - 1
    return f"{shown(name, left)} {address}" if left > 1 else shown(text, _MOST_SHOWN)


def _values(header: bytes, name: str) -> list[str]:
    """Return what the fields of a name say, decoded; the first five."""
    pattern = re.compile(rb"^" + name.encode() + rb"[ \t]*:((?:[^\n]|\n[ \t])*)", re.I | re.M)
    return [_decoded(found[1]) for found in islice(pattern.finditer(_fields(header)), _MOST_FIELDS)]


def _fields(header: bytes) -> bytes:
    if header.startswith((b"\n", b"\r\n")):
        return b""
    end = re.search(rb"\r?\n\r?\n", header)
    return header[: end.start()] if end else header


def _decoded(value: bytes) -> str:
    text = value[:_MOST_VALUE].decode("utf-8", "replace")
    read = decoded(text)
    return text if read is None else read


def _queue_id(header: bytes) -> str:
    """Return the queue id of our own MTA: of the topmost Received field."""
    found = re.search(rb"^received:((?:[^\n]|\n[ \t])*)", _fields(header), re.I | re.M)
    inside = _QUEUE_ID.search(found[1]) if found else None
    return inside[1].decode() if inside else ""


def client_of(octets: bytes) -> str:
    """Return the IP address that brought a message to our own MTA, by the topmost Received field; empty where it names
    none.
    """
    header = message_of(octets)[:_MOST_HEADER]
    found = _CLIENT.match(next(iter(_values(header, "received")), "").strip())
    return found[1] if found else ""


def automatic(octets: bytes) -> bool:
    """Tell whether a program has written a mail: nobody decides by an out-of-office reply (RFC 3834)."""
    null_path = _bare(_agent_lines(octets).get("return-path", "")) == ""
    message = message_of(octets)
    return null_path or programmed(message) or absent(message)


def programmed(message: bytes) -> bool:
    """Tell whether the header says that a program has written a mail (RFC 3834 section 5, and what others say)."""
    header = message[:_MOST_HEADER]
    words = {name: [keyword(value) for value in _values(header, name)] for name in _TELLING}
    return (
        any(word not in {"", "no"} for word in words["auto-submitted"])
        or any(word in _QUIET for word in (*words["precedence"], *words["x-precedence"]))
        or any(word in _REPORTS for word in words["content-type"])
        or any(_values(header, name) for name in _OF_PROGRAMS)
    )


def absent(message: bytes) -> bool:
    """Tell whether a mail's subject is that of somebody's automatic reply."""
    return _ABSENT.match(_field(message[:_MOST_HEADER], "subject")) is not None
