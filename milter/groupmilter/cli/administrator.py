"""Who gives a command: what the ledger keeps of a decision by command. Never fails: somebody is always somebody."""

from __future__ import annotations

import os
import pwd
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groupmilter.moderation.item import Who


def administrator() -> Who:
    """Return who gives this command and from where: behind sudo or doas the person, not root.

    Whoever may write the ledger could write anything into it; this is for honest people who want to know later.
    """
    from groupmilter.moderation.item import Way, Who

    name = _behind_root() if os.geteuid() == 0 else ""
    return Who(name or _account(), Way.COMMAND, origin=_terminal())


def _behind_root() -> str:
    named = next((os.environ[name] for name in ("SUDO_USER", "DOAS_USER") if os.environ.get(name)), "")
    if named:
        return named
    try:
        return os.getlogin()
    except OSError:
        return ""


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _terminal() -> str:
    """Return the terminal, and where it was opened from if the session says so."""
    try:
        terminal = os.ttyname(sys.stdin.fileno()).removeprefix("/dev/")
    except (OSError, ValueError, AttributeError):
        return ""
    client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return f"{terminal} {client}".strip()
