"""One slapd for the tests of a file; a host with an empty ledger for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.enrolment.clubs import Club, opened
from tests.membership.offices import Office, running
from tests.support.slapd import Slapd


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    """A slapd for the tests of one file."""
    with running() as server:
        yield server


@pytest.fixture
def club(slapd: Slapd, tmp_path: Path) -> Iterator[Club]:
    """The service over an empty ledger."""
    office = Office(slapd, tmp_path)
    office.configure()
    with opened(office) as made:
        yield made
