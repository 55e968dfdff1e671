"""Whatever came before, the mirror equals one that was loaded afresh from the directory's present state."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.directory.mirrors import BASE, NOW, entry, group_dn, looking, opened, person_dn

from groupmilter.directory import mirror_writer
from groupmilter.directory.entry import Change, Entry, KeepOnly, Put, Remove
from groupmilter.directory.mirror import Mirror
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group

NAMES = ("a", "b", "c", "d")
UUIDS = tuple(f"u{number}" for number in range(6))
DNS = [*map(person_dn, NAMES), *map(group_dn, NAMES)]
some_dns = st.lists(st.sampled_from(DNS), max_size=3, unique=True)
URLS = [
    f"ldap:///ou=people,{BASE}??sub?(ou=x)",
    f"ldap:///{BASE}??sub?(objectClass=*)",
    f"ldap:///{BASE}??sub?(!(ou=x))",
    "ldap:///bad",
]


def person(uuid: str, name: str, mail: list[str], unit: str, locked: str) -> Entry:
    kept: dict[str, str | list[str]] = {"mail": mail, "ou": unit, "nsAccountLock": locked, "uid": name}
    return entry(uuid, person_dn(name), **{key: value for key, value in kept.items() if value})


def group(uuid: str, name: str, mail: list[str], members: list[str], more: dict[str, list[str]]) -> Entry:
    kept: dict[str, str | list[str]] = {
        "objectClass": ["groupOfNames"],
        "mail": mail,
        "member": members,
        **more,
    }
    return entry(uuid, group_dn(name), **{key: value for key, value in kept.items() if value})


MAILS = st.lists(st.sampled_from([f"{name}@example.org" for name in NAMES]), max_size=2, unique=True)
PEOPLE = st.builds(
    person,
    st.sampled_from(UUIDS),
    st.sampled_from(NAMES),
    MAILS,
    st.sampled_from(["", "x"]),
    st.sampled_from(["", "TRUE"]),
)
GROUPS = st.builds(
    group,
    st.sampled_from(UUIDS),
    st.sampled_from(NAMES),
    MAILS,
    some_dns,
    st.fixed_dictionaries(
        {},
        optional={
            "owner": some_dns,
            "dgModerator": some_dns,
            "dgModerated": st.just(["TRUE"]),
            "dgExcludedMember": some_dns,
            "dgEnabled": st.just(["FALSE"]),
            "dgRequireAuthentication": st.just(["FALSE"]),
            "dgExternalSender": st.just(["@partner.example"]),
            "dgAllowedSender": some_dns,
            "dgAllowedSenderAddress": st.just(["@partner.example"]),
            "dgMaxMessageSize": st.sampled_from([["5000"], ["6000"]]),
            "memberURL": st.lists(st.sampled_from(URLS), max_size=2, unique=True),
        },
    ),
)
CHANGES = st.one_of(
    st.builds(Put, PEOPLE | GROUPS),
    st.builds(Put, PEOPLE | GROUPS),
    st.builds(Remove, st.sampled_from(UUIDS)),
    st.builds(KeepOnly, st.frozensets(st.sampled_from(UUIDS))),
)


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


def seen_in(path: Path, mirror: Mirror) -> object:
    """Everything a mirror says, by names instead of by its own numbers and generations."""
    with looking(path) as seen:
        entries = {}
        for uuid in UUIDS:
            node = mirror._connection.execute("SELECT node FROM detail WHERE uuid = ?", (uuid,)).fetchone()
            if node is not None:
                found = seen.group(node[0]) or seen.person(node[0])
                assert found is not None
                members = seen.members(node[0])
                entries[uuid] = (
                    found.dn,
                    isinstance(found, Group),
                    found.addresses,
                    sorted((m.address, dn_of(mirror, m.node)) for m in members.people),
                    sorted(dn_of(mirror, inner) for inner in members.groups),
                    sorted(members.left_out),
                    sorted(dn_of(mirror, above) for above in seen.containing(node[0])),
                    sorted(dn_of(mirror, owner) for owner in found.owners)
                    if isinstance(found, Group)
                    else [],
                )
        owners = {}
        for name in NAMES:
            try:
                claimed = seen.find(f"{name}@example.org")
            except DirectoryUnknown:
                owners[name] = "several"
            else:
                owners[name] = "" if claimed is None else claimed.uuid
    return entries, owners, mirror.findings()


# Two groups of one address contain each other, and the node numbers differ from those of a fresh load.
TWINS: list[list[Change]] = [
    [Put(group("u0", "a", [], [], {}))],
    [
        Put(person("u0", "a", [], "", "")),
        Put(group("u1", "b", ["a@example.org"], [group_dn("a")], {})),
        Put(group("u0", "a", ["a@example.org"], [], {"memberURL": [URLS[1]]})),
    ],
]

# The last dynamic member leaves the directory, and nothing else happens in its batch.
LEAVER: list[list[Change]] = [
    [
        Put(group("u0", "a", ["a@example.org"], [], {"memberURL": [URLS[1]]})),
        Put(group("u2", "b", [], [], {})),
    ],
    [Remove("u2")],
]

# A group within another begins to refuse, its members change, it takes everything again, and is taken out.
NESTED: list[list[Change]] = [
    [
        Put(group("u0", "a", ["a@example.org"], [group_dn("b")], {})),
        Put(group("u1", "b", ["b@example.org"], [], {})),
    ],
    [Put(group("u1", "b", ["b@example.org"], [], {"dgAllowedSender": [group_dn("b")]}))],
    [Put(group("u1", "b", ["b@example.org"], [group_dn("a")], {"dgAllowedSender": [group_dn("b")]}))],
    [Put(group("u1", "b", ["b@example.org"], [], {"dgAllowedSender": [group_dn("a")]}))],
    [Put(group("u0", "a", ["a@example.org"], [], {}))],
]


def dn_of(mirror: Mirror, node: int | None) -> str:
    row = mirror._connection.execute("SELECT dn FROM node WHERE id = ?", (node,)).fetchone()
    return str(row[0]) if row else ""


@settings(max_examples=80)
@example(batches=TWINS, noted=1)
@example(batches=TWINS, noted=20_000)
@example(batches=LEAVER, noted=20_000)
@example(batches=NESTED, noted=20_000)
@given(
    st.lists(st.lists(CHANGES, min_size=1, max_size=4), min_size=1, max_size=5), st.sampled_from([1, 20_000])
)
def test_incremental_equals_afresh(batches: list[list[Change]], noted: int) -> None:
    """With a limit of one, everything is computed anew after each batch, as after large ones."""
    with patch.object(mirror_writer, "_CHANGES_NOTED", noted):
        compared(batches)


def compared(batches: list[list[Change]]) -> None:
    state: dict[str, Entry] = {}
    with tempfile.TemporaryDirectory() as folder:
        one, other = Path(folder, "one.db"), Path(folder, "other.db")
        with opened(one) as incremental, opened(other) as afresh:
            for batch in batches:
                incremental.apply(batch, now=NOW)
                for change in batch:
                    followed(state, change)
            afresh.apply(map(Put, state.values()), now=NOW)
            assert seen_in(one, incremental) == seen_in(other, afresh)
