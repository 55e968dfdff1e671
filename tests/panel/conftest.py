"""One house for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.panel.house import House, house


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that all tests of a module share: what one changes, the next one sees."""
    with house(tmp_path_factory.mktemp("house")) as made:
        yield made
