"""Named points at which the product can be made to die, fail or wait. The product itself knows nothing of them.

    with installed(lambda: Armed("record: recorded", kill, marker)):
        ...                             (tests.support.service_program: for a whole service, told by its stage)

`POINTS` (held mail) and `REPORT_POINTS` (reports about members) name each: a method (or a function of a module), and
the moment before or after it. While they are installed, those methods are wrapped; a point fires once, the first time
that it is passed (its marker file is made then, by one process alone), so that the process which is started in place of
a dead one goes on.

It fails with `LookupError` for a name that is in no table, and with AttributeError for a method that the product
doesn't have any more.
"""

from __future__ import annotations

import errno
import functools
import importlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import patch

from groupmilter.groups.ticket import Kind
from groupmilter.moderation.item import Event
from groupmilter.moderation.mailbox import Folder
from groupmilter.moderation.submission import Envelope

Effect = Callable[[], None]
Call = Callable[..., Any]
_PATIENCE = 300.0


class Moment(StrEnum):
    """On which side of a step a point lies."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Point:
    """One point. `owner`: ``module`` or ``module:Class``; `given`: which calls count, by their arguments."""

    owner: str
    step: str
    moment: Moment
    given: Callable[..., bool] = lambda *_, **__: True

    def holder(self) -> Any:  # noqa: ANN401  (a module or a class)
        """The module or class that has the step."""
        module, _, name = self.owner.partition(":")
        found = importlib.import_module(module)
        return getattr(found, name) if name else found


def _among(value: object) -> Callable[..., bool]:
    return lambda *given, **named: value in given or value in named.values()


def _letter(envelope: Envelope, _: bytes) -> bool:
    return not envelope.sender or envelope.sender.startswith("bounce+")


def _release(envelope: Envelope, _: bytes) -> bool:
    return not _letter(envelope, b"")


def _answer(arrival: Any, *_: object, **__: object) -> bool:  # noqa: ANN401
    return arrival.kind is Kind.ANSWER


_BEFORE, _AFTER = Moment.BEFORE, Moment.AFTER
_MTA, _DESK = "groupmilter.mta", "groupmilter.moderation"
_COLLECTOR, _APPLIER = f"{_MTA}.collector:Collector", f"{_MTA}.applier"
_LEDGER, _MAILDIR = f"{_DESK}.ledger:Ledger", f"{_DESK}.mailbox:Maildir"
_LETTERS, _BOOK = f"{_DESK}.letter_queue:LetterQueue", f"{_DESK}.release_book:ReleaseBook"
_BOUNCES = f"{_DESK}.bounce_book:BounceBook"
_SUBMITTER, _SUBMISSION = f"{_DESK}.submission:Submitter", f"{_DESK}.submission"

POINTS: Mapping[str, Point] = {
    # accept: the milter, at the end of the message that is held
    "accept: before deciding": Point(_COLLECTOR, "end", _BEFORE),
    "accept: decided, no edit made": Point(_COLLECTOR, "end", _AFTER),
    "accept: first edit made": Point(_APPLIER, "_perform", _AFTER),
    "accept: all edits made, not answered": Point(f"{_MTA}.counters:Counters", "add", _BEFORE),
    # record: the desk takes in what the MTA has delivered
    "record: before reading": Point(_MAILDIR, "read", _BEFORE),
    "record: read": Point(_MAILDIR, "read", _AFTER),
    "record: before the row": Point(_LEDGER, "record", _BEFORE),
    "record: recorded": Point(_LEDGER, "record", _AFTER),
    "record: before planning letters": Point(_LETTERS, "plan", _BEFORE),
    "record: letters planned": Point(_LETTERS, "plan", _AFTER),
    "record: before filing": Point(_MAILDIR, "move", _BEFORE, _among(Folder.HELD)),
    "record: not renamed yet": Point(f"{_DESK}.mailbox", "_rename", _BEFORE),
    "record: filed": Point(_MAILDIR, "move", _AFTER, _among(Folder.HELD)),
    # notify: letters to moderators
    "notify: composed": Point(f"{_DESK}.letters:Letters", "request", _AFTER),
    "notify: before submitting": Point(_SUBMITTER, "submit", _BEFORE, _letter),
    "notify: taken by the MTA, not noted": Point(_SUBMITTER, "submit", _AFTER, _letter),
    "notify: before noting": Point(_LETTERS, "sent", _BEFORE),
    "notify: noted": Point(_LETTERS, "sent", _AFTER),
    # decide: by whatever way
    "decide: an answer read": Point(f"{_DESK}.answers:Answers", "take", _BEFORE, _answer),
    "decide: before approving": Point(_LEDGER, "change_each", _BEFORE, _among(Event.APPROVE)),
    "decide: approved": Point(_LEDGER, "change_each", _AFTER, _among(Event.APPROVE)),
    "decide: before rejecting": Point(_LEDGER, "change_each", _BEFORE, _among(Event.REJECT)),
    "decide: rejected": Point(_LEDGER, "change_each", _AFTER, _among(Event.REJECT)),
    "decide: answered, the answer still there": Point(f"{_DESK}.answers:Answers", "take", _AFTER, _answer),
    "decide: the answer removed": Point(_MAILDIR, "remove", _AFTER),
    # release: the desk submits, the milter expands
    "release: due": Point(f"{_DESK}.release:Releases", "release", _BEFORE),
    "release: before noting the ticket": Point(_BOOK, "prepare", _BEFORE),
    "release: ticket noted": Point(_BOOK, "prepare", _AFTER),
    "release: before MAIL": Point(_SUBMITTER, "submit", _BEFORE, _release),
    "release: in DATA": Point(_SUBMISSION, "_dotted", _AFTER),
    "release: before spending": Point(_BOOK, "spend", _BEFORE),
    "release: spent, not answered": Point(_BOOK, "spend", _AFTER),
    "release: taken by the MTA, not noted": Point(_SUBMITTER, "submit", _AFTER, _release),
    "release: before noting the acceptance": Point(_BOOK, "accepted", _BEFORE),
    "release: acceptance noted": Point(_BOOK, "accepted", _AFTER),
    "release: before the end": Point(_LEDGER, "change", _BEFORE, _among(Event.RELEASE)),
    "release: ended, not on disk": Point(_LEDGER, "change", _AFTER, _among(Event.RELEASE)),
    "release: over": Point(f"{_DESK}.release:Releases", "release", _AFTER),
    # settle: files follow decisions
    "settle: before filing a released one": Point(_MAILDIR, "move", _BEFORE, _among(Folder.APPROVED)),
    "settle: filed a released one": Point(_MAILDIR, "move", _AFTER, _among(Folder.APPROVED)),
    "settle: before filing a rejected one": Point(_MAILDIR, "move", _BEFORE, _among(Folder.REJECTED)),
    "settle: filed a rejected one": Point(_MAILDIR, "move", _AFTER, _among(Folder.REJECTED)),
}

REPORT_POINTS: Mapping[str, Point] = {
    # count: the desk takes in a report about a member
    "count: before reading": Point(f"{_DESK}.intake", "read_report", _BEFORE),
    "count: read": Point(f"{_DESK}.intake", "read_report", _AFTER),
    "count: before the row": Point(_BOUNCES, "count_each", _BEFORE),
    "count: counted, not on disk": Point(_BOUNCES, "count_each", _AFTER),
    "count: before suspending": Point(_BOUNCES, "suspend_each", _BEFORE),
    "count: suspended, not on disk": Point(_BOUNCES, "suspend_each", _AFTER),
    "count: on disk, before filing": Point(_MAILDIR, "move", _BEFORE, _among(Folder.REPORTS)),
    "count: filed": Point(_MAILDIR, "move", _AFTER, _among(Folder.REPORTS)),
}

RETURN_POINTS: Mapping[str, Point] = {
    # return: the desk takes in a report about a letter of its own
    "return: before asking others": Point(f"{_DESK}.correspondence:Correspondence", "returned", _BEFORE),
    "return: others asked, not noted": Point(_LETTERS, "returned", _BEFORE),
    "return: noted, not on disk": Point(_LETTERS, "returned", _AFTER),
    "return: on disk, before filing": Point(_MAILDIR, "move", _BEFORE, _among(Folder.REPORTS)),
}

EVERY = {**POINTS, **REPORT_POINTS, **RETURN_POINTS}

MAY_DELIVER_TWICE = frozenset(
    {
        "release: taken by the MTA, not noted",
        "release: before noting the acceptance",
        "release: acceptance noted",
        "release: before the end",
        "release: ended, not on disk",
    }
)
"""Between the MTA's answer and the ledger's commit: the documented window, and nothing beside it."""


@dataclass(frozen=True, slots=True)
class Armed:
    """What is to happen where. `marker`: the file that is made when it does."""

    name: str
    effect: Effect
    marker: Path

    def __post_init__(self) -> None:
        if self.name not in EVERY:
            raise LookupError(f"no fail-point {self.name!r}")

    def fire(self) -> None:
        """Let it happen, unless it has happened before."""
        try:
            os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return
        self.effect()


def kill() -> None:
    """End this process as by kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def effect(word: str) -> Effect:
    """The effect of a word: ``kill``, an errno's name such as ``ENOSPC``, seconds to sleep, or a file to wait for."""
    if word == "kill":
        return kill
    if word.isupper():
        return functools.partial(_raise, getattr(errno, word))
    if word.startswith("/"):
        return functools.partial(_wait_for, Path(word))
    return functools.partial(time.sleep, float(word))


def _wait_for(file: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.05)


@contextmanager
def installed(armed: Callable[[], Armed | None]) -> Iterator[None]:
    """Wrap every step of the table; each time that one is passed, `armed` tells what is to happen."""
    with ExitStack() as undo:
        for owner, step in sorted({(point.owner, point.step) for point in EVERY.values()}):
            names = [name for name, point in EVERY.items() if (point.owner, point.step) == (owner, step)]
            holder = EVERY[names[0]].holder()
            undo.enter_context(
                patch.object(holder, step, _wrapped(getattr(holder, step), names, holder, armed))
            )
        yield


def _wrapped(step: Call, names: list[str], holder: object, armed: Callable[[], Armed | None]) -> Call:
    bound = 1 if isinstance(holder, type) else 0

    def passed(moment: Moment, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        told = armed()
        if told is None or told.name not in names:
            return
        point = EVERY[told.name]
        if point.moment is moment and point.given(*given[bound:], **named):
            told.fire()

    @functools.wraps(step)
    def wrapper(*given: Any, **named: Any) -> Any:  # noqa: ANN401  (of any method)
        passed(Moment.BEFORE, given, named)
        result = step(*given, **named)
        passed(Moment.AFTER, given, named)
        return result

    return wrapper


def _raise(number: int) -> None:
    raise OSError(number, os.strerror(number))
