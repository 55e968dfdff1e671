"""An SMTP reply as one value: its class digit is stored once, so code and enhanced code can't disagree.

Texts are one ASCII line within libmilter's 980 octets; what doesn't fit is made to, never an error, since a
reply is made while somebody waits. Sources: RFC 5321 section 4.2, RFC 3463, smfi_setreply's page.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import IntEnum

_MAX_TEXT = 900


class Severity(IntEnum):
    """The class digit of a reply: come again, or never."""

    TRANSIENT = 4
    PERMANENT = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """One negative answer.

    :param severity: the class digit, for the code and the enhanced code.
    :param code: the last two digits of the SMTP code (50 in 550).
    :param subject, detail: of the enhanced code (RFC 3463).
    :param text: for people; plain ASCII, one line.
    """

    severity: Severity
    code: int
    subject: int
    detail: int
    text: str = ""

    @property
    def smtp(self) -> str:
        """The SMTP code, "550"."""
        return f"{self.severity:d}{self.code:02d}"

    @property
    def enhanced(self) -> str:
        """The enhanced status code, "5.7.1"."""
        return f"{self.severity:d}.{self.subject}.{self.detail}"

    @property
    def status(self) -> str:
        """Both codes without the text, "550 5.7.1"."""
        return f"{self.smtp} {self.enhanced}"

    def with_text(self, text: str) -> Reply:
        """Return the same codes with another text, made fit for SMTP."""
        return Reply(self.severity, self.code, self.subject, self.detail, one_line(text))

    def __str__(self) -> str:
        """Return the whole line as the client sees it."""
        return f"{self.status} {self.text}".rstrip()


def one_line(text: str) -> str:
    """Return text as printable ASCII on one line of at most 900 octets: accents dropped, the rest ``?``."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    plain = plain.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").encode("ascii", "replace").decode("ascii")
    return " ".join("".join(c if c.isprintable() else " " for c in plain).split())[:_MAX_TEXT]


def reply(status: str, text: str = "") -> Reply:
    """Read ``"550 5.7.1"`` into a reply.

    :raises ValueError: where it is no negative SMTP status, or its two class digits differ.
    """
    smtp, _, enhanced = status.partition(" ")
    parts = enhanced.split(".")
    if len(smtp) != 3 or not smtp.isdigit() or len(parts) != 3 or not all(p.isdigit() for p in parts):
        raise ValueError(f"{status!r} is no status like '550 5.7.1'")
    if smtp[0] != parts[0]:
        raise ValueError(f"{status!r}: the classes of code and enhanced code differ")
    if smtp[0] not in "45":
        raise ValueError(f"{status!r} is no refusal (5xx) or deferral (4xx)")
    return Reply(Severity(int(smtp[0])), int(smtp[1:]), int(parts[1]), int(parts[2]), one_line(text))
