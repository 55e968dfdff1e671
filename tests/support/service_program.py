"""`groupmilter serve` as a program for the tests: a configuration, and optionally a stage, on the command line.

    python -m tests.support.service_program milter,directory,desk,panel /path/config.yaml [/path/stage.json]

Without a stage it is the product and nothing else. With one, what the corpus decides instead of DNS, the clock
and the past comes from that file, read anew for each message: which domains DKIM and SPF prove, what time it
is, and how far the counters' time lies ahead (so that one case's messages don't count in the next case).
These are the seams of `mta.collector.Site`. And the stage may let a worker die (SIGKILL) before a certain edit
of a message, or any process die, fail or wait at a point (`failpoints`). Ends as the supervisor does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from structlog.typing import FilteringBoundLogger
from tests.support.failpoints import Armed, effect, installed

from groupmilter.authentication.evidence import supposed
from groupmilter.authentication.identity import Proofs
from groupmilter.bootstrap import serving
from groupmilter.config.reload import Configuration
from groupmilter.mail.action import Action
from groupmilter.mta import applier, session
from groupmilter.mta.counters import Counters, CountsNow
from groupmilter.mta.site import Site
from groupmilter.policy.facts import Count


@dataclass(frozen=True)
class Stage:
    """The file that the tests write before each message."""

    path: Path

    def proofs(self) -> Proofs:
        """What DKIM and SPF are supposed to prove."""
        said = self._said()
        doubt = frozenset(said["doubt"])
        return Proofs(frozenset(said["dkim"]), frozenset(said["spf"]), doubt, doubt)

    def clock(self) -> datetime:
        """What time it is."""
        return datetime.fromisoformat(self._said()["time"])

    def counters_time(self) -> float:
        """When the counters think it is, in seconds."""
        return self.clock().timestamp() + float(self._said()["ahead"])

    def edits(self, actions: Iterable[Action]) -> Iterator[Action]:
        """The edits of a message; the process dies before the one, or after the last, that is marked."""
        fatal = self._said()["dies_at"]
        for number, action in enumerate((*actions, None)):
            if number == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            if action is not None:
                yield action

    def armed(self) -> Armed | None:
        """Which fail-point is armed."""
        fails = self._said()["fails"]
        return fails and Armed(fails["point"], effect(fails["effect"]), Path(fails["marker"]))

    def _said(self) -> dict[str, Any]:
        said = json.loads(self.path.read_text("utf-8"))
        if not isinstance(said, dict):
            raise TypeError(f"{self.path}: not a stage")
        return said


def serve_on_stage(configuration: Path, roles: tuple[str, ...], stage: Stage) -> int:
    """Serve, with the stage in the place of DNS, clock and past; return the exit code."""
    wired = serving.site

    class StagedCounters(Counters):
        """Counts at the stage's time, whatever the session says."""

        def add(self, counts: Iterable[Count], now: float) -> None:  # noqa: ARG002  (the real clock's time)
            super().add(counts, stage.counters_time())

    def site(configured: Configuration, counters: Counters, log: FilteringBoundLogger) -> Site:
        return replace(
            wired(configured, counters, log),
            prove=lambda evidence: supposed(evidence, stage.proofs()),
            clock=stage.clock,
            counts=lambda: CountsNow(counters, stage.counters_time()),
        )

    def staged_apply(
        actions: Iterable[Action],
        edits: applier.Edits,
        deadline: float,
        observe: bool,
        remember: applier.Remember,
    ) -> int:
        return applier.apply(stage.edits(actions), edits, deadline, observe, remember)

    with (
        patch.object(serving, "site", site),
        patch.object(serving, "Counters", StagedCounters),
        patch.object(session, "apply", staged_apply),
        installed(stage.armed),
    ):
        return serving.serve(configuration, roles)


def main() -> int:
    """Serve until told to stop; return the exit code."""
    roles = tuple(sys.argv[1].split(","))
    configuration, *stage = map(Path, sys.argv[2:])
    if stage:
        return serve_on_stage(configuration, roles, Stage(stage[0]))
    return serving.serve(configuration, roles)


if __name__ == "__main__":
    sys.exit(main())
