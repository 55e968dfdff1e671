"""Rules that find members: what people put is found in the URL that is written, and read from it again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.directory.dynamic import UrlError, parse_url
from groupmilter.membership.criteria import Criterion, How, Rule, rule, url

BASE = "ou=people,dc=masociete,dc=example"
VENTES = Criterion("departmentNumber", "ventes")


def test_a_rule_is_a_url_that_servers_and_mirror_read() -> None:
    made = url(BASE, [VENTES])
    assert made == f"ldap:///{BASE}??sub?(departmentNumber=ventes)"
    both = url(BASE, [VENTES, Criterion("title", "Ingé*")], below=False)
    assert parse_url(both).scope == "one"
    assert rule(both) == Rule(BASE, (VENTES, Criterion("title", "Ingé*")), below=False)


@pytest.mark.parametrize(
    ("value", "how", "plain"), [("x", How.IS, "x"), ("x*", How.BEGINS, "x"), ("*", How.ANY, "")]
)
def test_how_a_value_is_compared(value: str, how: How, plain: str) -> None:
    found = Criterion("title", value)
    assert (found.how, found.plain) == (how, plain)


@given(st.text(min_size=1), st.sampled_from(["sub", "one"]))
def test_no_value_is_ever_more_than_a_value(value: str, scope: str) -> None:
    wanted = Criterion("title", value)
    try:
        made = url("ou=a ? b%,dc=x", [wanted, VENTES], below=scope == "sub")
    except UrlError:
        assert not value.removesuffix("*")
        return
    parsed = parse_url(made)
    assert parsed.below == "ou=a ? b%,dc=x"
    found = rule(made)
    assert found is not None
    assert found.criteria == (wanted, VENTES)


@pytest.mark.parametrize(
    "written",
    [
        "ldap:///dc=x??sub?(|(title=a)(title=b))",
        "ldap:///dc=x??sub?(!(title=a))",
        "ldap:///dc=x??sub?(title=a*b)",
        "ldap:///dc=x??base?(title=a)",
        "ldap:///dc=x??sub?(&(title=a)(|(l=b)))",
        "http://dc=x",
        "",
    ],
)
def test_what_says_more_has_no_criteria(written: str) -> None:
    assert rule(written) is None


@pytest.mark.parametrize(
    "criteria", [[], [Criterion("", "x")], [Criterion("a b", "x")], [Criterion("title", "")]]
)
def test_an_empty_or_odd_rule_is_none(criteria: list[Criterion]) -> None:
    with pytest.raises(UrlError):
        url(BASE, criteria)
