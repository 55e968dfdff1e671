"""Questions to the state database, asked by a thread of their own while a callback waits, for so long and no longer.

A worker's callbacks run on threads whose Python state libmilter moves about, where a database library with callbacks
of its own must never run; and a database that hangs must not hang the callback. So they hand the question over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

Answer = TypeVar("Answer")


class Aside:
    """One thread, begun with the first question; made after the fork."""

    def __init__(self, seconds: float = 5.0) -> None:
        """Wait for ``seconds`` at most for an answer."""
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, "state")
        self._late: Future[object] | None = None

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Return the answer.

        :raises TimeoutError: where it doesn't come in time; at once while an earlier one is still being waited for.
        :raises Exception: whatever the question raises.
        """
        if self._late is not None and not self._late.done():
            raise TimeoutError("an earlier question has no answer yet")
        asked = self._thread.submit(question)
        try:
            return asked.result(self._seconds)
        except TimeoutError as late:
            if asked.done() or asked.cancel():
                raise
            self._late = cast(Future[object], asked)
            raise TimeoutError(f"no answer in {self._seconds:g} s") from late

    def tell(self, errand: Callable[[], object]) -> None:
        """Have something done without waiting for it; what it raises is the errand's own business."""
        self._thread.submit(errand)


@dataclass(slots=True)
class Remembered(Generic[Answer]):
    """An answer that is good for a moment, so that a flood of messages doesn't become a flood of questions.

    :param seconds: for how long; a failure is asked again as seldom.
    """

    question: Callable[[], Answer | None]
    seconds: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _answer: Answer | None = None
    _asked: float = field(default=float("-inf"))

    def __call__(self) -> Answer | None:
        """Return the answer, None where there was none."""
        if self.clock() - self._asked >= self.seconds:
            self._answer = self.question()
            # From the answer on, which may have been long in coming.
            self._asked = self.clock()
        return self._answer
