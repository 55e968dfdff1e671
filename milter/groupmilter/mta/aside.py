"""Questions to the state database, asked by a thread of their own while a callback waits, for so long and no longer.

A worker's callbacks run on threads whose Python state libmilter moves about, where a database library with callbacks
of its own must never run; and a database that hangs must not hang the callback. So they hand the question over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Aside:
    """One thread; made after the fork, by the process's main thread."""

    def __init__(self, seconds: float = 5.0) -> None:
        """Wait for ``seconds`` at most for an answer."""
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, "state")

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Return the answer.

        :raises TimeoutError: where it doesn't come in time.
        :raises Exception: whatever the question raises.
        """
        asked = self._thread.submit(question)
        try:
            return asked.result(self._seconds)
        except TimeoutError:
            asked.cancel()
            raise

    def tell(self, errand: Callable[[], object]) -> None:
        """Have something done without waiting for it; what it raises is nobody's."""
        self._thread.submit(errand)

    def start(self) -> None:
        """Begin the thread, from the thread that calls."""
        self._thread.submit(time.monotonic).result()


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
        now = self.clock()
        if now - self._asked >= self.seconds:
            self._answer = self.question()
            self._asked = now
        return self._answer
