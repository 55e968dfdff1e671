"""How long a message to one group takes until it is accepted, from RCPT to the 250 after the dot, by group
size.

Contenders: the trivial C milter, ours, and Postfix itself expanding the same group from the same directory
by its `ldap:` alias table. Accepted messages go on hold, so no delivery runs beside the next one; that each
has all its recipients is read back from the queue after each round (`RecipientsMissing`).
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.contenders import start_c
from tests.benchmarks.directory_server import directory_server
from tests.benchmarks.figures import interleaved
from tests.benchmarks.mail_system import SENDER, Lane, ldap_table, start, with_port
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.population import Population, group_address, write
from tests.benchmarks.smtp_timing import Session
from tests.support.postfix import Postfix

ROUNDS = {10: 15, 100: 15, 1_000: 9, 10_000: 3, 50_000: 3}
QUICK_ROUNDS = {10: 2, 100: 2}

LDAP_LIMIT = 10_000
"""Above so many members Postfix's `ldap:` is measured once only: it takes half a millisecond a member."""


class RecipientsMissing(RuntimeError):
    """An accepted message hasn't as many recipients as its group has members."""


def run(bench: Bench) -> Outcome:
    """All sizes, contenders in turns."""
    outcome, rounds = Outcome(), QUICK_ROUNDS if bench.quick else ROUNDS
    population = Population(max(rounds), 0, tuple(rounds))
    ldif = bench.directory() / "people.ldif"
    write(population, ldif)
    with ExitStack() as stack:
        slapd = stack.enter_context(directory_server(population, ldif))
        lanes = _lanes(bench, stack, slapd.uri, ldif, list(rounds))
        postfix = stack.enter_context(start(lanes, None))
        for size, count in rounds.items():
            _measure(bench, postfix, lanes, size, count, outcome)
    return outcome


def _lanes(bench: Bench, stack: ExitStack, slapd_uri: str, ldif: Path, sizes: Sequence[int]) -> list[Lane]:
    trivial = stack.enter_context(start_c(bench.tools, "unix", bench.directory(), sizes))
    lanes = [
        Lane("C milter", trivial.address, hold=True),
        Lane("ldap", aliases=ldap_table(slapd_uri, bench.directory()), hold=True),
    ]
    if bench.start_ours is not None:
        ours = stack.enter_context(bench.start_ours("unix", bench.directory(), ldif, sizes))
        lanes.append(Lane("ours", ours.address, hold=True))
    return [with_port(lane) for lane in lanes]


def _measure(
    bench: Bench, postfix: Postfix, lanes: Sequence[Lane], size: int, rounds: int, outcome: Outcome
) -> None:
    rare = [lane for lane in lanes if lane.name == "ldap" and size >= LDAP_LIMIT]
    often = [lane for lane in lanes if lane not in rare]
    samples = _samples(postfix, often, size, rounds) | _samples(postfix, rare, size, 1)
    outcome.add(f"acceptance/{size}", samples, "ms")
    for numerator, denominator in (("ours", "C milter"), ("ldap", "ours"), ("ldap", "C milter")):
        outcome.compare(f"acceptance/{size}", numerator, denominator)
    bench.tell(
        f"acceptance {size}: " + ", ".join(f"{name} {min(some):.1f} ms" for name, some in samples.items())
    )


def _samples(postfix: Postfix, lanes: Sequence[Lane], size: int, rounds: int) -> dict[str, list[float]]:
    if not lanes:
        return {}
    for lane in lanes:
        _send(lane, 10)
    runs: Mapping[str, Callable[[], float]] = {lane.name: partial(_send, lane, size) for lane in lanes}
    discard_held(postfix)
    samples = interleaved(rounds, runs)
    _check(postfix, size, rounds * len(lanes))
    discard_held(postfix)
    return samples


def _send(lane: Lane, size: int) -> float:
    with Session(lane.port) as session:
        return 1000 * session.seconds(SENDER, group_address(size))


def _check(postfix: Postfix, size: int, messages: int) -> None:
    counts = [len(message["recipients"]) for message in postfix.queue()]
    if counts != [size] * messages:
        raise RecipientsMissing(
            f"wanted {messages} messages with {size} recipients each; the queue has {counts}"
        )


def discard_held(postfix: Postfix) -> None:
    """Empty the hold queue."""
    subprocess.run(
        ["postsuper", "-c", str(postfix.config_directory), "-d", "ALL", "hold"],
        capture_output=True,
        check=True,
    )
