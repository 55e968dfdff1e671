"""YAML without its traps: every one of them named with its line, and nothing but ConfigurationError ever raised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.config.load import (
    ConfigurationError,
    Document,
    Problem,
    parse_yaml,
    read_document,
    read_documents,
    read_text,
)

Value = TypeVar("Value")


def outcome(read: Callable[[], Value]) -> Value | ConfigurationError:
    try:
        return read()
    except ConfigurationError as error:
        return error


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse_yaml(text, "f.yaml")
    return caught.value.errors


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", "no"),
        ("a: on", "on"),
        ("a: NO", "NO"),
        ("a: y", "y"),
        ("a: 1:30", "1:30"),
        ("a: 2026-01-31", "2026-01-31"),
        ("a: 1_000", "1_000"),
        ("a: 0x1F", "0x1F"),
        ("a: .inf", ".inf"),
        ("a: 5.7.1", "5.7.1"),
        ("a: 1e3", "1e3"),
        ('a: "010"', "010"),
        ("a: '5'", "5"),
        ("a: 0", 0),
        ("a: -12", -12),
        ("a: 1.5", 1.5),
        ("a: true", True),
        ("a: false", False),
        ("a: True", "True"),
        ("a: null", None),
        ("a:", None),
        ("a: ~", None),
        ("a: 1234567890123456789012345", "1234567890123456789012345"),
        ("a: [1, x]", [1, "x"]),
        ("a: {b: c}", {"b": "c"}),
    ],
)
def test_scalars_mean_what_they_show(text: str, value: object) -> None:
    assert parse_yaml(text, "f") == {"a": value}
    assert type(parse_yaml(text, "f")) is dict


def test_keys_are_text_whatever_they_look_like() -> None:
    assert parse_yaml("on: 1\n5: 2\ntrue: 3\n", "f") == {"on": 1, "5": 2, "true": 3}


@pytest.mark.parametrize(
    ("text", "line", "path", "says"),
    [
        ("a: 1\nb: 2\na: 3", 3, "a", "given twice, first in line 1"),
        ("x:\n  y: 1\n  y: 2", 3, "x.y", "given twice, first in line 2"),
        ("a: &x [1]\nb: 2", 1, "a", "anchor"),
        ("a: *x", 1, "a", "alias"),
        ("- 1\n- a: 010", 2, "[1].a", "octal"),
        ("a:\n  <<: {b: 1}", 2, "a", "merge"),
        ("a: !!python/object:os.system {}", 1, "a", "tag"),
        ("a: !!str 1", 1, "a", "tag"),
        ("? [a]\n: 1", 1, "", "word"),
        ('a: 1\nb: "\\ud800"', 2, "b", "character"),
        ('a: "\\0"', 1, "a", "character"),
        ("a: 1\n---\nb: 2", 3, "", "second document"),
        ("a: [1\nb: 2", 2, "", "expected"),
        ("a: 1\n\tb: 2", 2, "", "\\t"),
        ("a: 1\nb: \x07", 2, "", "U+0007"),
        ("a: @b", 1, "", "cannot start any token"),
    ],
)
def test_traps_are_refused_with_their_line(text: str, line: int, path: str, says: str) -> None:
    found = problems(text)[0]
    assert (found.file, found.line, found.path) == ("f.yaml", line, path)
    assert says in found.text


@pytest.mark.parametrize("bomb", ["[" * 3000, "{a: " * 3000, "- " * 3000 + "1", "? " * 3000, "[" * 100_000])
def test_depth_is_bounded(bomb: str) -> None:
    assert "deep" in problems(bomb)[-1].text


def test_alias_bomb_is_not_expanded() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    found = problems(bomb)
    assert len(found) == 9 + 8 * 9
    assert {problem.line for problem in found} == set(range(1, 10))


@pytest.mark.parametrize("text", ['a: "\\UFFFFFFFF"', f"%YAML {'9' * 5000}.1\n---\na: 1", 'a: "\\U00110000"'])
def test_what_breaks_the_scanner_itself_is_reported(text: str) -> None:
    assert problems(text)[0].file == "f.yaml"


def test_everything_wrong_is_told_at_once() -> None:
    text = "a: 1\na: 2\nb: &x 1\nc: *x\nd: 007\ne: [\n"
    assert [problem.line for problem in problems(text)][:4] == [2, 3, 4, 5]
    assert len(problems(text)) == 5


def test_documents_of_a_case_file() -> None:
    found = read_documents("a: 1\n---\nb: 2\n---\n", "f")
    assert [document.value for document in found] == [{"a": 1}, {"b": 2}, None]
    assert read_documents("", "f") == ()
    first, second = read_documents("a: 1\n---\nb: 2\nb: 3\n", "f")
    assert first.problems == ()
    assert [str(problem) for problem in second.problems] == ["f:4: b: given twice, first in line 3"]


def test_lines_are_kept_for_the_nearest_option() -> None:
    document = read_document("a:\n  b: 1\n\n  c:\n    - x\n    - y\n", "f")
    assert document.line(("a", "c", 1)) == 6
    assert document.line(("a", "missing")) == 1
    assert str(document.problem(("a", "c", 1), "no")) == "f:6: a.c[1]: no"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    for name, says in (
        ("latin.yaml", ":2: not UTF-8"),
        ("large.yaml", "larger"),
        ("none.yaml", "No such file"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            read_text(tmp_path / name)


YAMLISH = st.text(alphabet="ab:-?&*!|>'\"%@`#,[]{}\n\t \\0179~<=./\ufeff\x85\u2028\U0001f600", max_size=60)


@given(st.one_of(YAMLISH, st.text(max_size=80), st.binary(max_size=80).map(lambda b: b.decode("latin-1"))))
def test_nothing_but_configuration_error_is_raised(text: str) -> None:
    result = outcome(lambda: read_documents(text, "f"))
    if isinstance(result, ConfigurationError):
        assert result.errors
        said = result.errors
    else:
        said = tuple(problem for document in result for problem in document.problems)
    assert all(problem.file == "f" and problem.text for problem in said)


@given(st.binary(max_size=200))
def test_any_octets_in_a_file(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    path = tmp_path_factory.mktemp("octets") / "config.yaml"
    path.write_bytes(octets)
    result = outcome(lambda: read_document(read_text(path), "f"))
    assert isinstance(result, Document) or result.errors
