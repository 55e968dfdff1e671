"""A slapd with the schema and the sample directory, shared by the tests of one file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.slapd import Slapd

OPENLDAP = Path(__file__).resolve().parents[2] / "ldap_schema" / "openldap"


@pytest.fixture(scope="session")
def openldap_files() -> Path:
    """The folder of schema, indexes, access rules and sample data."""
    return OPENLDAP


@pytest.fixture(scope="module")
def sample_slapd() -> Iterator[Slapd]:
    """A running slapd with ldap_schema/openldap/sample.ldif; shared by the tests of one file."""
    with Slapd(content=[OPENLDAP / "sample.ldif"]) as slapd:
        yield slapd
