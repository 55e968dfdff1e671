"""A slapd with a whole population in it, loaded offline by slapadd.

Fails as `tests.support.slapd` does: SlapdFailed, CommandFailed (a database that is too small among them).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.population import SUFFIX, Population
from tests.support.slapd import Slapd
from tests.support.slapd_configuration import Settings

# Equality alone: substring indexes take most of the loading time, and nobody here searches by them.
_INDEXES = ("objectClass,entryUUID,entryCSN eq", "uid,mail,member,owner eq")


@contextmanager
def directory_server(
    population: Population, ldif: Path, indexes: Sequence[str] = _INDEXES
) -> Iterator[Slapd]:
    """Run a slapd that holds the LDIF of the population."""
    slapd = Slapd(settings=Settings(suffix=SUFFIX, max_size=population.room, indexes=tuple(indexes)))
    try:
        slapd.configure()
        slapd.load(ldif, quick=True)
        slapd.start()
        yield slapd
    finally:
        slapd.close()
