"""What lies in the mailboxes of the demonstration: people's mail, groupmilter's letters, held messages.

Fails like reading a file that somebody has removed: OSError.
"""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

from groupmilter.moderation.mailbox import Folder

FOLDERS = tuple(folder.value for folder in Folder)
"""Of the hold mailbox; the first one is where Postfix delivers."""


def parsed(path: Path) -> EmailMessage:
    """Return a message."""
    return read(path.read_bytes())


def read(octets: bytes) -> EmailMessage:
    """Return a message of which these are the octets."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def is_letter(path: Path) -> bool:
    """Tell groupmilter's own letters from people's mail."""
    return b"\nAuto-Submitted: auto-generated\n" in path.read_bytes().partition(b"\n\n")[0]


def text_of(message: EmailMessage) -> str:
    """Return the text of a message, as a mail program on a terminal shows it."""
    part = message.get_body(("plain",))
    return str(part.get_content()).replace("\r\n", "\n").strip() if part is not None else ""


def files(maildir: Path) -> dict[str, Path]:
    """Return the files of a Maildir and its folders by their names, which stay the same wherever they are moved."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        base = maildir / f".{folder}" if folder else maildir
        for part in ("new", "cur"):
            found |= {path.name.partition(":")[0]: path for path in (base / part).glob("[!.]*")}
    return found


def folder_of(path: Path) -> str:
    """Return the folder of the hold mailbox that a file stands in."""
    name = path.parent.parent.name
    return name.removeprefix(".") if name.startswith(".") else ""
