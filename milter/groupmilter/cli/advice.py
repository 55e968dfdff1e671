"""What ``check`` says: one value a line, from whichever part of the host it is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much it matters: an error makes ``check`` end with exit code 1, a hint only says what could be safer."""

    OK = "ok"
    HINT = "hint"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing that was looked at.

    :param area: configuration, directory, dns, mirror, groups, moderation, postfix, sendmail.
    :param subject: what it is about: an option, a file, a group.
    :param text: what is so, and why it matters.
    :param fix: the line to set, or empty.
    """

    level: Level
    area: str
    subject: str
    text: str
    fix: str = ""
