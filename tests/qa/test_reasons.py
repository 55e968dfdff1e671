"""What went wrong reaches people as a sentence of the catalogue: no reason is put together where it is raised, and no
page or answer of the API shows what an exception says to the log.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from tests.qa.source import PACKAGE

from groupmilter.language.spoken import Spoken

FOR_THE_LOG = frozenset({"report", "warn", "debug", "info", "warning", "error", "exception"})
"""What may be told the words of an exception."""

WORDED = "worded"
"""What keeps a sentence until it is known who reads it."""

_SAID_BY = {"BadWish": 2}
"""Which argument is the sentence, where it isn't the first."""


def files(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((PACKAGE / room).rglob("*.py"))]


def spoken_kinds() -> frozenset[str]:
    for path in files("directory", "membership", "enrolment"):
        import_module(".".join(("groupmilter", *path.relative_to(PACKAGE).with_suffix("").parts)))
    waiting, found = [Spoken], set()
    while waiting:
        kind = waiting.pop()
        found.add(kind.__name__)
        waiting += kind.__subclasses__()
    return frozenset(found - {"Spoken"} | {WORDED})


def made_up(tree: ast.AST, kinds: frozenset[str]) -> Iterator[int]:
    """The lines where a reason is made with words of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            place = _SAID_BY.get(name, 0)
            if name not in kinds or len(node.args) <= place:
                continue
            sentence = node.args[place]
            told = isinstance(sentence, ast.Call) and getattr(sentence.func, "id", "") == "marked"
            if not told and not isinstance(sentence, ast.Name | ast.Attribute | ast.IfExp):
                yield node.lineno


def told_aloud(tree: ast.AST) -> Iterator[int]:
    """The lines where the words of a caught exception go elsewhere than into the log."""
    for handler in ast.walk(tree):
        if isinstance(handler, ast.ExceptHandler) and handler.name:
            silent = {
                id(inner)
                for node in ast.walk(handler)
                if isinstance(node, ast.Call)
                and getattr(node.func, "attr", getattr(node.func, "id", "")) in FOR_THE_LOG
                for inner in ast.walk(node)
            }
            for node in ast.walk(handler):
                if id(node) not in silent and _words_of(node, handler.name):
                    yield node.lineno  # type: ignore[attr-defined]


def _words_of(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.FormattedValue):
        return isinstance(node.value, ast.Name) and node.value.id == name
    called = (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("str", "repr")
    )
    return called and any(isinstance(each, ast.Name) and each.id == name for each in node.args)  # type: ignore[attr-defined]


def test_the_reasons_are_known() -> None:
    assert {
        "BadFile",
        "BadValue",
        "BadWish",
        "FilterError",
        "Unwritable",
        "UrlError",
        "WriteRefused",
    } <= spoken_kinds()


@pytest.mark.parametrize("room", ["directory", "membership", "enrolment", "moderation", "bootstrap", "panel"])
def test_a_reason_is_a_sentence_of_the_catalogue(room: str) -> None:
    kinds = spoken_kinds()
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in files(room)
        for line in made_up(ast.parse(path.read_text(encoding="utf-8")), kinds)
    ]
    assert found == []


def test_no_page_shows_what_is_for_the_log() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in files("panel")
        for line in told_aloud(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_the_rules_find_what_they_look_for() -> None:
    kinds = frozenset({"UrlError", "BadWish"})
    bad = ast.parse(
        'raise UrlError(f"no {x}")\nraise BadWish(a, b, "no")\nraise UrlError(marked("no"))\nraise UrlError(NO)\n'
    )
    assert list(made_up(bad, kinds)) == [1, 2]
    shown = "try:\n  f()\nexcept E as error:\n  report(str(error))\n  page(str(error))\n  page(f'{error}')\n"
    assert list(told_aloud(ast.parse(shown))) == [5, 6]
