"""Changes planned for a directory and a side store together: what is asked for is so afterwards, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.directory.writing import PROFILES

from groupmilter.config.load import parse_yaml
from groupmilter.directory.change import Change, Difference, Meanwhile, Setting, Values, WriteRefused
from groupmilter.directory.entry import Entry
from groupmilter.directory.modification import Plan, current, planned
from groupmilter.directory.profile import Profile, ProfileError
from groupmilter.directory.side_session import SideSession
from groupmilter.directory.side_store import (
    NoSideStore,
    SideStoreUnavailable,
    SideValues,
    is_beside,
    merged,
    values_of,
)
from groupmilter.directory.writer_messages import Operation

CONTACT = "cn=contact,ou=groups,dc=masociete,dc=example"
PLACEHOLDER = "cn=placeholder"
PEOPLE = ("uid=a,dc=x", "uid=b,dc=x", "uid=c,dc=x")


def shipped(name: str, beside: bool | None = None, *, read_only: bool = False) -> Profile:
    path = PROFILES / f"{name}.yaml"
    return Profile.from_mapping(
        parse_yaml(path.read_text(encoding="utf-8"), str(path)), (), beside, read_only=read_only
    )


PROFILES_TRIED = {
    "plain": shipped("plain"),
    "native": shipped("native", beside=True),
    "file": shipped("native", beside=True, read_only=True),
}


def entry(**attributes: str | Sequence[str]) -> Entry:
    held = {"objectclass": (b"groupOfNames",), "cn": (b"contact",), "member": (PLACEHOLDER.encode(),)}
    more = {
        name.replace("side_", "side:"): tuple(
            one.encode() for one in ([value] if isinstance(value, str) else value)
        )
        for name, value in attributes.items()
    }
    return Entry("u", CONTACT, held | more)


def applied(before: Entry, plan: Plan) -> Entry:
    """The entry as server and side store would have it; each refuses what isn't there, or is there already."""
    held = {name: list(raws) for name, raws in before.attributes.items()}
    for each in plan.modifications:
        there = held.setdefault(each.attribute, [])
        for raw in each.values:
            if each.operation is Operation.DELETE:
                there.remove(raw)
            else:
                assert raw not in there
                there.append(raw)
    return replace(before, attributes={name: tuple(raws) for name, raws in held.items() if raws})


LISTS = {
    "members": PEOPLE,
    "owners": PEOPLE,
    "moderators": PEOPLE,
    "denied_addresses": ("@spam.example", "x@ailleurs.example"),
    "aliases": ("info@x.example", "b@x.example"),
}
SINGLES: dict[str, tuple[Any, ...]] = {
    "moderated": (True, False, None),
    "hold_hours": (24, 48, None),
    "join_policy": ("open", "closed", None),
    "name": ("Contact", "Accueil", None),
    "address": ("contact@x.example", "b@x.example"),
    "mail_tip": ("Bonjour", "", None),
}
changes = st.one_of(
    st.sampled_from(sorted(LISTS)).flatmap(
        lambda name: st.builds(
            Values,
            st.just(name),
            st.lists(st.sampled_from(LISTS[name]), max_size=2).map(tuple),
            st.lists(st.sampled_from(LISTS[name]), max_size=2).map(tuple),
        )
    ),
    st.sampled_from(sorted(SINGLES)).flatmap(
        lambda name: st.builds(
            Setting,
            st.just(name),
            st.sampled_from(SINGLES[name]),
            language=st.sampled_from(("", "fr") if name == "mail_tip" else ("",)),
        )
    ),
)
# What may stand beside already, from a time when the directory had no attribute for it.
left_over = st.fixed_dictionaries(
    {},
    optional={
        "side:moderated": st.just((b"TRUE",)),
        "side:hold_hours": st.just((b"12",)),
        "side:name": st.just((b"Vieux",)),
        "side:address": st.just((b"vieux@x.example",)),
        "side:denied_addresses": st.just((b"@spam.example", b"@vieux.example")),
        "side:moderators": st.just((b"uid=a, dc=x",)),
        "side:mail_tip;lang-fr": st.just((b"Vieux",)),
    },
)


@given(st.sampled_from(sorted(PROFILES_TRIED)), left_over, st.lists(changes, max_size=8))
def test_what_is_asked_for_is_so_afterwards_and_then_nothing_is_left(
    name: str, before: dict[str, tuple[bytes, ...]], steps: list[Change]
) -> None:
    profile = PROFILES_TRIED[name]
    now = entry()
    now = replace(now, attributes={**now.attributes, **before})
    for step in steps:
        try:
            plan = planned(profile, now, [step], PLACEHOLDER)
        except WriteRefused:
            continue
        assert isinstance(plan, Plan)
        assert {*plan.there.modifications} | {
            each for each in plan.modifications if is_beside(each.attribute)
        } == set(plan.modifications)
        if name == "file":
            assert plan.there.modifications == ()
        now = applied(now, plan)
        again = planned(profile, now, [step], PLACEHOLDER)
        assert isinstance(again, Plan)
        assert again.modifications == ()
        _has(profile, now, step)
        for attribute, raws in now.attributes.items():
            if attribute in ("side:moderated", "side:hold_hours", "side:name", "side:address"):
                assert len(raws) == 1


def _has(profile: Profile, now: Entry, change: Change) -> None:
    found = current(profile, now, change.field, change.language if isinstance(change, Setting) else "")
    if isinstance(change, Values):
        assert isinstance(found, tuple)
        assert set(change.add) <= {each.replace(", ", ",") for each in found}
    elif change.value:
        assert found == change.value


def test_each_part_of_a_plan_goes_where_it_belongs() -> None:
    wanted: list[Change] = [
        Values("owners", PEOPLE[:1]),
        Values("moderators", PEOPLE[1:2]),
        Setting("moderated", value=True),
    ]
    plan = planned(PROFILES_TRIED["plain"], entry(), wanted)
    assert isinstance(plan, Plan)
    assert plan.there.attributes == ("owner",)
    assert [each.field for each in plan.there.differences] == ["owners"]
    assert {each.label: (each.remove, each.add) for each in plan.beside} == {
        "moderators": ((), (PEOPLE[1],)),
        "moderated": ((), ("TRUE",)),
    }


def test_a_value_of_the_directory_goes_before_and_a_new_one_clears_the_place_beside() -> None:
    profile = PROFILES_TRIED["native"]
    both = entry(dgmoderated="FALSE", side_moderated="TRUE", dgholdhours="24", side_hold_hours="48")
    assert current(profile, both, "moderated") is False
    plan = planned(profile, both, [Setting("moderated", value=True, seen=False)])
    assert isinstance(plan, Plan)
    assert plan.differences == (Difference("moderated", before=False, after=True),)
    after = applied(both, plan)
    assert (after.attributes["dgmoderated"], after.attributes.get("side:moderated")) == ((b"TRUE",), None)
    nothing = planned(profile, both, [Setting("hold_hours", None)])
    assert isinstance(nothing, Plan)
    assert current(profile, applied(both, nothing), "hold_hours") is None
    # Lists are both together, and what goes goes from where it stands.
    lists = entry(dgmoderator=PEOPLE[:1], side_moderators=PEOPLE[1:2])
    assert current(profile, lists, "moderators") == PEOPLE[:2]
    plan = planned(profile, lists, [Values("moderators", (), PEOPLE[:2])])
    assert isinstance(plan, Plan)
    assert plan.attributes == ("dgmoderator", "side:moderators")


def test_what_somebody_changed_beside_is_told() -> None:
    found = planned(
        PROFILES_TRIED["plain"], entry(side_hold_hours="48"), [Setting("hold_hours", 24, seen=None)]
    )
    assert found == Meanwhile("hold_hours", seen=None, found=48)


def test_a_display_name_beside_counts_before_the_name_of_the_entry() -> None:
    profile = PROFILES_TRIED["plain"]
    assert current(profile, entry(), "name") == "contact"
    assert current(profile, entry(side_name="Le contact"), "name") == "Le contact"
    plan = planned(profile, entry(side_name="Le contact"), [Setting("name", None)])
    assert isinstance(plan, Plan)
    assert plan.attributes == ("side:name",)


@pytest.mark.parametrize(
    "change", [Setting("hold_hours", 24), Values("moderators", (), PEOPLE[:1]), Setting("mail_tip", "x")]
)
def test_what_stands_in_a_read_only_place_stays(change: Change) -> None:
    there = entry(dgholdhours="12", dgmoderator=PEOPLE[:1], dgmailtip="Bonjour")
    with pytest.raises(WriteRefused, match="read-only"):
        planned(PROFILES_TRIED["file"], there, [change])


def test_a_group_beside_has_the_same_record_as_one_in_the_directory() -> None:
    record = PROFILES_TRIED["plain"].read(
        entry(
            side_address="contact@x.example", side_moderated="TRUE", side_moderators=PEOPLE[:1], side_max_size="0",
            side_allowed_addresses=("@partenaire.example", "@@"),
        )
    )  # fmt: skip
    assert record is not None
    assert record.texts("address") == ("contact@x.example",)
    assert (record.fields["moderated"], record.fields["max_size"]) == (True, 0)
    assert record.names["moderators"] == PEOPLE[:1]
    assert [problem.attribute for problem in record.problems] == ["side:allowed_addresses"]
    assert not any(map(is_beside, PROFILES_TRIED["plain"].attributes()))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("side_store: perhaps", "side_store: true or false"),
        ("group: {when: {classes: [x]}, fields: {name: {side: last}}}", r"group\.fields\.name\.side: 'last'"),
    ],
)
def test_mistakes_name_their_path(text: str, path: str) -> None:
    rest = "person: {when: {attributes: [mail]}, fields: {}}\n"
    group = "" if "group" in text else "group: {when: {classes: [x]}, fields: {}}\n"
    with pytest.raises(ProfileError, match=path):
        Profile.from_mapping(parse_yaml(f"profile: x\n{rest}{group}{text}\n", "x"))


def test_a_field_may_be_kept_out_of_it() -> None:
    content = {
        "profile": "x", "side_store": True, "person": {"when": {"attributes": ["mail"]}, "fields": {}},
        "group": {"when": {"classes": ["x"]}, "fields": {"policy": {"side": "never"}}},
    }  # fmt: skip
    profile = Profile.from_mapping(content)
    assert profile.mapped("policy").sources == ()
    assert [source.attribute for source in profile.mapped("hidden").sources] == ["side:hidden"]
    assert profile.mapped("member_of").sources == ()
    assert profile.fingerprint != Profile.from_mapping(content, (), beside=False).fingerprint


@dataclass
class _Held:
    """A directory that answers each search with the same entries, and notes what it was asked for."""

    entries: tuple[Entry, ...]
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def __enter__(self) -> _Held:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(self, base: str, scope: str, query: str, attributes: tuple[str, ...]) -> Iterator[Entry]:  # noqa: ARG002
        self.asked.append((query, attributes))
        yield from self.entries

    def holding(self, name: str, wanted: Mapping[str, tuple[bytes, ...]]) -> dict[str, tuple[bytes, ...]]:  # noqa: ARG002
        return {}

    def close(self) -> None:
        """Nothing to close."""


class _Kept(NoSideStore):
    """A side store with one group."""

    def of(self, uuids: Iterable[str]) -> Mapping[str, SideValues]:  # noqa: ARG002
        return {"u": {"address": ("contact@x.example",)}}

    def holding(self, fields: Sequence[str], values: Iterable[str]) -> frozenset[str]:
        found = tuple(fields) == ("address",) and "contact(1)@x.example" in values
        return frozenset({"u"} if found else ())

    def having(self, fields: Sequence[str]) -> frozenset[str]:
        return frozenset({"u"}) if "member_urls" in fields else frozenset()


def test_a_filter_may_ask_for_what_stands_beside() -> None:
    held = _Held((entry(),))
    with SideSession(held, _Kept(), "entryUUID") as session:
        escaped = r"(side:address=contact\281\29@x.example)"
        query = f"(|(mail=a@x.example){escaped}(side:aliases=b@x.example)(side:member_urls=*))"
        [found] = session.search(CONTACT, "sub", query, ("cn", "side:address"))
    assert values_of(found) == {"address": ("contact@x.example",)}
    nobody = "(!(objectClass=*))"
    one = "(|(|(entryUUID=u)))"
    assert held.asked == [(f"(|(mail=a@x.example){one}{nobody}{one})", ("cn",))]


def test_nothing_is_kept_where_there_is_no_side_store() -> None:
    none = NoSideStore()
    assert none.of(["u"]) == {}
    with pytest.raises(SideStoreUnavailable):
        none.change("u", CONTACT, [])
    assert merged(merged(entry(), {"moderated": ("TRUE",)}), {}) == entry()
