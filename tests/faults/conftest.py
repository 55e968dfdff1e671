"""A whole installation for one file's faults of mail: slapd, groupmilter, Postfix and the sink."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.installation import Installation, installation
from tests.support.office import MORE, OFFICE
from tests.support.service import Service
from tests.support.slapd import Slapd

CALM = {"policies": [str(Path(__file__).resolve().parents[1] / "support" / "calm.yaml")]}


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with Slapd(content=[OFFICE, MORE]) as running:
        yield running


@pytest.fixture(scope="module")
def service(slapd: Slapd) -> Iterator[Service]:
    with Service(slapd.uri, options=CALM, staged=True, desk=False) as running:
        yield running


@pytest.fixture(scope="module")
def whole(service: Service) -> Iterator[Installation]:
    with installation(service) as site:
        yield site


@pytest.fixture
def site(whole: Installation) -> Installation:
    """The installation, empty; each test mends what it broke."""
    whole.settle()
    whole.forget()
    return whole
