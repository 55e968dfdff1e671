"""Raw milter transactions: no MTA, only the load generator and the filter, side by side on one machine.

Per socket kind, number of connections, and kept or fresh connections: transactions per second, the filter's
CPU time per message (its whole process tree), and latencies. 3 recipients of which one is a 10-member
group, 10 headers, 2 KB. Afterwards the memory of our processes, warm. A run with errors, or in which
messages weren't expanded, is no figure: `LoadFailed`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from tests.benchmarks import processes
from tests.benchmarks.bench import Bench
from tests.benchmarks.contenders import Kind, Milter, start_c, start_pymilter
from tests.benchmarks.figures import interleaved
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.population import Population, group_address, write
from tests.benchmarks.programs import Load, run_load

MEMBERS = 10
PEOPLE = 2_000
GROUPS = 200


class LoadFailed(RuntimeError):
    """The filter broke connections or didn't do its work."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One way of loading a filter."""

    kind: Kind
    fresh: bool
    connections: int

    @property
    def name(self) -> str:
        """As it appears in the figures' names."""
        return f"{self.kind}/{'fresh' if self.fresh else 'kept'}/{self.connections}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One run's figures; `cpu` in milliseconds of the filter's CPU per message."""

    tps: float
    cpu: float
    p50: float
    p99: float


def run(bench: Bench) -> Outcome:
    """All shapes, contenders in turns."""
    outcome = Outcome()
    with ExitStack() as stack:
        milters = {kind: _start(bench, stack, kind) for kind in _kinds()}
        for shape in _shapes(bench.quick):
            bench.tell(f"raw {shape.name}")
            _measure(bench, shape, milters[shape.kind], outcome)
        _memory(milters["unix"], outcome)
    return outcome


def _kinds() -> tuple[Kind, ...]:
    return ("unix", "tcp")


def _shapes(quick: bool) -> Iterator[Shape]:
    if quick:
        yield from (Shape(kind, False, 8) for kind in _kinds())
        return
    for kind, fresh, connections in product(_kinds(), (False, True), (1, 8, 64)):
        yield Shape(kind, fresh, connections)


def _start(bench: Bench, stack: ExitStack, kind: Kind) -> list[Milter]:
    started = [
        start_c(bench.tools, kind, bench.directory(), [MEMBERS]),
        start_pymilter(kind, bench.directory(), [MEMBERS]),
    ]
    if bench.start_ours is not None:
        ldif = bench.directory() / "people.ldif"
        write(Population(PEOPLE, GROUPS, (MEMBERS,)), ldif)
        started.append(bench.start_ours(kind, bench.directory(), ldif, [MEMBERS]))
    for milter in started:
        stack.enter_context(milter)
    return started


def _measure(bench: Bench, shape: Shape, milters: list[Milter], outcome: Outcome) -> None:
    load = Load(
        connections=shape.connections,
        seconds=0.5 if bench.quick else 2.0,
        fresh=shape.fresh,
        groups=(group_address(MEMBERS),),
    )
    runs: Mapping[str, Callable[[], Sample]] = {
        milter.name: partial(_sample, bench, milter, load) for milter in milters
    }
    samples = interleaved(1 if bench.quick else 5, runs)
    for part, unit in (("tps", "transactions/s"), ("cpu", "CPU ms/message"), ("p50", "ms"), ("p99", "ms")):
        prefix = f"raw/{shape.name}" if part == "tps" else f"raw {part}/{shape.name}"
        outcome.add(
            prefix, {name: [getattr(one, part) for one in some] for name, some in samples.items()}, unit
        )
    for name in ("ours", "trivial pymilter"):
        outcome.compare(f"raw/{shape.name}", name, "C milter")
        outcome.compare(f"raw cpu/{shape.name}", name, "C milter")


def _sample(bench: Bench, milter: Milter, load: Load) -> Sample:
    before = processes.cpu_seconds(milter.process.pid)
    told = run_load(bench.tools, milter.address.libmilter, load)
    # A fresh connection's last message may still be on the filter's side when the load has ended.
    time.sleep(0.05)
    check(MEMBERS, milter.name, told)
    spent = processes.cpu_seconds(milter.process.pid) - before
    return Sample(told["tps"], 1000 * spent / told["transactions"], told["p50_ms"], told["p99_ms"])


def check(members: int, name: str, told: Mapping[str, Any]) -> None:
    """LoadFailed unless every message was answered, continued and expanded to so many members."""
    expanded = told["modifications_per_message"] >= members + 1
    if told["errors"] or not told["transactions"] or set(told["verdicts"]) != {"c"} or not expanded:
        raise LoadFailed(f"{name} under load: {told}")


def _memory(milters: list[Milter], outcome: Outcome) -> None:
    for milter in milters:
        found = processes.memory(milter.process.pid)
        pss = [one.pss / 1e6 for one in found]
        outcome.add("memory/all processes", {milter.name: [sum(pss)]}, "MB PSS")
        outcome.add("memory/largest process", {milter.name: [max(pss)]}, "MB PSS")
        if milter.name == "ours":
            outcome.add("memory", {"worker": [max(pss)]}, "MB PSS")
            listing = ", ".join(f"{one.rss / 1e6:.0f}/{one.pss / 1e6:.0f}" for one in found)
            outcome.remarks.append(
                f"memory of our processes, RSS/PSS in MB: {listing}; 'worker' is the largest one"
            )
