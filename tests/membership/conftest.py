"""One slapd for the tests of a file, and a host of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.membership.offices import Office, running
from tests.support.slapd import Slapd


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    """A slapd for the tests of one file."""
    with running() as server:
        yield server


@pytest.fixture
def office(slapd: Slapd, tmp_path: Path) -> Office:
    """A configured host with a ledger."""
    made = Office(slapd, tmp_path)
    made.configure()
    return made
