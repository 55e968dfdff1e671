"""What is asked of the MTA at the end of a message, as values.

The order of a plan is part of its meaning: every recipient is added before any is deleted, because an envelope
without recipients is answered 250 and lost. Source: libmilter's smfi_addrcpt_par, smfi_delrcpt, smfi_addheader,
smfi_chgheader, smfi_chgfrom pages; RFC 3461 for ORCPT and NOTIFY.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddRecipient:
    """Add one recipient, ``address`` without brackets, with its ESMTP parameters (``NOTIFY=NEVER ORCPT=...``)."""

    address: str
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """Delete a recipient spelt exactly so; Postfix compares byte for byte."""

    address: str


@dataclass(frozen=True, slots=True)
class AddHeader:
    """Append one header field."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class InsertHeader:
    """Put one header field on top, below the MTA's own Received.

    So a signature over fields of that name that are there already still holds: it is read from the bottom up
    (RFC 6376 section 5.4.2).
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class DeleteHeader:
    """Delete the so-manyth field of a name, counted from 1.

    The last of a name goes first: on some MTAs those behind a deleted one move up (CVE-2022-48521).
    """

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class ChangeSender:
    """Change the envelope sender, for every recipient of the message."""

    address: str


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Asked of the state, not of the MTA: the split copy with this ticket need not reach these addresses."""

    ticket: str
    addresses: tuple[str, ...]


Action = LeaveOut | AddRecipient | DeleteRecipient | AddHeader | InsertHeader | DeleteHeader | ChangeSender
