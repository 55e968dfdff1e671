"""The directory side: first load of a large slapd, how fast a change is in force, and what a lookup costs.

What the program doesn't offer yet is reported as not measured, with the reason, and nothing is made up.
"""

import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import ours
from tests.benchmarks.bench import Bench
from tests.benchmarks.directory_server import directory_server
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.population import SUFFIX, Population, group_address, group_dn, person_dn, write
from tests.support.slapd import Slapd

FULL = Population(100_000, 10_000, (10,))
QUICK = Population(500, 50, (10,))
EFFECT_DEADLINE = 60.0
MEMBERS = 10


def run(bench: Bench) -> Outcome:
    """First load, change to effect, lookup."""
    population = QUICK if bench.quick else FULL
    outcome = Outcome()
    started = time.monotonic()
    ldif = bench.directory() / "people.ldif"
    write(population, ldif)
    outcome.add("directory", {"writing the LDIF": [time.monotonic() - started]}, "s")
    started = time.monotonic()
    with directory_server(population, ldif) as slapd:
        outcome.add("directory", {"loading it into slapd": [time.monotonic() - started]}, "s")
        for name, measure in (("first load", _first_load), ("change to effect", _change_to_effect)):
            bench.tell(f"directory: {name}")
            _unless_unavailable(name, measure, bench, slapd, outcome)
    return outcome


Measure = Callable[[Bench, Slapd, Outcome], None]


def _unless_unavailable(name: str, measure: Measure, bench: Bench, slapd: Slapd, outcome: Outcome) -> None:
    try:
        measure(bench, slapd, outcome)
    except ours.Unavailable as reason:
        outcome.remarks.append(f"directory/{name} not measured: {str(reason).strip()}")


def _settings(slapd: Slapd, workdir: Path) -> dict[str, str]:
    dn, password = slapd.root
    file = workdir / "ldap.secret"
    file.write_text(password)
    file.chmod(0o600)
    return {"url": slapd.uri, "base": SUFFIX, "bind_dn": dn, "password_file": str(file), "profile": "native"}


def _first_load(bench: Bench, slapd: Slapd, outcome: Outcome) -> None:
    samples, workdir = [], bench.workdir
    for _ in range(1 if bench.quick else 3):
        workdir = bench.directory()
        samples.append(ours.load_directory(workdir, _settings(slapd, workdir)))
    outcome.add("directory", {"first load": [seconds for seconds, _ in samples]}, "s")
    outcome.add("directory", {"peak memory": [megabytes for _, megabytes in samples]}, "MB")
    outcome.add("directory", {"lookup": [ours.lookup_microseconds(workdir)]}, "µs")


def _change_to_effect(bench: Bench, slapd: Slapd, outcome: Outcome) -> None:
    """A member more in LDAP, until a message to the group gets one recipient more; then one less again."""
    workdir = bench.directory()
    with ours.start_ours(workdir, {"directory": _settings(slapd, workdir)}) as milter:
        ours.wait_expanding(bench.tools, milter, group_address(MEMBERS), MEMBERS)
        settled = ours.changes(bench.tools, milter, group_address(MEMBERS))
        samples = []
        for _ in range(2 if bench.quick else 10):
            for verb, wanted in (("add", settled + 1), ("delete", settled)):
                _alter(slapd, verb)
                samples.append(
                    _until(lambda: ours.changes(bench.tools, milter, group_address(MEMBERS)), wanted)
                )
    outcome.add("directory", {"change to effect": samples}, "s")


def _alter(slapd: Slapd, verb: str) -> None:
    slapd.modify(
        f"dn: {group_dn(MEMBERS)}\nchangetype: modify\n{verb}: member\nmember: {person_dn(MEMBERS)}\n"
    )


def _until(look: Callable[[], float], wanted: float) -> float:
    started = time.monotonic()
    while look() != wanted:
        if time.monotonic() - started > EFFECT_DEADLINE:
            raise TimeoutError(f"a change in LDAP isn't in force after {EFFECT_DEADLINE:g} s")
        time.sleep(0.005)
    return time.monotonic() - started
