"""Held mail: how fast it is held, decided about and released, and what the desk costs meanwhile.

One installation (`groupmilter postfix`, all roles) on an office of a few people. The hold mailbox is filled through
Postfix, in turns with plain delivery into the same Maildir, both with the desk at work beside. A message that is not
recorded, released or delivered in time is a `TimeoutError`: lost mail is no figure.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import interleaved
from tests.benchmarks.mail_system import SENDER
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.processes import cpu_seconds, memory
from tests.benchmarks.programs import Sink, smtp_source
from tests.support.installation import Installation, installation
from tests.support.office import COMMERCIAL, OFFICE, group, member
from tests.support.ports import LOOPBACK, free_port
from tests.support.service import Service

from groupmilter.moderation.item import Event, Item, State, Way, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Folder, Maildir

SESSIONS = 20
MEMBERS = 2
DEADLINE = 1800.0
ROOT = Who("root", Way.COMMAND)
OPEN = "ouvert@masociete.example"
LIMIT = 10_000_000
POLICY = {
    "storm": {"messages": {"messages": 0, "per": "10m"}, "replies": {"messages": 0, "per": "10m"}},
    "moderation": {"group_quota": LIMIT, "quota": LIMIT},
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: messages of one run, runs, single decisions, items that wait, seconds of rest."""

    messages: int
    rounds: int
    decisions: int
    items: int
    rest: float


FULL = Sizes(1_000, 3, 30, 10_000, 30.0)
QUICK = Sizes(40, 1, 3, 100, 2.0)


@dataclass(frozen=True, slots=True)
class House:
    """What runs."""

    site: Installation
    ledger: Ledger
    sink: Sink
    plain: int

    @property
    def mailbox(self) -> Maildir:
        """The hold mailbox."""
        return Maildir(self.site.service.hold)

    @property
    def desk(self) -> int:
        """The desk's process id."""
        (pid,) = self.site.service.processes("desk")
        return pid

    def count(self, *states: State) -> int:
        """How many items are in some states."""
        counts = self.ledger.search.counts()
        return sum(counts.get(state, 0) for state in states)


def run(bench: Bench) -> Outcome:
    """All of it, from nothing held to nothing held."""
    sizes, outcome = QUICK if bench.quick else FULL, Outcome()
    with _house(bench) as house:
        _idle(bench, house, sizes, outcome, "nothing held")
        _decisions(bench, house, sizes, outcome)
        _throughput(bench, house, sizes, outcome)
        _many(bench, house, sizes, outcome)
    return outcome


@contextmanager
def _house(bench: Bench) -> Iterator[House]:
    folder = bench.directory()
    (folder / "policy.yaml").write_text(yaml.safe_dump(POLICY), "utf-8")
    office = folder / "office.ldif"
    more = group("ouvert", "dgRequireAuthentication: FALSE", *member("pierre", "bob"))
    office.write_text(OFFICE.read_text("utf-8") + "\n" + more, "utf-8")
    options: dict[str, Any] = {"policies": [str(folder / "policy.yaml")]}
    with (
        Sink(bench.tools) as sink,
        Service(f"ldif:{office}", options=options) as service,
        installation(
            service, relay=sink.port, main={"in_flow_delay": "0", "default_process_limit": "200"}
        ) as site,
    ):
        plain = _plain_listener(site)
        ledger = Ledger.open(f"sqlite:///{service.folder}/state.db", timeout=60.0)
        try:
            yield House(site, ledger, sink, plain)
        finally:
            ledger.close()


def _plain_listener(site: Installation) -> int:
    """Add a listener without milters, through which the service domain can be written to; return its port."""
    port = free_port()
    with (site.postfix.config_directory / "master.cf").open("a", encoding="utf-8") as services:
        services.write(f"{LOOPBACK}:{port} inet n - n - - smtpd\n  -o smtpd_milters=\n")
    site.postfix.restart()
    return port


def _idle(bench: Bench, house: House, sizes: Sizes, outcome: Outcome, when: str) -> None:
    """What the desk costs at rest: CPU in percent of one processor, memory in MB (PSS)."""
    bench.tell(f"moderation: at rest, {when}")
    before, began = cpu_seconds(house.desk), time.monotonic()
    time.sleep(sizes.rest)
    spent = 100 * (cpu_seconds(house.desk) - before) / (time.monotonic() - began)
    outcome.add(f"moderation/desk at rest/{when}", {"CPU": [spent]}, "% of a processor")
    outcome.add(f"moderation/desk at rest/{when}", {"memory": [_megabytes(house)]}, "MB")


def _megabytes(house: House) -> float:
    return max(one.pss for one in memory(house.desk)) / 1e6


def _decisions(bench: Bench, house: House, sizes: Sizes, outcome: Outcome) -> None:
    """From a decision in the ledger, one at a time, to its last copy at the sink."""
    bench.tell("moderation: from a decision to the delivered copies")
    _hold(house, sizes.decisions)
    _settled(house)
    samples = [_decided(house, item) for item in house.ledger.items({State.HELD})]
    outcome.add("moderation", {"decision to delivered copies": samples}, "s")


def _decided(house: House, item: Item) -> float:
    house.sink.reset()
    began = time.time()
    house.ledger.change(item.id, Event.APPROVE, ROOT, int(began))
    _until(lambda: house.sink.counters()["recipients"] >= MEMBERS, f"the copies of {item.name}", 0.002)
    seconds = house.sink.counters()["last_dot"] - began
    _until(lambda: house.count(State.APPROVED) == 0, "its end in the ledger")
    time.sleep(0.2)
    return float(seconds)


def _throughput(bench: Bench, house: House, sizes: Sizes, outcome: Outcome) -> None:
    """Messages per second: held, and plainly delivered into the same Maildir; each is recorded by the desk."""
    runs: dict[str, Callable[[], tuple[float, float, float]]] = {
        "held": lambda: _run(house, house.site.postfix.ports.mx, COMMERCIAL, sizes.messages),
        "plain": lambda: _run(
            house, house.plain, f"plain@{house.site.service.service_domain}", sizes.messages
        ),
    }
    for name, samples in interleaved(sizes.rounds, runs).items():
        bench.tell(f"moderation: {name}: {samples}")
        for place, what in enumerate(("accepted", "in the Maildir", "recorded")):
            outcome.add(f"moderation/{what}", {name: [sample[place] for sample in samples]}, "messages/s")
    for what in ("accepted", "in the Maildir", "recorded"):
        outcome.compare(f"moderation/{what}", "held", "plain")


def _run(house: House, port: int, recipient: str, messages: int) -> tuple[float, float, float]:
    before = house.count(*State)
    began = time.monotonic()
    smtp_source(port, SENDER, recipient, SESSIONS, messages)
    accepted = time.monotonic() - began
    house.site.settle()
    delivered = time.monotonic() - began
    _until(lambda: house.count(*State) >= before + messages, "the desk's record of all of them")
    recorded = time.monotonic() - began
    _settled(house)
    return messages / accepted, messages / delivered, messages / recorded


def _hold(house: House, messages: int) -> None:
    before = house.count(State.HELD)
    smtp_source(house.site.postfix.ports.mx, SENDER, COMMERCIAL, min(SESSIONS, messages), messages)
    _until(lambda: house.count(State.HELD) >= before + messages, "the held messages")


def _settled(house: House) -> None:
    """Wait until the desk has taken in all there is, and has come to rest."""
    _until(lambda: next(house.mailbox.names(Folder.INBOX), None) is None, "an empty inbox")
    while True:
        before = cpu_seconds(house.desk)
        time.sleep(1.0)
        if cpu_seconds(house.desk) - before < 0.1:
            return


def _many(bench: Bench, house: House, sizes: Sizes, outcome: Outcome) -> None:
    """Very many held messages: listed, approved all at once, released."""
    missing = sizes.items - house.count(State.HELD)
    bench.tell(f"moderation: {missing} messages more are held")
    if missing > 0:
        _hold(house, missing)
    _settled(house)
    _idle(bench, house, sizes, outcome, f"{sizes.items} held")
    listed = [_timed(lambda: house.ledger.items({State.HELD}, limit=sizes.items)) for _ in range(5)]
    outcome.add(f"moderation/{sizes.items} held", {"listed": listed}, "s")
    items = house.ledger.items({State.HELD}, limit=sizes.items)
    house.sink.reset()
    began, cpu = time.time(), cpu_seconds(house.desk)
    approved = _timed(lambda: _approve(house, items))
    outcome.add(f"moderation/{sizes.items} held", {"approved": [approved]}, "s")
    peak = _watched(house)
    released = time.time() - began
    _until(lambda: house.sink.counters()["recipients"] >= MEMBERS * len(items), "all copies")
    delivered = house.sink.counters()["last_dot"] - began
    spent = 1000 * (cpu_seconds(house.desk) - cpu) / len(items)
    outcome.add(f"moderation/{sizes.items} held", {"released": [released], "delivered": [delivered]}, "s")
    outcome.add(f"moderation/{sizes.items} held", {"desk's CPU": [spent]}, "ms a message")
    outcome.add(f"moderation/{sizes.items} held", {"peak memory": [peak]}, "MB")
    _beside_open_group(bench, house, sizes, outcome, len(items) / released)


def _approve(house: House, items: Sequence[Item]) -> None:
    for start in range(0, len(items), 500):
        numbers = [item.id for item in items[start : start + 500]]
        house.ledger.change_each(numbers, Event.APPROVE, ROOT, int(time.time()))


def _watched(house: House) -> float:
    """Wait until everything is released; return the most memory that the desk had meanwhile."""
    peak = 0.0

    def over() -> bool:
        nonlocal peak
        peak = max(peak, _megabytes(house))
        return house.count(State.APPROVED) == 0

    _until(over, "the release of everything", 0.5)
    return peak


def _beside_open_group(bench: Bench, house: House, sizes: Sizes, outcome: Outcome, released: float) -> None:
    """Set the releases beside the same message to an open group of as many members, one session."""
    messages = sizes.messages
    samples = []
    for _ in range(sizes.rounds):
        _settled(house)
        began = time.monotonic()
        smtp_source(house.site.postfix.ports.mx, SENDER, OPEN, 1, messages)
        samples.append(messages / (time.monotonic() - began))
    bench.tell(f"moderation: released {released:.0f}/s, to an open group {statistics.median(samples):.0f}/s")
    outcome.add("moderation/one session", {"released": [released], "open group": samples}, "messages/s")
    outcome.compare("moderation/one session", "released", "open group")


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _until(question: Callable[[], bool], what: str, pause: float = 0.05) -> None:
    deadline = time.monotonic() + DEADLINE
    while not question():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {DEADLINE} s: {what}")
        time.sleep(pause)
