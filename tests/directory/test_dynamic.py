"""The index over member URLs finds exactly the groups that trying every URL finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from groupmilter.directory.dynamic import MemberUrl, UrlIndex, parse_url

FILTERS = st.sampled_from(
    [
        "(ou=a)",
        "(ou=b)",
        "(&(ou=a)(l=x))",
        "(|(ou=a)(l=y))",
        "(!(ou=a))",
        "(l=*)",
        "(|(ou=b)(l=*))",
        "(ou=a*)",
    ]
)
URLS = st.builds(
    lambda base, scope, text: parse_url(f"ldap:///{base}??{scope}?{text}"),
    st.sampled_from(["", "dc=x", "ou=p,dc=x"]),
    st.sampled_from(["one", "sub", "base"]),
    FILTERS,
)
GROUPS = st.dictionaries(st.integers(1, 6), st.lists(URLS, max_size=3), max_size=6)
ENTRIES = st.tuples(
    st.sampled_from(["dc=x", "ou=p,dc=x", "uid=a,ou=p,dc=x", "uid=a,dc=x"]),
    st.fixed_dictionaries(
        {},
        optional={
            "ou": st.sampled_from([("a",), ("b",), ("a", "b")]),
            "l": st.sampled_from([("x",), ("y",)]),
        },
    ),
)


@given(GROUPS, GROUPS, ENTRIES)
def test_the_index_agrees_with_trying_all(
    first: dict[int, list[MemberUrl]],
    second: dict[int, list[MemberUrl]],
    entry: tuple[str, dict[str, tuple[str, ...]]],
) -> None:
    index = UrlIndex()
    for group, urls in [*first.items(), *second.items()]:
        index.replace(group, urls)
    expected = {group for group, urls in (first | second).items() if any(url.matches(*entry) for url in urls)}
    assert index.groups_of(*entry) == expected
    assert set(index) == {group for group, urls in (first | second).items() if urls}
    for group in [*first, *second]:
        index.replace(group, ())
    assert not len(index)
    assert index.groups_of(*entry) == set()


def test_parts_are_percent_decoded_and_defaults_are_the_rfcs() -> None:
    url = parse_url("LDAP:///ou=a%20b,dc=x?cn,mail?SUB?(cn=%C3%A9%3F)")
    assert (url.base, url.scope, url.text) == ("ou=a b,dc=x", "sub", "(cn=é?)")
    assert (parse_url("ldap:///dc=x").scope, parse_url("ldap:///dc=x").text) == ("base", "(objectClass=*)")
    assert parse_url("ldap:///dc=x??one?cn=a").text == "(cn=a)"
