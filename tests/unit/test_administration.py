"""Which groups belong to whom: by domain, by place, by both."""

from __future__ import annotations

from pathlib import Path

import pytest

from groupmilter.config.load import ConfigurationError, read_document
from groupmilter.config.panel import Panel
from groupmilter.config.validation import validate
from groupmilter.directory.administration import Administration, covering

DN = "cn=sales,ou=groups,dc=example"
A, B = "sales@a.example", "sales@b.example"


@pytest.mark.parametrize(
    ("domains", "base", "dn", "addresses", "covered"),
    [
        ((), "", DN, (), True),
        (("a.example",), "", DN, (A,), True),
        (("a.example",), "", DN, (A, B), False),
        (("a.example", "b.example"), "", DN, (A, B), True),
        (("a.example",), "", DN, (), False),
        (("a.example",), "", DN, ("sales@sub.a.example",), False),
        ((), "OU=Groups, dc=example", DN, (), True),
        ((), "ou=groups", DN, (A,), False),
        ((), "oups,dc=example", "cn=x,ou=gr,oups=1,dc=example", (A,), False),
        ((), "ou=groups,dc=example", "cn=sales,ou=mygroups,dc=example", (A,), False),
        ((), "no name", DN, (A,), False),
        ((), "ou=groups,dc=example", "no name", (A,), False),
        (("a.example",), "ou=groups,dc=example", DN, (A,), True),
        (("b.example",), "ou=groups,dc=example", DN, (A,), False),
    ],
)
def test_a_group_belongs_by_all_its_addresses_and_its_place(
    domains: tuple[str, ...], base: str, dn: str, addresses: tuple[str, ...], covered: bool
) -> None:
    one = Administration("cn=admins", frozenset(domains), base)
    assert one.covers(dn, addresses) is covered
    assert covering([one], dn, addresses) == ((one,) if covered else ())
    assert one.whole is not (bool(domains) or bool(base))


def panel(text: str) -> Panel:
    return validate(Panel, read_document(text, "config.yaml"), Path("/"))


def test_one_name_a_list_and_a_mapping_are_all_read() -> None:
    one = panel("administrators: 'cn=a,dc=x'\n").administrators
    assert [(each.group, each.domains, each.base) for each in one] == [("cn=a,dc=x", (), None)]
    many = panel("administrators: ['cn=a,dc=x', {group: 'cn=b,dc=x', domains: B.example}]\n").administrators
    assert [(each.group, each.domains) for each in many] == [("cn=a,dc=x", ()), ("cn=b,dc=x", ("b.example",))]
    assert panel("{}").administrators == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("create: {who: nobody}", "administrators, everybody or DNs"),
        ("create: {required: colour}", "create.required"),
        ("administrators: [{domains: a.example}]", "group"),
        ("login: {tries: 0}", "login.tries"),
        ("login: {idle: 30}", "duration"),
    ],
)
def test_what_can_not_be_meant_is_refused(text: str, wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=wanted):
        panel(text)
