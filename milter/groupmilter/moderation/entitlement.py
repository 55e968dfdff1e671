"""Whether somebody may decide at this moment, asked of the directory itself: the mirror may be seconds old.

Who decides on the server isn't asked about. Nothing is decided where the answer is no (`MayNotDecide`), nor where there
is none (`DirectoryUnknown`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from groupmilter.groups.concern import Concern
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.language.spoken import Spoken
from groupmilter.moderation.item import Item, Way, Who

ON_THE_SERVER = frozenset({Way.COMMAND, Way.DESK, Way.MILTER})
"""Ways that need no right in the directory."""

KEPT = 3600
"""Seconds, at least, for which nothing expires about which an answer waits for the directory."""

_PAUSE = 15.0
About = TypeVar("About")


class Undecided(Spoken):
    """Nothing was decided; why is a sentence."""


class MayNotDecide(Undecided):
    """Somebody may not, or no longer, decide."""


class GoesNowhere(Undecided):
    """What is to be approved has no group any more to which it could go."""


Entitled = Callable[[Who, Sequence[Concern]], None]
"""Asks the directory whether somebody may decide about all of these; raises `MayNotDecide`, `DirectoryUnknown`."""

Require = Callable[[Sequence[Item], Who], None]
"""The same of items."""


@dataclass(slots=True)
class Sparing(Generic[About]):
    """Asks on behalf of the desk, and not again at once where nobody answered: each question would wait as long.

    :param require: asks whether somebody may decide about something. ``clock``: seconds from any start.
    """

    require: Callable[[About, Who], None]
    clock: Callable[[], float]
    _silent_until: float = field(default=float("-inf"))
    _why: str = ""

    def __call__(self, about: About, who: Who) -> None:
        """Ask; raises what that does."""
        if self.clock() < self._silent_until:
            raise DirectoryUnknown(self._why)
        try:
            self.require(about, who)
        except DirectoryUnknown as unknown:
            self._silent_until, self._why = self.clock() + _PAUSE, str(unknown)
            raise
