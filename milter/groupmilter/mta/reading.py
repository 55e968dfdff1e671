"""What the header and the envelope name: authors, and whose an address is. Pure but for the directory's questions."""

from __future__ import annotations

from collections.abc import Sequence

from groupmilter.groups.directory import Directory
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.mail.address import canonical, extended
from groupmilter.mail.header import mailboxes, mentioned

EXTENSIONS = frozenset({"join", "leave", "owner", "approve", "reject"})
"""Address extensions of a group that mean something of their own (specification 4.1)."""


def authors(fields: Sequence[str], own: frozenset[str]) -> tuple[tuple[str, ...], bool]:
    """Return all authors, and whether From stands once and can be read without doubt.

    Of a field that can't be, whatever looks like an address: some mail program shows it, so it counts against the
    sender, and proves nothing.
    """
    read = [mailboxes(value) for value in fields]
    named = (
        addresses if addresses is not None else sorted(mentioned((value,)))
        for value, addresses in zip(fields, read, strict=True)
    )
    found = tuple(canonical(a, own) or a for addresses in named for a in addresses)
    return found, len(fields) == 1 and read[0] is not None


def single(fields: Sequence[str], own: frozenset[str]) -> str:
    """Return the one mailbox of the one field, canonical; empty where there is none or more."""
    read = mailboxes(fields[0]) if len(fields) == 1 else None
    return (canonical(read[0], own) or "") if read is not None and len(read) == 1 else ""


def entry(address: str, delimiter: str, directory: Directory) -> tuple[Group | Person | None, str]:
    """Return whose address it is, with an extension taken off where the address itself is nobody's."""
    entry = directory.find(address)
    if entry is not None:
        return entry, ""
    base, extension = extended(address, delimiter)
    if not base:
        return None, ""
    entry = directory.find(base)
    reserved = extension.lower() if isinstance(entry, Group) and extension.lower() in EXTENSIONS else ""
    return entry, reserved
