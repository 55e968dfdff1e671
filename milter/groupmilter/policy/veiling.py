"""What keeps members' mail programs from telling the sender who they are, where members are hidden. Pure.

Requests for receipts are taken out, and what asks programs for an automatic answer gives way to what forbids it. A
sender who signs such a field would otherwise choose by his signature to learn the members; so it goes even where a
signature covers it. That signature then holds no more: the one exception to what `plan` promises of signatures.

Sources: RFC 8098 section 2.1 (receipts), RFC 3834 section 5 (Precedence), MS-OXCMAIL 2.1.3.2.21
(X-Auto-Response-Suppress).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from groupmilter.groups.expansion import Expansion
from groupmilter.mail.action import AddHeader, DeleteHeader
from groupmilter.policy.facts import Content

RECEIPTS = (
    "Disposition-Notification-To", "Disposition-Notification-Options", "Return-Receipt-To",
    "Return-Receipt-Requested", "Read-Receipt-To", "Receipt-Requested-To", "X-Confirm-Reading-To",
    "Generate-Delivery-Report", "Errors-To",
)  # fmt: skip
"""Fields by which a sender asks recipients' programs and servers to write to him."""

_SUPPRESSED = frozenset({"dr", "rn", "nrn", "oof", "autoreply"})
_SUPPRESS = "DR, RN, NRN, OOF, AutoReply"
"""Not NDR: Exchange would keep failures to itself, and dead members would never be noticed."""

_QUIET = frozenset({"list", "bulk", "junk"})
_WORD = re.compile(r"[a-z]+")


def veiled(expansion: Expansion) -> bool:
    """Tell whether any of the members is a hidden one."""
    return any(group.hidden_members for group in expansion.walked)


def veil(content: Content) -> Iterator[DeleteHeader | AddHeader]:
    """Yield what to delete and to add in a copy for hidden members."""
    for name in RECEIPTS:
        yield from _without(name, content)
    if not _words("precedence", content) & _QUIET:
        yield from _without("Precedence", content)
        yield AddHeader("Precedence", "list")
    said = _words("x-auto-response-suppress", content)
    if "all" not in said and not said >= _SUPPRESSED:
        yield from _without("X-Auto-Response-Suppress", content)
        yield AddHeader("X-Auto-Response-Suppress", _SUPPRESS)


def _words(name: str, content: Content) -> set[str]:
    """Return the words of a field that stands there once; of several nobody knows which one a program reads."""
    values = content.values(name)
    return set(_WORD.findall(values[0].lower())) if len(values) == 1 else set()


def _without(name: str, content: Content) -> Iterator[DeleteHeader]:
    for place in range(len(content.values(name.lower())), 0, -1):
        yield DeleteHeader(name, place)
