"""Delivery status notifications: what a mail program learns of a group that did not take a message. Pure.

Three parts in this order: text for people, fields for programs, the header of the message. It names the group and
nobody in it. Sources: RFC 3464, RFC 6522, RFC 6533 section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from groupmilter.mail.reply import Reply
from groupmilter.moderation.stationery import enclose_header


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a message for one recipient.

    :param arrived: when the MTA had it, seconds since 1970, UTC; 0 where nobody knows.
    """

    recipient: str
    reply: Reply
    reporting_mta: str
    arrived: int = 0


def make_report(letter: EmailMessage, text: str, status: Status, message: bytes) -> None:
    """Turn a letter without content into a delivery status notification."""
    letter.set_content(text, cte="quoted-printable")
    letter.make_mixed()
    letter.attach(_fields(status))
    enclose_header(letter, message)
    letter.replace_header("Content-Type", "multipart/report")
    letter.set_param("report-type", "delivery-status")


def _fields(status: Status) -> EmailMessage:
    whole, recipient = EmailMessage(), EmailMessage()
    whole["Reporting-MTA"] = f"dns; {status.reporting_mta}"
    if status.arrived:
        whole["Arrival-Date"] = format_datetime(datetime.fromtimestamp(status.arrived, tz=UTC))
    # The recipient's address in the envelope was the group's: the milter said so to the MTA by ORCPT.
    recipient["Original-Recipient"] = _typed(status.recipient)
    recipient["Final-Recipient"] = _typed(status.recipient)
    recipient["Action"] = "failed"
    recipient["Status"] = status.reply.enhanced
    recipient["Diagnostic-Code"] = f"smtp; {status.reply}"
    part = EmailMessage()
    part["Content-Type"] = "message/delivery-status"
    part.set_payload([whole, recipient])
    return part


def _typed(address: str) -> str:
    """Return an address with its type; beyond ASCII in the form that a 7-bit part can carry."""
    if address.isascii():
        return f"rfc822; {address}"
    return "utf-8; " + "".join(
        c if c.isascii() and c not in "+=\\" else f"\\x{{{ord(c):X}}}" for c in address
    )
