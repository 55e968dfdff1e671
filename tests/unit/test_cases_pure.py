"""The whole corpus, played to the pure core; the same cases go through a real socket and a real Postfix elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from groupmilter.policy.explain import steps
from groupmilter.rehearsal.case import Case, Result
from groupmilter.rehearsal.cases import read_file
from groupmilter.rehearsal.run import rehearse
from groupmilter.rehearsal.stage import Stage

CASES = Path(__file__).parents[1] / "cases"
FILES = sorted(CASES.rglob("*.yaml"))
CORPUS = [case for file in FILES if file.parent.name != "policies" for case in read_file(file)]


@pytest.fixture(scope="module", name="stage")
def _stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case.file.stem}:{case.line}")
def test_case(case: Case, stage: Stage) -> None:
    result = rehearse(case, stage.site(case))
    assert result.holds, told(result)


def told(result: Result) -> str:
    lines = [f"{result.case.file}:{result.case.line}: {result.case.name}"]
    for difference in result.differences:
        seen = difference.observed
        lines += [f"{seen.recipient}: expected {difference.expected}", f"observed {seen.outcome}"]
        lines += steps(seen.verdict.trace)
    return "\n".join(lines)


def test_the_corpus_is_there() -> None:
    assert len(CORPUS) > 250
    names = [(case.file, case.name) for case in CORPUS]
    assert len(set(names)) == len(names)


def test_every_recipient_of_our_own_corpus_is_expected_to_become_something() -> None:
    for case in CORPUS:
        if case.file.parent.name != "conformance":
            for message in case.messages:
                assert {address for address, _ in message.expected} >= set(message.recipients), case


def test_the_conformance_cases_are_the_ones_that_came_with_the_specification() -> None:
    copied = {file.name: file.read_bytes() for file in (CASES / "conformance").iterdir()}
    original = CASES.parents[2] / "shared" / "conformance"
    assert {"basics.yaml", "office.ldif"} <= copied.keys()
    for file in original.glob("*"):
        assert copied[file.name] == file.read_bytes()
