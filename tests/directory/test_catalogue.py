"""Lists for people: how text is found, what is bounded, who sees what is hidden, and what members a server finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.directory.mirrors import (
    BASE,
    NOW,
    entry,
    found_group,
    found_person,
    group,
    group_dn,
    looking,
    opened,
    person,
    person_dn,
)

from groupmilter.directory.catalogue import (
    Catalogue,
    GroupQuery,
    MemberKind,
    MemberQuery,
    Scope,
    Viewer,
    Window,
)
from groupmilter.directory.catalogue_rows import MOST_ROWS
from groupmilter.directory.entry import Put
from groupmilter.directory.folding import folded, words
from groupmilter.directory.mirror import Mirror, MirrorSettings
from groupmilter.directory.profile import Profile
from groupmilter.directory.snapshot import Reader
from groupmilter.groups.directory import DirectoryUnknown


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Élodie", "elodie"),
        ("E\u0301lodie", "elodie"),
        ("CŒUR", "coeur"),
        ("Straße", "strasse"),
        ("Łódź", "lodz"),
        ("İstanbul", "istanbul"),
        ("Ｆｕｌｌ", "full"),
        ("Ἀθῆναι", "αθηναι"),
        ("L’Été", "l'ete"),
        ("plain@example.org", "plain@example.org"),
        ("한국", "한국"),
    ],
)
def test_text_is_compared_without_case_and_accents(text: str, plain: str) -> None:
    assert folded(text) == plain
    assert folded(plain) == plain


def test_a_search_has_a_limited_number_of_words_of_limited_length() -> None:
    assert words(" Jean   Dupont jean Jean ") == ("Jean", "Dupont", "jean")
    assert len(words(" ".join(map(str, range(1000))))) == 8
    assert words("x" * 100_000) == ("x" * 100,)


def test_what_is_typed_is_text_and_no_pattern_or_statement(tmp_path: Path) -> None:
    odd = '100%_a\'; DROP TABLE entry; -- "b"'
    with (
        opened(tmp_path / "m.db", Put(group("a", displayName=odd)), Put(group("b"))),
        looking(tmp_path / "m.db") as seen,
    ):
        catalogue = Catalogue(seen, Viewer())
        for text, expected in (
            (odd, 1),
            ("%", 1),
            ("_", 1),
            ("%example", 0),
            ("'", 1),
            (":word0", 0),
            ("\0", 0),
        ):
            assert catalogue.groups(GroupQuery(text)).total == expected
            assert catalogue.choices(text).total == expected


def test_a_page_is_bounded_whatever_is_asked_for(tmp_path: Path) -> None:
    members = [f"p{number:04}" for number in range(MOST_ROWS + 10)]
    changes = [Put(group("big", *members)), *(Put(group(f"g{number}")) for number in range(MOST_ROWS + 10))]
    with opened(tmp_path / "m.db", *changes), looking(tmp_path / "m.db") as seen:
        catalogue, node = Catalogue(seen, Viewer()), found_group(seen, "big").node
        everything = Window(0, 10**30)
        assert len(catalogue.groups(GroupQuery(), everything).rows) == MOST_ROWS
        assert len(catalogue.members(node, MemberQuery(), everything).rows) == MOST_ROWS
        assert len(catalogue.choices("", everything).rows) == MOST_ROWS
        assert catalogue.groups(GroupQuery(), Window(10**30, 1)).rows == ()
        last = catalogue.members(node, MemberQuery(), Window(MOST_ROWS + 5, 50))
        assert [row.written for row in last.rows] == [person_dn(name) for name in members[-5:]]


def test_hidden_groups_show_to_who_has_to_do_with_them(tmp_path: Path) -> None:
    changes = [
        *(Put(person(name)) for name in ("owner", "member", "nested", "moderator", "boss", "stranger")),
        Put(group("inner", "nested")),
        Put(group("bosses", "boss")),
        Put(
            group("secret", "member", group_dn("inner"), dgHidden="TRUE", dgModerator=person_dn("moderator"))
        ),
        Put(group("board", dgHidden="TRUE", owner=group_dn("bosses"))),
    ]
    with opened(tmp_path / "m.db", *changes), looking(tmp_path / "m.db") as seen:

        def shown(name: str) -> set[str]:
            catalogue = Catalogue(seen, Viewer(found_person(seen, name).node))
            found = {row.address.partition("@")[0] for row in catalogue.groups(GroupQuery()).rows}
            assert {
                row.address.partition("@")[0] for row in catalogue.choices("", people=False).rows
            } == found
            return found - {"inner", "bosses"}

        expected = {"owner": {"secret"}, "member": {"secret"}, "nested": {"secret"}, "moderator": {"secret"}}
        expected |= {"boss": {"board"}, "stranger": set()}
        assert {name: shown(name) for name in expected} == expected
        nobody, administrator = Catalogue(seen, Viewer()), Catalogue(seen, Viewer(administrator=True))
        assert [catalogue.groups(GroupQuery()).total for catalogue in (nobody, administrator)] == [2, 4]
        assert nobody.groups(GroupQuery(scope=Scope.MINE)).total == 0


def test_whoever_begins_like_it_comes_first(tmp_path: Path) -> None:
    names = {
        "a": "Zoé Martin",
        "b": "Martine Abel",
        "c": "Bob Marley",
        "d": "Lamartine Cox",
        "e": "Martin Zoé",
    }
    changes = [Put(person(name, displayName=called)) for name, called in names.items()]
    with opened(tmp_path / "m.db", *changes), looking(tmp_path / "m.db") as seen:
        catalogue = Catalogue(seen, Viewer())
        found = [row.name for row in catalogue.choices("martin").rows]
        assert found == ["Martin Zoé", "Martine Abel", "Zoé Martin", "Lamartine Cox"]
        assert [row.name for row in catalogue.choices("ZOE mart").rows] == ["Zoé Martin", "Martin Zoé"]
        assert [row.name for row in catalogue.choices("b@example.org").rows] == ["Martine Abel"]


def test_a_locked_person_is_not_to_be_picked_and_a_member_left_out(tmp_path: Path) -> None:
    changes = [Put(person("jean", nsAccountLock="TRUE")), Put(group("sales", "jean"))]
    with opened(tmp_path / "m.db", *changes) as mirror:
        with looking(tmp_path / "m.db") as seen:
            catalogue, node = Catalogue(seen, Viewer()), found_group(seen, "sales").node
            assert catalogue.choices("jean").total == 0
            assert catalogue.member_counts(node) == {MemberKind.LEFT_OUT: 1}
        mirror.apply([Put(person("jean"))], now=NOW)
        with looking(tmp_path / "m.db") as seen:
            catalogue = Catalogue(seen, Viewer())
            assert catalogue.choices("jean").total == 1
            assert catalogue.member_counts(node) == {MemberKind.PERSON: 1}


def test_members_that_only_a_server_finds_are_dynamic(tmp_path: Path) -> None:
    url = f"ldap:///{BASE}??sub?(unindexed=x)"
    changes = [Put(person("jean")), Put(person("zoe")), Put(group("sales", "jean", memberURL=url))]
    with opened(tmp_path / "m.db", *changes) as mirror:
        mirror.set_dynamic("group-sales", ["person-jean", "person-zoe"])
        with looking(tmp_path / "m.db") as seen:
            rows = Catalogue(seen, Viewer()).members(found_group(seen, "sales").node, MemberQuery()).rows
    assert [(row.kind, row.address, row.named) for row in rows] == [
        (MemberKind.PERSON, "jean@example.org", True),
        (MemberKind.DYNAMIC, "zoe@example.org", False),
    ]


def test_who_names_the_group_himself_is_a_person_in_no_list_of_it(tmp_path: Path) -> None:
    profile = Profile.from_mapping(
        {
            "profile": "reverse",
            "uuid": "entryUUID",
            "person": {
                "when": {"attributes": ["mail"]},
                "fields": {"addresses": "mail", "name": "cn", "member_of": "memberOf"},
            },
            "group": {
                "when": {"classes": ["groupOfNames"]},
                "fields": {"address": "mail", "members": "member"},
            },
        }
    )
    mirror = Mirror.open(tmp_path / "m.db", MirrorSettings(profile, BASE))
    both = entry("u1", person_dn("jean"), mail="jean@example.org", memberOf=group_dn("sales"))
    alone = entry("u2", person_dn("zoe"), mail="zoe@example.org", memberOf=group_dn("sales"))
    mirror.apply([Put(both), Put(alone), Put(group("sales", "jean"))], now=NOW)
    mirror.close()
    with looking(tmp_path / "m.db") as seen:
        catalogue, node = Catalogue(seen, Viewer()), found_group(seen, "sales").node
        rows = catalogue.members(node, MemberQuery()).rows
        assert next(iter(catalogue.group_rows([node]))).members == 2
    assert [(row.kind, row.address, row.named) for row in rows] == [
        (MemberKind.PERSON, "jean@example.org", True),
        (MemberKind.PERSON, "zoe@example.org", False),
    ]


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    with opened(tmp_path / "m.db", Put(group("a"))) as mirror:
        with looking(tmp_path / "m.db") as seen:
            catalogue = Catalogue(seen, Viewer())
            assert catalogue.counts().groups == 1
        mirror._connection.execute("DROP TABLE listed")
        with looking(tmp_path / "m.db") as seen:
            catalogue = Catalogue(seen, Viewer())
            with pytest.raises(DirectoryUnknown, match="can't be read"):
                catalogue.groups(GroupQuery())
    clock = iter([0.0, 0.0, *([10.0] * 10)])
    with opened(tmp_path / "late.db", Put(group("a"))):
        reader = Reader(tmp_path / "late.db", 3600.0, clock=lambda: next(clock))
        with reader.snapshot(NOW) as seen, pytest.raises(DirectoryUnknown, match="too slow"):
            Catalogue(seen, Viewer()).groups(GroupQuery())
        reader.close()
