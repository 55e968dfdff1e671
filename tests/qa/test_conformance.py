"""The conformance cases are a copy, kept beside the cases of our own; where the original is at hand, they are equal."""

from __future__ import annotations

from tests.qa.source import ROOT

COPY = ROOT / "tests" / "cases" / "conformance"
ORIGINAL = ROOT.parent / "shared" / "conformance"


def test_the_copy_is_complete_in_itself() -> None:
    assert {path.name for path in COPY.iterdir()} >= {"basics.yaml", "office.ldif"}


def test_the_copy_equals_the_original() -> None:
    original = ORIGINAL if ORIGINAL.is_dir() else COPY
    names = {path.name for path in original.iterdir()}
    assert names == {path.name for path in COPY.iterdir()}
    for name in names:
        assert (COPY / name).read_bytes() == (original / name).read_bytes(), name
