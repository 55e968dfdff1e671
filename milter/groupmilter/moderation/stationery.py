"""The header of every letter, and what may be enclosed. Pure.

Automatic mail that no program answers (RFC 3834), with a null return path, which the envelope bears. What others wrote
stands in a header as one line without control characters, so that nothing can be put into it. The same letter has the
same Message-ID, however often it has to be submitted. Sources: RFC 5322, RFC 2046 section 5.2.1, RFC 6532.
"""

from __future__ import annotations

import email.policy
import hashlib
import re
from dataclasses import dataclass
from datetime import tzinfo
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime

from groupmilter.language.speech import local_time
from groupmilter.mail.shown import shown

_MOST_NAME = 80
_MOST_SUBJECT = 200
_MOST_HEADER = 16_384
_MOST_ADDRESS = 320
_LINE = 76
_SPECIAL = re.compile(r'(["\\])')
_ESCAPED = r"\\\1"
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,200}@[!-;=?A-~]{1,200}>")


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who gets a letter; ``language`` fr or en, anything else: both."""

    address: str
    name: str = ""
    language: str = ""
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class Stationery:
    """What all letters of a site begin with."""

    service_domain: str
    zone: tzinfo | None = None

    def letter(self, to: Addressee, name: str, subject: str, identity: str, now: int) -> EmailMessage:
        """Return a letter without content.

        :param name: of the sender. ``identity``: what tells this letter from the others to this address.
        :param now: seconds since 1970, UTC.
        """
        # Addresses beyond ASCII have no other form in a header; such a letter goes by SMTPUTF8.
        policy = email.policy.SMTP.clone(linesep="\n", utf8=not to.address.isascii())
        letter = EmailMessage(policy=policy)
        sender = f"moderation@{self.service_domain}"
        _put(letter, "From", _mailbox("From", shown(name, _MOST_NAME), sender))
        _put(letter, "To", _mailbox("To", shown(to.name, _MOST_NAME), shown(to.address, _MOST_ADDRESS)))
        _put(letter, "Subject", _words("Subject", shown(subject, _MOST_SUBJECT)))
        _put(letter, "Date", format_datetime(local_time(now, self.zone)))
        _put(letter, "Message-ID", self.message_id(identity, to.address))
        _put(letter, "Auto-Submitted", "auto-generated")
        # Not NDR: Exchange would keep to itself that a request doesn't arrive.
        _put(letter, "X-Auto-Response-Suppress", "DR, RN, NRN, OOF, AutoReply")
        return letter

    def message_id(self, identity: str, address: str) -> str:
        """Return the Message-ID of a letter to an address."""
        tag = hashlib.sha256(f"{identity}\0{address.lower()}".encode()).hexdigest()[:12]
        return f"<{identity}.{tag}@{self.service_domain}>"


def refer(letter: EmailMessage, message_id: str) -> None:
    """Make a letter part of the thread of another message, where that has a Message-ID that can be repeated."""
    if _MESSAGE_ID.fullmatch(message_id):
        _put(letter, "In-Reply-To", message_id)
        _put(letter, "References", message_id)


def fill(letter: EmailMessage, plain: str, html: str) -> None:
    """Write the same text into a letter twice: plain and as HTML."""
    letter.set_content(plain, cte="quoted-printable")
    letter.add_alternative(html, subtype="html", cte="quoted-printable")


class _Original(EmailMessage):
    """A message/rfc822 part that is written as it is: the generator would parse the one of the library first."""

    def get_content_maintype(self) -> str:
        """Return the type that has the generator write the octets of the payload."""
        return "text"


def enclose_original(letter: EmailMessage, message: bytes) -> None:
    """Enclose a message octet for octet; its lines have 998 octets at most and no carriage return."""
    letter.make_mixed()
    original = _Original()
    original["Content-Type"] = "message/rfc822"
    original["Content-Disposition"] = 'attachment; filename="message.eml"'
    if not message.isascii():
        # RFC 2045 section 6.4: what holds 8-bit parts says so itself.
        original["Content-Transfer-Encoding"] = "8bit"
        letter["Content-Transfer-Encoding"] = "8bit"
    original.set_payload(message.decode("ascii", "surrogateescape"))
    letter.attach(original)


def enclose_header(letter: EmailMessage, message: bytes) -> None:
    """Enclose the header of a message, for its sender to know it again (RFC 6522 section 4)."""
    head = b"" if message.startswith((b"\n", b"\r\n")) else message.partition(b"\n\n")[0]
    text = head[:_MOST_HEADER].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    # Not `splitlines`, to which a form feed is a line end, too.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = "".join(f"{line}\n" for line in lines if line.strip())
    letter.add_attachment(kept, subtype="rfc822-headers", cte="quoted-printable")


def _put(letter: EmailMessage, name: str, value: str) -> None:
    """Write a field as it is: the library's own folding doubles blanks and breaks long identifiers (Python 3.11)."""
    letter.set_raw(name, value)


def _words(field: str, text: str) -> str:
    """Return text for a header: encoded as a whole where it needs to be, folded in any case (RFC 2047)."""
    return Header(text, "us-ascii" if _is_plain(text) else "utf-8", _LINE, field).encode()


def _is_plain(text: str) -> bool:
    """Tell whether text may stand in a header as it is: nothing in it can be taken for an encoded word."""
    return text.isascii() and "=?" not in text


def _mailbox(field: str, name: str, address: str) -> str:
    if not name:
        return address
    written = f'"{_SPECIAL.sub(_ESCAPED, name)}"' if _is_plain(name) else _words(field, name)
    return f"{written}\n <{address}>"


def before_at(address: str) -> str:
    """Return an address without its domain: what a group is called where its name isn't known."""
    return address.partition("@")[0]
