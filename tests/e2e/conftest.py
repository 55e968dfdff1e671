"""One whole installation for the tests beyond the corpus: slapd, groupmilter, Postfix and the sink."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.installation import Installation, installation
from tests.support.moderated import CALM
from tests.support.office import MORE, OFFICE
from tests.support.service import Service
from tests.support.slapd import Slapd


@pytest.fixture(scope="session")
def whole() -> Iterator[Installation]:
    """Started once for all files; what a test changes in it, the test changes back.

    Without the storm guard: together they send one group more than it lets through in ten minutes.
    """
    with (
        Slapd(content=[OFFICE, MORE]) as slapd,
        Service(slapd.uri, options={"policies": [str(CALM)]}, desk=False) as service,
        installation(service) as site,
    ):
        yield site


@pytest.fixture
def site(whole: Installation) -> Iterator[Installation]:
    """The installation, empty; afterwards nothing surprising may have been logged, nor be queued."""
    whole.settle()
    whole.forget()
    known = len(whole.service.surprises())
    yield whole
    whole.settle()
    assert whole.service.surprises()[known:] == []
