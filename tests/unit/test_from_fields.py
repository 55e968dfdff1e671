"""From fields in which two readers see two authors (from_fields.yaml), each as the collector reads it."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from groupmilter.mail.header import mailboxes
from groupmilter.mta.reading import authors


@dataclass(frozen=True)
class Entry:
    """One entry: the values of its From fields, and what is to be read from them."""

    name: str
    values: tuple[str, ...]
    reads: tuple[str, ...] | None


def entries() -> list[Entry]:
    raw = yaml.safe_load((Path(__file__).parent / "from_fields.yaml").read_text("utf-8"))
    found = []
    for one in raw:
        value = one["from"]
        reads = tuple(one["reads"]) if "reads" in one else None
        name = f"{one['source']}: {one['name']}"
        found.append(Entry(name, (value,) if isinstance(value, str) else tuple(value), reads))
    return found


ENTRIES = entries()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_entry(entry: Entry) -> None:
    named, readable = authors(entry.values, frozenset())
    assert readable is (entry.reads is not None)
    if entry.reads is not None:
        assert named == entry.reads


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.reads], ids=lambda entry: entry.name)
def test_what_is_read_reads_as_itself(entry: Entry) -> None:
    assert entry.reads is not None
    assert mailboxes(", ".join(entry.reads)) == entry.reads


def test_names_are_unique() -> None:
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)
