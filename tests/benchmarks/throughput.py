"""Messages per second through a real Postfix, at 20 sessions with one message each.

Accepted: until the last 250 that the clients got. Arrived: until the last copy is at the sink. Both with
deliveries running beside, as in life. A sink that doesn't get all copies in time is a `TimeoutError`: lost
mail is no figure.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tests.benchmarks.bench import Bench
from tests.benchmarks.contenders import Kind, Milter, start_c
from tests.benchmarks.figures import interleaved
from tests.benchmarks.mail_system import SENDER, Lane, start, with_port
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.population import Population, group_address, person_address, write
from tests.benchmarks.programs import Sink, smtp_source

MEMBERS = 10
PEOPLE = 2_000
SESSIONS = 20
ARRIVAL_DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class Post:
    """Messages to one address through one lane; `copies` reach the sink for each."""

    name: str
    lane: Lane
    recipient: str
    copies: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Messages per second, accepted and arrived."""

    accepted: float
    arrived: float


def run(bench: Bench) -> Outcome:
    """All lanes in turns."""
    outcome = Outcome()
    with ExitStack() as stack:
        sink = stack.enter_context(Sink(bench.tools))
        posts = [post for milter, kind in _milters(bench, stack) for post in _posts(milter, kind)]
        posts.append(Post("no milter/persons/no milter", with_port(Lane("none")), person_address(0), 1))
        stack.enter_context(start(list(dict.fromkeys(post.lane for post in posts)), sink.port))
        samples = _samples(bench, sink, posts)
    _report(samples, outcome)
    return outcome


def _milters(bench: Bench, stack: ExitStack) -> list[tuple[Milter, Kind]]:
    kinds: tuple[Kind, ...] = ("unix", "tcp")
    started: list[tuple[Milter, Kind]] = [
        (start_c(bench.tools, kind, bench.directory(), [MEMBERS]), kind) for kind in kinds
    ]
    started.append((start_c(bench.tools, "tcp", bench.directory(), [MEMBERS], stalls=True), "tcp"))
    if bench.start_ours is not None:
        ldif = bench.directory() / "people.ldif"
        write(Population(PEOPLE, 200, (MEMBERS,)), ldif)
        started += [(bench.start_ours(kind, bench.directory(), ldif, [MEMBERS]), kind) for kind in kinds]
    for milter, _ in started:
        stack.enter_context(milter)
    return started


def _posts(milter: Milter, kind: Kind) -> list[Post]:
    lane = with_port(Lane(milter.name, milter.address))
    group = Post(f"{kind}/group/{milter.name}", lane, group_address(MEMBERS), MEMBERS)
    persons = Post(f"{kind}/persons/{milter.name}", lane, person_address(0), 1)
    return [group] if "comes" in milter.name else [group, persons]


def _samples(bench: Bench, sink: Sink, posts: list[Post]) -> dict[str, list[Sample]]:
    messages = 40 if bench.quick else 1000
    for post in posts:
        _post(sink, post, SESSIONS)
    runs: Mapping[str, Callable[[], Sample]] = {
        post.name: partial(_told, bench, sink, post, messages) for post in posts
    }
    return interleaved(1 if bench.quick else 7, runs)


def _told(bench: Bench, sink: Sink, post: Post, messages: int) -> Sample:
    sample = _post(sink, post, messages)
    bench.tell(f"throughput {post.name}: {sample.accepted:.0f} accepted/s, {sample.arrived:.0f} arrived/s")
    return sample


def _post(sink: Sink, post: Post, messages: int) -> Sample:
    sink.reset()
    started, wall = time.monotonic(), time.time()
    smtp_source(post.lane.port, SENDER, post.recipient, SESSIONS, messages)
    accepted = time.monotonic() - started
    arrived = _wait_arrival(sink, post, messages) - wall
    return Sample(messages / accepted, messages / arrived)


def _wait_arrival(sink: Sink, post: Post, messages: int) -> float:
    """Unix time of the last copy's arrival."""
    deadline = time.monotonic() + ARRIVAL_DEADLINE
    while (counters := sink.counters())["recipients"] < messages * post.copies:
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{post.name}: {counters} of {messages} messages with {post.copies} copies each"
            )
        time.sleep(0.05)
    return counters["last_dot"]


def _report(samples: Mapping[str, list[Sample]], outcome: Outcome) -> None:
    for name, some in samples.items():
        prefix, _, contender = name.rpartition("/")
        outcome.add(f"throughput/{prefix}", {contender: [one.accepted for one in some]}, "accepted/s")
        outcome.add(f"throughput arrived/{prefix}", {contender: [one.arrived for one in some]}, "arrived/s")
    for kind in ("unix", "tcp"):
        for what in ("group", "persons"):
            outcome.compare(f"throughput/{kind}/{what}", "ours", "C milter")
            outcome.compare(f"throughput arrived/{kind}/{what}", "ours", "C milter")
    _against_other_lanes(outcome)


def _against_other_lanes(outcome: Outcome) -> None:
    """Ratios across lanes: TCP against the Unix socket, and everybody against no milter at all."""
    unix = outcome.figures["throughput/unix/group/C milter"]
    none = outcome.figures["throughput/no milter/persons/no milter"]
    ours = outcome.figures.get("throughput/tcp/group/ours")
    if ours is not None:
        outcome.ratios["throughput/tcp/group/ours:C milter on unix"] = ours.median / unix.median
    for name, one in list(outcome.figures.items()):
        if name.startswith("throughput/") and one is not none:
            outcome.ratios[f"{name}:no milter"] = one.median / none.median
