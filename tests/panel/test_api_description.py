"""The API's description: the committed copy is the true one, and every call is explained in both languages."""

from __future__ import annotations

import json
import re

import pytest
from tests.panel.api_document import COPY, document
from tests.qa.source import ROOT

CALLS = [
    (method.upper(), path, call)
    for path, calls in document()["paths"].items()
    for method, call in calls.items()
]


def test_the_committed_copy_is_the_true_one() -> None:
    assert json.loads(COPY.read_text("utf-8")) == document(), "python -m tests.panel.api_document"


@pytest.mark.parametrize("page", ["docs/api.md", "docs/fr/api.md"])
def test_every_call_stands_in_the_documentation(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    told = set(re.findall(r"^\| `(GET|POST|PATCH|DELETE) ([^`?]+)[^`]*` \|", text, re.MULTILINE))
    assert told == {(method, path) for method, path, _ in CALLS}


@pytest.mark.parametrize(("method", "path", "call"), CALLS)
def test_every_call_says_what_it_is_for(method: str, path: str, call: dict[str, object]) -> None:
    assert call["operationId"], (method, path)
    assert str(call["description"]).endswith("."), (method, path)
    assert call["tags"]
