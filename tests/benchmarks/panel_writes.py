"""What it costs to change one value of a group, by the service that panel, API and command line share, at a real slapd.

A group of 100,000 members beside one of ten, in turns: who adds one member must not pay for the others.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.directory_server import directory_server
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.population import (
    DOMAIN,
    SUFFIX,
    Population,
    group_address,
    person_address,
    write,
)
from tests.support.slapd import Slapd

from groupmilter.bootstrap.membership import groups, unwritten
from groupmilter.config.reload import Configuration, load
from groupmilter.membership.vocabulary import Several, Single, Wish

FULL, QUICK = Population(100_001, 100, (10, 100_000)), Population(301, 10, (10, 300))
# As ldap_schema/openldap/indexes.ldif and Debian's package have them.
_INDEXES = (
    "objectClass,entryUUID,entryCSN eq",
    "uid,mail,mailLocalAddress,dgAlias,member,uniqueMember,owner eq",
    "memberURL pres",
)
_ROUNDS = 7


def run(bench: Bench) -> Outcome:
    """One member, one outsider, one setting; into the large group and into the small one."""
    population, outcome = QUICK if bench.quick else FULL, Outcome()
    folder = bench.directory()
    ldif = folder / "people.ldif"
    write(population, ldif)
    with directory_server(population, ldif, _INDEXES) as slapd:
        configuration = _configured(folder, slapd)
        samples: dict[str, list[float]] = {}
        bench.tell("panel writes")
        for _ in range(2 if bench.quick else _ROUNDS):
            for size, who in zip(population.sizes, ("small", "large"), strict=True):
                for name, wish in _wishes(population.people - 1):
                    seconds = _changed(configuration, group_address(size), wish)
                    samples.setdefault(f"{name}/{who}", []).append(seconds)
        for name, figures in samples.items():
            outcome.add("panel-writes", {name: figures}, "s")
        for name in dict.fromkeys(each.rpartition("/")[0] for each in samples):
            outcome.compare(f"panel-writes/{name}", "large", "small")
    return outcome


def _wishes(person: int) -> Iterator[tuple[str, Wish]]:
    who, outsider = (person_address(person),), ("guest@elsewhere.example",)
    yield "a member comes", Several("members", who)
    yield "a member is there", Several("members", who)
    yield "a member goes", Several("members", (), who)
    yield "an outsider comes", Several("members", outsider)
    yield "an outsider goes", Several("members", (), outsider)
    yield "a setting", Single("hidden", "yes")
    yield "a setting back", Single("hidden", "")


def _changed(configuration: Configuration, address: str, wish: Wish) -> float:
    """Seconds from looking the group up to the server's answer."""
    started = time.monotonic()
    with groups(configuration, unwritten) as service:
        prepared, problems = service.prepare(service.stored(address), [wish])
        if problems:
            raise RuntimeError(f"{wish}: {problems[0]}")
        service.apply(prepared)
    return time.monotonic() - started


def _configured(folder: Path, slapd: Slapd) -> Configuration:
    dn, password = slapd.root
    (folder / "ldap.secret").write_text(password)
    (folder / "ldap.secret").chmod(0o600)
    (folder / "config.yaml").write_text(
        f"own_domains: [{DOMAIN}]\n"
        f"directory: {{url: '{slapd.uri}', base: '{SUFFIX}', bind_dn: '{dn}', password_file: ldap.secret}}\n"
        f"service: {{domain: groups.{DOMAIN}, key_file: {folder}/ticket.key,\n"
        f"  release: {{secret_file: {folder}/release.secret}}}}\n"
        f"mirror: {folder}/mirror.db\nstate: sqlite:///{folder}/state.db\nhold_mailbox: maildir:{folder}/hold\n"
        f"map: {{path: {folder}/groups, type: texthash}}\ncontrol: {folder}/control.sock\n"
    )
    return load(folder / "config.yaml")
