"""Whatever the directory holds and whatever came before, lists say what looking at every entry by itself says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.directory.mirrors import BASE, NOW, entry, group_dn, looking, opened, person_dn

from groupmilter.directory import mirror_writer
from groupmilter.directory.catalogue import (
    Catalogue,
    Choice,
    Flag,
    GroupQuery,
    GroupRow,
    MemberKind,
    MemberQuery,
    MemberRow,
    Reason,
    Scope,
    Sort,
    Viewer,
    Window,
)
from groupmilter.directory.entry import Change, Entry, KeepOnly, Put, Remove
from groupmilter.directory.findings import Kind
from groupmilter.directory.folding import folded
from groupmilter.directory.mirror import Mirror
from groupmilter.directory.snapshot import Snapshot
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group, JoinPolicy
from groupmilter.groups.person import Node, Person
from groupmilter.mail.address import domain_of

NAMES = ("a", "b", "c", "d")
CALLED = ("", "Élodie Cœur", "elodie Żak", "Straße\nA", "A_%")
ADDRESSES = ("a@example.org", "É.b@example.org", "c@other.example", "Zoé@other.example")
UUIDS = tuple(f"u{number}" for number in range(8))
DNS = [*map(person_dn, NAMES), *map(group_dn, NAMES)]
URLS = [f"ldap:///{BASE}??sub?(ou=x)", f"ldap:///{BASE}??sub?(objectClass=*)"]
some_dns = st.lists(st.sampled_from(DNS), max_size=4, unique=True)
yes = st.just(["TRUE"])
Strategy = st.SearchStrategy[str]
WINDOWS = st.builds(Window, st.integers(-1, 5), st.integers(0, 4)) | st.just(Window())
TEXTS = st.sampled_from(
    ["", "e", "ELODIE", "cœur élo", "coeur", "zoe", "zoé", "other a", "_%", "strasse", "\n", "uid"]
)
NODES = st.none() | st.integers(1, 8).map(Node)
VIEWERS = st.builds(
    Viewer,
    NODES,
    st.booleans(),
    st.sets(st.sampled_from(["other.example", "example.org", "org"]), max_size=1).map(frozenset),
    st.sets(st.sampled_from([f"ou=groups,{BASE}", group_dn("a"), "dc=org"]), max_size=1).map(frozenset),
)
QUERIES = st.builds(
    GroupQuery,
    TEXTS,
    st.sampled_from(Scope),
    st.sets(st.sampled_from(["other.example", "example.org"]), max_size=2).map(frozenset),
    st.sets(st.sampled_from(Flag), max_size=2).map(frozenset),
    st.sampled_from(Sort),
    st.booleans(),
)


def made(uuid: str, dn: str, **attributes: str | list[str]) -> Entry:
    return entry(uuid, dn, **{name: value for name, value in attributes.items() if value})


def a_person(uuids: Strategy, names: Strategy) -> st.SearchStrategy[Entry]:
    return st.builds(
        lambda uuid, name, called, mail, unit, locked: made(
            uuid, person_dn(name), mail=mail, displayName=called, uid=name, ou=unit, nsAccountLock=locked
        ),
        uuids,
        names,
        st.sampled_from(CALLED),
        st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=2, unique=True),
        st.sampled_from(["", "x"]),
        st.sampled_from(["", "", "TRUE"]),
    )


MORE = st.fixed_dictionaries(
    {},
    optional={
        "owner": some_dns,
        "dgModerator": some_dns,
        "dgModerated": yes,
        "dgHidden": yes,
        "description": st.sampled_from(CALLED[1:]).map(lambda text: [text]),
        "dgEnabled": st.just(["FALSE"]),
        "dgJoinPolicy": st.sampled_from([["open"], ["approval"]]),
        "dgRequireAuthentication": st.just(["FALSE"]),
        "dgExternalSender": st.just(["@partner.example"]),
        "dgMemberAddress": st.lists(st.sampled_from([*ADDRESSES, "Élse@x.example"]), max_size=3, unique=True),
        "memberURL": st.lists(st.sampled_from(URLS), max_size=2, unique=True),
        "dgExcludedMember": some_dns,
    },
)


def a_group(uuids: Strategy, names: Strategy) -> st.SearchStrategy[Entry]:
    return st.builds(
        lambda uuid, name, called, mail, members, more: made(
            uuid,
            group_dn(name),
            objectClass=["groupOfNames"],
            displayName=called,
            mail=mail,
            member=members,
            **more,
        ),
        uuids,
        names,
        st.sampled_from(CALLED),
        st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True),
        some_dns,
        MORE,
    )


ENTRIES = st.one_of(
    a_person(st.sampled_from(UUIDS), st.sampled_from(NAMES)),
    a_group(st.sampled_from(UUIDS), st.sampled_from(NAMES)),
)
# Everybody is there at first; what comes then changes, renames and removes some.
FIRST = st.tuples(
    *(a_person(st.just(uuid), st.just(name)).map(Put) for uuid, name in zip(UUIDS[:4], NAMES, strict=True)),
    *(a_group(st.just(uuid), st.just(name)).map(Put) for uuid, name in zip(UUIDS[4:], NAMES, strict=True)),
).map(list)
CHANGES = st.one_of(
    st.builds(Put, ENTRIES),
    st.builds(Put, ENTRIES),
    st.builds(Remove, st.sampled_from(UUIDS)),
    st.builds(KeepOnly, st.frozensets(st.sampled_from(UUIDS), min_size=5)),
)


FURTHER = st.lists(st.lists(CHANGES, min_size=1, max_size=4), max_size=2)
BATCHES = st.builds(lambda first, further: [first, *further], FIRST, FURTHER)


class Everything:
    """What a snapshot says of each entry, one after the other."""

    def __init__(self, mirror: Mirror, seen: Snapshot) -> None:
        rows = mirror._connection.execute("SELECT node FROM entry ORDER BY node").fetchall()
        nodes = [Node(node) for (node,) in rows]
        self.seen = seen
        self.groups = [group for group in map(seen.group, nodes) if group is not None]
        self.people = [person for person in map(seen.person, nodes) if person is not None]
        self.ownerless = {one.dn for one in mirror.findings() if one.kind is Kind.OWNERLESS}

    def selves(self, viewer: Viewer) -> frozenset[Node]:
        return frozenset() if viewer.person is None else self.above(viewer) | {viewer.person}

    def above(self, viewer: Viewer) -> frozenset[Node]:
        return frozenset() if viewer.person is None else self.seen.containing(viewer.person)

    def in_scope(self, group: Group, viewer: Viewer, scope: Scope) -> bool:
        if scope is Scope.MINE:
            return group.node in self.above(viewer)
        if scope is Scope.OWNED:
            return bool(group.owners & self.selves(viewer))
        if scope is Scope.MODERATED:
            return group.moderated and bool(group.deciders & self.selves(viewer))
        closed = group.join_policy is JoinPolicy.CLOSED
        return scope is Scope.ALL or not (closed or group.node in self.above(viewer))

    def visible(self, group: Group, viewer: Viewer) -> bool:
        dn = group.dn.lower()
        return (
            not group.hidden
            or viewer.administrator
            or domain_of(group.address) in viewer.domains
            or any(dn == base or dn.endswith(f",{base}") for base in viewer.bases)
            or group.node in self.above(viewer)
            or bool((group.owners | group.deciders) & self.selves(viewer))
        )

    def flags(self, group: Group, dynamic: frozenset[str]) -> frozenset[Flag]:
        found = {
            Flag.OPEN: not group.require_authentication or group.external_senders,
            Flag.MODERATED: group.moderated,
            Flag.OWNERLESS: group.dn in self.ownerless,
            Flag.DISABLED: not group.enabled,
            Flag.HIDDEN: group.hidden,
            Flag.DYNAMIC: group.uuid in dynamic,
        }
        return frozenset(flag for flag, true in found.items() if true)

    def listed(self, viewer: Viewer, query: GroupQuery, dynamic: frozenset[str]) -> list[Group]:
        return [
            group
            for group in self.groups
            if group.address
            and self.visible(group, viewer)
            and self.in_scope(group, viewer, query.scope)
            and query.flags <= self.flags(group, dynamic)
            and (not query.domains or domain_of(group.address) in query.domains)
            and holds(query.text, text_of(group))
        ]


def text_of(found: Group | Person) -> str:
    logins = found.logins if isinstance(found, Person) else ()
    description = found.description if isinstance(found, Group) else ""
    return "\n".join(filter(None, (found.name, *found.addresses, *logins, description)))


def holds(wanted: str, text: str) -> bool:
    return all(folded(word) in folded(text) for word in wanted.split())


def key(found: Group | Person) -> tuple[str, Node]:
    return folded(text_of(found)), found.node


def cut(window: Window, rows: list[Node]) -> list[Node]:
    begin = max(window.offset, 0)
    return rows[begin : begin + max(window.limit, 0)]


def followed(state: dict[str, Entry], change: Change) -> None:
    """What a directory looks like after a change: a name belongs to whoever took it last."""
    match change:
        case Put(new):
            for uuid in [uuid for uuid, old in state.items() if old.dn == new.dn or uuid == new.uuid]:
                del state[uuid]
            state[new.uuid] = new
        case Remove(uuid):
            state.pop(uuid, None)
        case KeepOnly(uuids):
            for uuid in set(state) - uuids:
                del state[uuid]


def compared(batches: list[list[Change]], check: Callable[[Everything, dict[str, Entry]], None]) -> None:
    state: dict[str, Entry] = {}
    with tempfile.TemporaryDirectory() as folder, opened(path := Path(folder, "mirror.db")) as mirror:
        for batch in batches:
            mirror.apply(batch, now=NOW)
            for change in batch:
                followed(state, change)
        with looking(path) as seen:
            check(Everything(mirror, seen), state)


@settings(max_examples=60)
@given(BATCHES, VIEWERS, QUERIES, WINDOWS)
def test_a_page_of_groups_is_what_looking_at_each_says(
    batches: list[list[Change]], viewer: Viewer, query: GroupQuery, window: Window
) -> None:
    def check(every: Everything, state: dict[str, Entry]) -> None:
        dynamic = frozenset(uuid for uuid, one in state.items() if one.attributes.get("memberurl"))
        catalogue = Catalogue(every.seen, viewer)
        counted = {group.node: sum(catalogue.member_counts(group.node).values()) for group in every.groups}

        def order(group: Group) -> tuple[object, ...]:
            first = {Sort.NAME: "", Sort.ADDRESS: group.address, Sort.MEMBERS: counted[group.node]}
            return first[query.sort], folded(text_of(group))

        wanted = sorted(every.listed(viewer, query, dynamic), key=lambda group: group.node)
        wanted.sort(key=order, reverse=query.descending)
        page = catalogue.groups(query, window)
        assert page.total == len(wanted)
        assert [row.node for row in page.rows] == cut(window, [group.node for group in wanted])
        assert page.more == (bool(page.rows) and max(window.offset, 0) + len(page.rows) < len(wanted))
        for row in page.rows:
            group = every.seen.group(row.node)
            assert group is not None
            flags = every.flags(group, dynamic)
            assert row == GroupRow(
                group.node, group.uuid, group.name, group.address, flags, counted[group.node]
            )
        seen = {group.node for group in every.groups if every.visible(group, viewer)}
        assert {node for node in map(Node, range(20)) if catalogue.may_see(node)} == seen
        addresses = [group.address for group in every.groups if group.node in seen and group.address]
        assert catalogue.domains() == tuple(sorted({domain_of(address) for address in addresses}))

    compared(batches, check)


def receivers(rows: Iterable[MemberRow]) -> set[tuple[str, Node | None]]:
    return {(row.address, row.node) for row in rows if row.kind is not MemberKind.LEFT_OUT and not row.group}


@settings(max_examples=60)
@given(BATCHES, TEXTS, st.none() | st.sampled_from(MemberKind), WINDOWS)
def test_a_page_of_members_is_what_the_entry_names_and_who_gets_its_mail(
    batches: list[list[Change]], text: str, kind: MemberKind | None, window: Window
) -> None:
    def check(every: Everything, state: dict[str, Entry]) -> None:
        catalogue = Catalogue(every.seen, Viewer())
        for group in every.groups:
            rows = catalogue.members(group.node, MemberQuery()).rows
            _agrees(every, group, state[group.uuid], rows)
            numbers = {one: sum(row.kind is one for row in rows) for one in MemberKind}
            assert catalogue.member_counts(group.node) == {k: n for k, n in numbers.items() if n}
            wanted = [row for row in rows if kind in (None, row.kind) and holds(text, _found_by(every, row))]
            page = catalogue.members(group.node, MemberQuery(text, kind), window)
            begin = max(window.offset, 0)
            assert (page.total, list(page.rows)) == (len(wanted), wanted[begin:][: max(window.limit, 0)])

    compared(batches, check)


def _found_by(every: Everything, row: MemberRow) -> str:
    found = None if row.node is None else every.seen.group(row.node) or every.seen.person(row.node)
    return row.written if found is None else text_of(found)


def _agrees(every: Everything, group: Group, stored: Entry, rows: tuple[MemberRow, ...]) -> None:
    named = {raw.decode().lower() for raw in stored.attributes.get("member", ())}
    try:
        expanded = every.seen.members(group.node)
    except DirectoryUnknown:  # an address of two groups
        assert any(row.group for row in rows)
        return
    assert receivers(rows) == {(member.address, member.node) for member in expanded.people}
    assert {row.node for row in rows if row.group} == set(expanded.groups)
    assert {_reason(every, row) for row in rows if row.reason} == set(expanded.left_out)
    by_name = [row for row in rows if "@" not in row.written]
    assert {row.written.lower() for row in by_name if row.named} == named
    assert len({row.node for row in by_name}) == len(by_name)
    assert all(row.named for row in rows if "@" in row.written)
    assert [row for row in by_name if row.kind is MemberKind.DYNAMIC] == [
        row for row in by_name if not row.named and not row.reason
    ]


def _reason(every: Everything, row: MemberRow) -> str:
    person = None if row.node is None else every.seen.person(row.node)
    who = row.written if person is None else person.dn.lower()
    return {
        Reason.NOWHERE: f"{who} is neither a person nor a group with mail",
        Reason.LOCKED: f"{who} is locked",
        Reason.NO_ADDRESS: f"{who} has no address that mail can be sent to",
        None: "",
    }[row.reason]


@settings(max_examples=60)
@given(BATCHES, VIEWERS, TEXTS, st.booleans(), st.booleans())
def test_choices_and_what_somebody_is_in_and_counts(
    batches: list[list[Change]], viewer: Viewer, text: str, people: bool, groups: bool
) -> None:
    def check(every: Everything, _: dict[str, Entry]) -> None:
        catalogue = Catalogue(every.seen, viewer)
        found: list[Group | Person] = [one for one in every.people if people and not one.disabled]
        found += [one for one in every.groups if groups and every.visible(one, viewer)]
        wanted = {
            Choice(one.node, isinstance(one, Group), one.name, one.address, one.dn)
            for one in found
            if holds(text, text_of(one))
        }
        page = catalogue.choices(text, people=people, groups=groups)
        assert (set(page.rows), page.total, len(page.rows)) == (wanted, len(wanted), len(wanted))
        assert set(catalogue.named(one.node for one in found)) >= wanted
        involved, selves = catalogue.involvement(), every.selves(viewer)
        assert involved.member == every.above(viewer)
        assert involved.owned == {one.node for one in every.groups if one.owners & selves}
        decides = {one.node for one in every.groups if one.moderated and one.deciders & selves}
        assert involved.moderated == decides
        assert involved.direct <= involved.member
        counts = catalogue.counts()
        addressed = [one for one in every.groups if one.address]
        assert (counts.groups, counts.people) == (len(addressed), len(every.people))
        assert counts.unaddressed == len(every.groups) - len(addressed)

    compared(batches, check)


@settings(max_examples=50)
@given(BATCHES, st.sampled_from([1, 20_000]))
def test_findings_are_counted_as_they_are_told(batches: list[list[Change]], noted: int) -> None:
    with (
        patch.object(mirror_writer, "_CHANGES_NOTED", noted),
        tempfile.TemporaryDirectory() as folder,
        opened(path := Path(folder, "mirror.db")) as mirror,
    ):
        for batch in batches:
            mirror.apply(batch, now=NOW)
        kinds = [one.kind for one in mirror.findings()]
        with looking(path) as seen:
            counts = Catalogue(seen, Viewer()).counts()
        assert counts.findings == {kind: kinds.count(kind) for kind in kinds}
        assert (counts.generation, counts.synced_at) == (mirror.generation, NOW)
