"""The desk's work, piece by piece: what can't be done now keeps nothing else waiting, and is logged once until it can.

What is foreseen (ledger, directory, files) is one line; anything else is a surprise, with its traceback.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.moderation.ledger import LedgerUnavailable

FORESEEN = (LedgerUnavailable, DirectoryUnknown, OSError)

Result = TypeVar("Result")


@dataclass(slots=True)
class Attempts:
    """What failed last time, by step; a step is for one thread."""

    log: FilteringBoundLogger
    _known: dict[str, frozenset[str]] = field(default_factory=dict)

    def step(self, name: str, work: Callable[[], Result]) -> Result | None:
        """Return what comes of a piece of work; None where it failed."""
        try:
            result = work()
        except Exception as trouble:  # noqa: BLE001 - the guard of a loop that goes on: it is logged below
            self._tell(name, {"": trouble})
            return None
        self._tell(name, {})
        return result

    def each(self, name: str, things: Iterable[str], work: Callable[[str], Result]) -> dict[str, Result]:
        """Do something with each of several things; return what came of those with which it didn't fail.

        :raises LedgerUnavailable: nobody else's turn would come out better.
        """
        done: dict[str, Result] = {}
        failed: dict[str, Exception] = {}
        for thing in things:
            try:
                done[thing] = work(thing)
            except LedgerUnavailable:
                raise
            except Exception as trouble:  # noqa: BLE001 - as above
                failed[thing] = trouble
        self._tell(name, failed)
        return done

    def _tell(self, name: str, failed: Mapping[str, Exception]) -> None:
        """Log what is new about a step: trouble that wasn't there last time, or that all is well again."""
        things = defaultdict[str, list[str]](list)
        for thing, trouble in failed.items():
            things[_why(trouble)].append(thing)
        known = self._known.get(name, frozenset())
        for why, concerned in things.items():
            if why not in known:
                trouble = failed[concerned[0]]
                self.log.error(
                    "desk can't go on with a step", step=name, why=why, first=concerned[0], count=len(concerned),
                    exc_info=None if isinstance(trouble, FORESEEN) else trouble,
                )  # fmt: skip
        if known and not failed:
            self.log.info("desk goes on", step=name)
        self._known[name] = frozenset(things)


def _why(trouble: Exception) -> str:
    return str(trouble) if isinstance(trouble, FORESEEN) else f"{type(trouble).__name__}: {trouble}"
