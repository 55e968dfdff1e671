"""Stands for the directory where a test has only a mirror: what that says is all there is."""

from __future__ import annotations

from collections.abc import Sequence

from groupmilter.groups.concern import Concern
from groupmilter.moderation.item import Who


def by_the_mirror(_: Who, __: Sequence[Concern]) -> None:
    """Let whoever the mirror lets."""
