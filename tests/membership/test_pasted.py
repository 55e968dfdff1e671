"""What people paste is taken apart, and each is somebody of the real directory, an outsider, or a question."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.membership.offices import GROUPS, JEAN, PEOPLE, Office

from groupmilter.membership.address_book import Known
from groupmilter.membership.pasted import Meant, Outcome, meant, parted
from groupmilter.membership.service import Groups

OWN = frozenset({"masociete.example"})


@pytest.fixture
def groups(office: Office) -> Iterator[Groups]:
    with office.service() as service:
        yield service


def one(groups: Groups, written: str, chosen: dict[str, str] | None = None) -> Meant:
    (found,) = meant(groups.book, OWN, (written,), chosen)
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a@x.example\n\n  b@x.example  \na@x.example", ("a@x.example", "b@x.example")),
        ("a@x.example, b@x.example;c@x.example\td@x.example", tuple(f"{c}@x.example" for c in "abcd")),
        ("Dupont, Jean", ("Dupont, Jean",)),
        ('"Dupont, Jean" <jean@x.example>', ('"Dupont, Jean" <jean@x.example>',)),
        ("Jean <j@x.example>, Pierre <p@x.example>", ("Jean <j@x.example>", "Pierre <p@x.example>")),
        ("uid=jean,ou=people,dc=x", ("uid=jean,ou=people,dc=x",)),
        ("cn=a b,dc=x\nc@x.example;", ("cn=a b,dc=x", "c@x.example")),
        (" ,;\n\t", ()),
    ],
)
def test_several_are_taken_apart(text: str, wanted: tuple[str, ...]) -> None:
    assert parted(text) == wanted


@pytest.mark.parametrize(
    "written",
    [
        *(
            JEAN,
            JEAN.upper(),
            "jean@masociete.example",
            f"Jean Dupont <{JEAN}>",
            f"mailto:{JEAN}",
            f"<{JEAN}>",
        ),
        *("Jean Dupont", "jean dupont", "jean", f"uid=jean,{PEOPLE}"),
    ],
)
def test_somebody_of_the_directory_is_found_however_he_is_named(groups: Groups, written: str) -> None:
    found = one(groups, written)
    assert (found.outcome, found.value, found.settled) == (Outcome.KNOWN, f"uid=jean,{PEOPLE}", True)


def test_a_group_is_found_too(groups: Groups) -> None:
    found = one(groups, "info@masociete.example")
    assert (found.value, found.known[0].group) == (f"cn=contact,{GROUPS}", True)


@pytest.mark.parametrize(
    ("written", "outcome", "value"),
    [
        ("somebody@elsewhere.example", Outcome.OUTSIDER, "somebody@elsewhere.example"),
        ("Some Body <somebody@elsewhere.example>", Outcome.OUTSIDER, "somebody@elsewhere.example"),
        ("nobody@masociete.example", Outcome.NOBODY, ""),
        ("Nobody At All", Outcome.NOBODY, ""),
        (f"uid=nobody,{PEOPLE}", Outcome.NOBODY, ""),
        ("two@at@signs.example", Outcome.UNREADABLE, ""),
        ("x" * 5000, Outcome.NOBODY, ""),
        ("*", Outcome.NOBODY, ""),
        ("*)(uid=*", Outcome.NOBODY, ""),
    ],
)
def test_what_is_nobody_of_ours_is_told_apart(
    groups: Groups, written: str, outcome: Outcome, value: str
) -> None:
    found = one(groups, written)
    assert (found.outcome, found.value) == (outcome, value)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("jean, Alice", [("jean", "jean"), ("Alice", "alice")]),
        (f"Jean Dupont, alice,, {JEAN}", [("Jean Dupont", "jean"), ("alice", "alice"), (JEAN, "jean")]),
        ("Dupont, Jean", [("Dupont, Jean", "jean")]),
        ("jean, nobody", [("jean, nobody", "")]),
        ("jean, x@elsewhere.example", [("jean", "jean"), ("x@elsewhere.example", "x@elsewhere.example")]),
    ],
)
def test_names_between_commas_are_several_where_each_is_somebody(
    groups: Groups, written: str, wanted: list[tuple[str, str]]
) -> None:
    found = meant(groups.book, OWN, [written])
    assert [(one.written, one.value.partition(",")[0].removeprefix("uid=")) for one in found] == wanted


def test_whoever_bears_the_whole_with_its_comma_is_meant(office: Office, groups: Groups) -> None:
    whole = f"uid=comma,{PEOPLE}"
    office.slapd.add(
        f"dn: {whole}\nobjectClass: inetOrgPerson\nuid: comma\ncn: jean, alice\nsn: Comma\n"
        "mail: comma@masociete.example\n"
    )
    try:
        assert one(groups, "jean, alice").value == whole
    finally:
        office.slapd.delete(whole)


def test_a_name_of_several_is_a_question_until_one_is_chosen(office: Office, groups: Groups) -> None:
    twin = f"uid=jean2,{PEOPLE}"
    office.slapd.add(
        f"dn: {twin}\nobjectClass: inetOrgPerson\nuid: jean2\ncn: Jean Dupont\nsn: Dupont\n"
        "mail: jean.dupont2@masociete.example\n"
    )
    try:
        found = one(groups, "Jean Dupont")
        assert found.outcome is Outcome.SEVERAL
        assert not found.settled
        assert {known.dn for known in found.known} == {f"uid=jean,{PEOPLE}", twin}
        assert one(groups, "Jean Dupont", {"Jean Dupont": twin}).value == twin
        assert one(groups, "Jean Dupont", {"Jean Dupont": "uid=gone,dc=x"}).outcome is Outcome.NOBODY
    finally:
        office.slapd.delete(twin)


def test_what_may_not_be_told_of_is_as_if_it_were_not_there(groups: Groups) -> None:
    written = ("crise@masociete.example", "Cellule de crise", f"cn=cellule-de-crise,{GROUPS}")
    shown = meant(groups.book, OWN, written)
    assert {each.outcome for each in shown} == {Outcome.KNOWN}
    hidden = meant(groups.book, OWN, written, visible=lambda known: not known.group)
    assert {each.outcome for each in hidden} == {Outcome.NOBODY}
    assert all(not each.known for each in hidden)


def test_who_is_recognised_by_a_part_of_his_name_is_looked_up_in_the_directory(groups: Groups) -> None:
    there = Known(f"uid=jean,{PEOPLE}", False, "Jean Dupont", (JEAN,))
    gone = Known(f"uid=gone,{PEOPLE}", False, "Jeanne Dupont", ())
    group = Known(f"cn=contact,{GROUPS}", True, "Contact", ("contact@masociete.example",))
    bearing = {"One": (there,), "Gone": (gone,), "Group": (group,), "Two": (there, group), "None": ()}
    found = meant(groups.book, OWN, bearing, recognise=lambda name: bearing[name])
    assert [(each.written, each.outcome, each.value) for each in found] == [
        ("One", Outcome.KNOWN, there.dn),
        ("Gone", Outcome.NOBODY, ""),
        ("Group", Outcome.NOBODY, ""),
        ("Two", Outcome.SEVERAL, ""),
        ("None", Outcome.NOBODY, ""),
    ]
    asked: list[str] = []

    def nobody(name: str) -> tuple[Known, ...]:
        asked.append(name)
        return ()

    meant(groups.book, OWN, (JEAN, "jean", "x@y@z", f"uid=x,{PEOPLE}"), recognise=nobody)
    assert asked == [], "only names that nobody bears as they stand"
    meant(groups.book, OWN, (f"Nobody {number}" for number in range(101)), recognise=nobody)
    assert asked == [], "of very many at once nobody is guessed"
