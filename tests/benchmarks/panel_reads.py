"""The reads that the panel and the API need, over a mirror of 10,000 and of 100,000 groups, and what the lists cost it.

The mirror is loaded from LDIF, in this process: what a server adds is measured by `directory`. Each read is a snapshot
of its own, as each page takes one, by a reader that has read nothing yet. Figures are seconds of the processor: a read
waits for nobody, and who else is at work doesn't count.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.population import DOMAIN, SUFFIX, Population, group_address, person_address, write
from tests.directory.mirrors import native

from groupmilter.directory.catalogue import (
    Catalogue,
    Flag,
    GroupQuery,
    MemberKind,
    MemberQuery,
    Scope,
    Sort,
    Viewer,
    Window,
)
from groupmilter.directory.entry import Entry, Put
from groupmilter.directory.ldif import read_file
from groupmilter.directory.mirror import Mirror, MirrorSettings
from groupmilter.directory.snapshot import Reader, Snapshot
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person

FULL = (Population(100_000, 10_000, (100_000,)), Population(100_000, 100_000, (100_000,)))
QUICK = (Population(300, 30, (200,)),)
Read = Callable[[Catalogue], object]


def run(bench: Bench) -> Outcome:
    """Load, change, and read, for each size."""
    outcome = Outcome()
    for population in QUICK if bench.quick else FULL:
        bench.tell(f"panel reads: {population.groups} groups")
        folder = bench.directory()
        _measure(bench, population, folder, f"panel-reads/{population.groups} groups", outcome)
    return outcome


def _measure(bench: Bench, population: Population, folder: Path, prefix: str, outcome: Outcome) -> None:
    ldif, path = folder / "people.ldif", folder / "mirror.db"
    write(population, ldif)
    mirror = Mirror.open(path, MirrorSettings(native(), SUFFIX, frozenset({DOMAIN})))
    try:
        started = time.process_time()
        mirror.apply((Put(entry) for entry in read_file(ldif, SUFFIX)), now=time.time())
        outcome.add(prefix, {"load from LDIF": [time.process_time() - started]}, "s")
        outcome.add(prefix, {"mirror": [path.stat().st_size / 1e6]}, "MB")
        outcome.add(prefix, {"the people's and groups' text in it": [_text(path)]}, "MB")
        outcome.add(prefix, _changes(mirror, ldif, population), "ms")
    finally:
        mirror.close()
    _reads(path, population, 2 if bench.quick else 5, prefix, outcome)


def _text(path: Path) -> float:
    """Megabytes of the column that searches look through."""
    reader = Reader(path, 1e9)
    with reader.snapshot(time.time()) as seen:
        ((octets,),) = seen.rows("SELECT sum(length(CAST(text AS BLOB))) FROM listed", {})
    reader.close()
    return float(octets) / 1e6


def _changes(mirror: Mirror, ldif: Path, population: Population) -> Mapping[str, list[float]]:
    """A person renamed, and one member fewer in the large group and one more again."""
    wanted = {person_address(1), group_address(population.sizes[0])}
    person, group = (one for one in read_file(ldif, SUFFIX) if one.first("mail") in wanted)
    members = group.attributes["member"]
    samples: dict[str, list[float]] = {"a person's change": [], "a member's in the large group": []}
    for number in range(4):
        renamed = Entry(person.uuid, person.dn, {**person.attributes, "cn": (b"Name %d" % number,)})
        fewer = Entry(group.uuid, group.dn, {**group.attributes, "member": members[number % 2 :]})
        for name, entry in zip(samples, (renamed, fewer), strict=True):
            started = time.process_time()
            mirror.apply([Put(entry)], now=time.time())
            samples[name].append((time.process_time() - started) * 1000)
    return samples


def _reads(path: Path, population: Population, times: int, prefix: str, outcome: Outcome) -> None:
    reader = Reader(path, 1e9)
    with reader.snapshot(time.time()) as seen:
        large, person = _known(seen, population)
    slowest: list[float] = []
    for name, read in _questions(large, population):
        samples = [_timed(path, Viewer(person.node), read) for _ in range(times + 1)][1:]
        outcome.add(prefix, {name: samples}, "ms")
        slowest.append(outcome.figures[f"{prefix}/{name}"].median)
    outcome.add(prefix, {"slowest": [max(slowest)]}, "ms")
    reader.close()


def _known(seen: Snapshot, population: Population) -> tuple[Group, Person]:
    large, person = seen.find(group_address(population.sizes[0])), seen.find(person_address(0))
    if not isinstance(large, Group) or not isinstance(person, Person):
        raise RuntimeError("the mirror isn't what was written")
    return large, person


def _timed(path: Path, viewer: Viewer, read: Read) -> float:
    """Milliseconds of the processor for a read by a reader that has read nothing yet."""
    reader = Reader(path, 1e9, patience=60.0)
    try:
        started = time.process_time()
        with reader.snapshot(time.time()) as seen:
            read(Catalogue(seen, viewer))
        return (time.process_time() - started) * 1000
    finally:
        reader.close()


def _questions(large: Group, population: Population) -> Iterator[tuple[str, Read]]:
    groups, members = population.groups, population.sizes[0]
    yield "groups: first page", lambda one: one.groups(GroupQuery())
    yield "groups: last page", lambda one: one.groups(GroupQuery(), Window(groups - 50))
    yield "groups: a word", lambda one: one.groups(GroupQuery("téam9"))
    yield "groups: two words, none found", lambda one: one.groups(GroupQuery("team zz"))
    yield "groups: by address", lambda one: one.groups(GroupQuery(sort=Sort.ADDRESS, descending=True))
    yield "groups: by members", lambda one: one.groups(GroupQuery(sort=Sort.MEMBERS, descending=True))
    yield "groups: mine", lambda one: one.groups(GroupQuery(scope=Scope.MINE))
    yield "groups: owned", lambda one: one.groups(GroupQuery(scope=Scope.OWNED))
    yield "groups: of a domain", lambda one: one.groups(GroupQuery(domains=frozenset({DOMAIN})))
    yield "groups: ownerless", lambda one: one.groups(GroupQuery(flags=frozenset({Flag.OWNERLESS})))
    yield "members: first page", lambda one: one.members(large.node, MemberQuery())
    yield "members: middle", lambda one: one.members(large.node, MemberQuery(), Window(members // 2))
    yield "members: last page", lambda one: one.members(large.node, MemberQuery(), Window(members - 50))
    yield "members: a word", lambda one: one.members(large.node, MemberQuery("person99"))
    yield "members: groups", lambda one: one.members(large.node, MemberQuery(kind=MemberKind.GROUP))
    yield "members: how many of each kind", lambda one: one.member_counts(large.node)
    yield "choices: three letters", lambda one: one.choices("per")
    yield "choices: a name", lambda one: one.choices("person 4711")
    yield "what somebody is in", lambda one: one.involvement()
    yield "counts", lambda one: one.counts()
