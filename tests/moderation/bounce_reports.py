"""Reports as mail servers write them, for members whose mail failed."""

from __future__ import annotations

from collections.abc import Sequence

from tests.moderation.holding import SERVICE

OWN_RECEIVED = (
    "Received: by mx.example.org (Postfix)\n\tid 4F2A0B3C5D; Thu, 26 Nov 2026 10:00:00 +0100 (CET)\n"
)
OTHERS_RECEIVED = (
    "Received: from mail.outside.example (mail.outside.example [192.0.2.1])\n"
    "\tby mx.example.org (Postfix) with ESMTP id 4F2A0B3C5D; Thu, 26 Nov 2026 10:00:00 +0100 (CET)\n"
)
GONE = "smtp; 550 5.1.1 <x>: no such user here"


def top(ticket: str, return_path: str = "") -> str:
    """The lines of the delivery agent."""
    address = f"bounce+{ticket}@{SERVICE}"
    return f"Return-Path: <{return_path}>\nX-Original-To: {address}\nDelivered-To: {address}\n"


def block(address: str, action: str = "failed", status: str = "5.1.1", why: str = GONE) -> str:
    """The fields about one recipient, as Postfix writes them: the group is the original recipient."""
    return (
        f"Final-Recipient: rfc822; {address}\nOriginal-Recipient: rfc822;sales@example.org\n"
        f"Action: {action}\nStatus: {status}\nRemote-MTA: dns; mx.outside.example\nDiagnostic-Code: {why}\n"
    )


def notification(
    ticket: str, blocks: Sequence[str], *, received: str = OWN_RECEIVED, return_path: str = ""
) -> bytes:
    """A delivery status notification of Postfix's, as a file of the hold mailbox."""
    return (
        top(ticket, return_path) + received + "From: MAILER-DAEMON@mx.example.org (Mail Delivery System)\n"
        "Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status;\n\tboundary="F00.17/mx.example.org"\n\n'
        "This is a MIME-encapsulated message.\n\n--F00.17/mx.example.org\n"
        "Content-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\n"
        "I'm sorry to have to inform you.\n\n--F00.17/mx.example.org\n"
        "Content-Description: Delivery report\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.example.org\nX-Postfix-Queue-ID: 4F2A0B3C5D\n\n"
        + "\n".join(blocks)
        + "\n--F00.17/mx.example.org\nContent-Type: message/rfc822\n\nSubject: the message\n\ntext\n\n"
        "--F00.17/mx.example.org--\n"
    ).encode("utf-8", "surrogateescape")  # fmt: skip


def failed(ticket: str, *addresses: str, received: str = OWN_RECEIVED) -> bytes:
    """A notification that some addresses are none."""
    return notification(ticket, [block(address) for address in addresses], received=received)


QMAIL = (
    "From: MAILER-DAEMON@outside.example\nSubject: failure notice\n\n"
    "Hi. This is the qmail-send program at outside.example.\n"
    "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
    "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
    "<gone@outside.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
    "--- Below this line is a copy of the message.\n\nSubject: the message\n\ntext\n"
)
"""A report in no standard form."""


def absence(ticket: str, return_path: str = "") -> bytes:
    """An out-of-office reply that went to the return path, as RFC 3834 wants it."""
    return (
        top(ticket, return_path) + OTHERS_RECEIVED + "From: gone@outside.example\n"
        "Subject: Automatic reply: the quarter\nAuto-Submitted: auto-replied\n\nI am away until Monday.\n"
    ).encode()
