"""Whether a held message may come with a letter, and which files it holds. Pure; never raises.

Source: RFC 2046 section 5.2.1: message/rfc822 is carried as 7bit or 8bit only.
"""

from __future__ import annotations

import email
import email.policy
from email.message import Message
from itertools import islice

from groupmilter.moderation.arrival import plain

_PROGRAMS = frozenset(
    [
        "ade",
        "adp",
        "apk",
        "appx",
        "bat",
        "chm",
        "cmd",
        "com",
        "cpl",
        "dll",
        "docm",
        "dotm",
        "exe",
        "hta",
        "inf",
        "ins",
        "iso",
        "jar",
        "js",
        "jse",
        "lnk",
        "mde",
        "mht",
        "msc",
        "msi",
        "msix",
        "msp",
        "mst",
        "pif",
        "pptm",
        "ps1",
        "reg",
        "scr",
        "sct",
        "shb",
        "sys",
        "vb",
        "vbe",
        "vbs",
        "vhd",
        "vxd",
        "wsc",
        "wsf",
        "wsh",
        "xlam",
        "xlsm",
        "xltm",
    ]
)
_PROGRAM_TYPES = frozenset(
    ("application/x-msdownload", "application/x-dosexec", "application/javascript", "text/javascript")
)
_MOST_PARTS = 200
_LONGEST_LINE = 998


def why_not_attached(message: bytes, largest: int) -> str:
    """Return why a message isn't attached: ``too-large``, ``program``, ``unfit``; empty where it may be."""
    if len(message) > largest:
        return "too-large"
    if (
        b"\0" in message
        or b"\r" in message
        or any(len(line) > _LONGEST_LINE for line in message.split(b"\n"))
    ):
        return "unfit"
    parts = _parts(message)
    if parts is None:
        return "unfit"
    return "program" if any(_program(part) for part in parts) else ""


def attachment_names(message: bytes) -> tuple[str, ...]:
    """Return the names of the files that a message holds, the first twenty, as text for people."""
    parts = _parts(message[: 2**20]) or ()
    return tuple(islice((plain(name, 80) for part in parts if (name := _name(part))), 20))


def _parts(message: bytes) -> tuple[Message, ...] | None:
    try:
        parsed = email.message_from_bytes(message, policy=email.policy.compat32)
        parts = tuple(islice(parsed.walk(), _MOST_PARTS + 1))
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError):
        return None
    return parts if len(parts) <= _MOST_PARTS else None


def _name(part: Message) -> str:
    try:
        return part.get_filename() or ""
    except (ValueError, LookupError, TypeError, AttributeError):
        return "?"


def _program(part: Message) -> bool:
    # A trailing dot or blank is dropped by the systems on which programs run by their name.
    suffix = _name(part).rstrip(". ").rpartition(".")[2].lower()
    return suffix in _PROGRAMS or part.get_content_type() in _PROGRAM_TYPES
