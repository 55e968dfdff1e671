"""Which settings make a mirror start empty: those that its content depends on, and no others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.directory.mirrors import settings

from groupmilter.directory.mirror_refusals import Limits


@pytest.mark.parametrize(
    ("field", "value"),
    [("base", "dc=other"), ("own_domains", frozenset({"a.example"})), ("placeholder", "cn=none")],
)
def test_what_the_content_depends_on_is_in_the_fingerprint(field: str, value: object) -> None:
    changed = replace(settings(), **{field: value})  # type: ignore[arg-type]  # one field of each type in turn
    assert changed.fingerprint != settings().fingerprint


def test_another_limit_for_findings_keeps_the_mirror_usable() -> None:
    assert replace(settings(), limits=Limits(7, 3, 1000)).fingerprint == settings().fingerprint
