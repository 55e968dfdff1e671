"""Search filters: parsed as RFC 4515 has them, and evaluated as a naive reading of RFC 4511 would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.directory.filter import (
    FilterError,
    attributes,
    keys,
    matches,
    needs_server,
    parse,
    prepared,
)

ATTRIBUTES = st.sampled_from(["ou", "title", "l"])
WORDS = st.sampled_from(["a", "b", "ab", "ba", "abba", "7", "12"])
ENTRIES = st.dictionaries(ATTRIBUTES, st.lists(WORDS, min_size=1, max_size=2).map(tuple))
Values = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Case:
    """A filter's text, and what it means in plain Python."""

    text: str
    holds: Callable[[Values], bool]


def item(name: str, operator: str, word: str) -> Case:
    def ordered(value: str) -> bool:
        if value.isdecimal() and word.isdecimal():
            return int(value) >= int(word) if operator == ">=" else int(value) <= int(word)
        return value >= word if operator == ">=" else value <= word

    if operator == "=":
        return Case(f"({name}={word})", lambda values: word in values.get(name, ()))
    return Case(f"({name}{operator}{word})", lambda values: any(map(ordered, values.get(name, ()))))


def substring(name: str, initial: str, middles: list[str], final: str) -> Case:
    def holds(value: str) -> bool:
        if not value.startswith(initial):
            return False
        position = len(initial)
        for piece in middles:
            found = value.find(piece, position)
            if found < 0:
                return False
            position = found + len(piece)
        return value.endswith(final) and len(value) - len(final) >= position

    text = f"({name}={'*'.join([initial, *middles, final])})"
    return Case(text, lambda values: any(map(holds, values.get(name, ()))))


def combined(sign: str, parts: list[Case]) -> Case:
    decide = all if sign == "&" else any
    text = f"({sign}{''.join(part.text for part in parts)})"
    return Case(text, lambda values: decide(part.holds(values) for part in parts))


def negated(part: Case) -> Case:
    return Case(f"(!{part.text})", lambda values: not part.holds(values))


ITEMS = st.one_of(
    st.builds(item, ATTRIBUTES, st.sampled_from(["=", ">=", "<="]), WORDS),
    st.builds(lambda name: Case(f"({name}=*)", lambda values: name in values), ATTRIBUTES),
    st.builds(
        substring,
        ATTRIBUTES,
        st.sampled_from(["", "a"]),
        st.lists(st.sampled_from(["a", "b"]), max_size=2),
        st.sampled_from(["", "b"]),
    ).filter(lambda case: "=*)" not in case.text),
)
CASES = st.recursive(
    ITEMS,
    lambda inner: st.one_of(
        st.builds(negated, inner),
        st.builds(combined, st.sampled_from(["&", "|"]), st.lists(inner, max_size=3)),
    ),
    max_leaves=8,
)


@given(CASES, ENTRIES)
def test_evaluates_as_the_naive_reading(case: Case, values: Values) -> None:
    assert matches(parse(case.text), values) is case.holds(values)


@given(CASES, ENTRIES)
def test_every_match_has_one_of_the_keys(case: Case, values: Values) -> None:
    wanted = keys(parse(case.text))
    if wanted is not None and case.holds(values):
        assert any(value in values.get(name, ()) for name, value in wanted)


@given(CASES)
def test_attributes_are_those_in_the_text(case: Case) -> None:
    read = attributes(parse(case.text))
    assert read == {name for name in ("ou", "title", "l") if f"({name}" in case.text}


def test_keys_take_the_narrowest_part_of_an_and() -> None:
    wanted = parse("(&(objectClass=person)(|(ou=A)(ou=b))(!(l=x)))")
    assert keys(wanted) == frozenset({("objectclass", "person")})
    assert keys(parse("(|(ou=a)(l=*))")) is None
    assert keys(parse("(!(ou=a))")) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(cn=Jean   Dupont)", "jean dupont"),
        ("(cn=\\2a)", "*"),
        ("(cn=\\c3\\a9*)", "\u00e9cole"),
        ("(cn~=X)", "x"),
        ("(cn=*b *)", "a b c"),
        (" (cn=a) ", "a"),
        ("(cn=*)", "anything"),
        ("(cn=)", ""),
        ("(cn<=9)", "08"),
        ("(cn=\\28a\\29)", "(a)"),
    ],
)
def test_matches(text: str, value: str) -> None:
    assert matches(parse(text), {"cn": (prepared(value),)})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(cn=a*a)", "a"),
        ("(cn=*b *)", "abc"),
        ("(cn=a)", "ab"),
        ("(cn>=9)", "8"),
        ("(cn:caseExactMatch:=a)", "a"),
    ],
)
def test_does_not_match(text: str, value: str) -> None:
    assert not matches(parse(text), {"cn": (value,)})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cn=a",
        "(cn=a",
        "(cn=a))",
        "(cn)",
        "()",
        "(=a)",
        "(cn=\\zz)",
        "(cn=\\4)",
        "(!(a=b)(c=d))",
        "(&(a=b)",
        "(a b=c)",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


def test_nesting_is_bounded() -> None:
    assert matches(parse("(!" * 40 + "(a=b)" + ")" * 40), {"a": ("b",)})
    with pytest.raises(FilterError, match="nested"):
        parse("(&" * 5_000 + "(a=b)" + ")" * 5_000)


def test_what_needs_a_server() -> None:
    known = frozenset({"ou", "cn"})
    assert not needs_server(parse("(&(ou=a)(!(CN=b*)))"), known)
    assert needs_server(parse("(|(ou=a)(memberOf=b))"), known)
    assert needs_server(parse("(!(ou:caseExactMatch:=a))"), known)
    assert needs_server(parse("(cn;lang-fr=a)"), known)
