"""Plans on paper: whatever is asked for, the entry then has it, and asked for again nothing is left to do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.directory.writing import CONTACT, PLACEHOLDER, native, person

from groupmilter.directory.change import Change, Meanwhile, Setting, Values, WriteRefused
from groupmilter.directory.entry import Entry
from groupmilter.directory.modification import Plan, current, planned
from groupmilter.directory.profile import Profile
from groupmilter.directory.profile_fields import Scalar
from groupmilter.directory.writer_messages import Modification, Operation

PROFILE = native()
PEOPLE = tuple(person(name) for name in "abcd")
FIELDS = {
    "members": PEOPLE,
    "owners": PEOPLE,
    "denied_addresses": ("a@x.example", "@x.example", "@.y.example"),
    "aliases": ("a@x.example", "b@x.example", "c@x.example"),
}
SINGLES: dict[str, tuple[Scalar, ...]] = {
    "moderated": (True, False, None),
    "hold_hours": (1, 24, None),
    "join_policy": ("open", "closed", None),
    "name": ("Ventes", "ventes", None),
    "address": ("a@x.example", "z@x.example"),
}


def applied(entry: Entry, modifications: Sequence[Modification]) -> Entry:
    """The entry as a server would have it; a server refuses what isn't there, or is there already."""
    held = {name: list(raws) for name, raws in entry.attributes.items()}
    for each in modifications:
        values = held.setdefault(each.attribute, [])
        for raw in each.values:
            if each.operation is Operation.DELETE:
                values.remove(raw)
            else:
                assert raw not in values
                values.append(raw)
    return Entry(entry.uuid, entry.dn, {name: tuple(raws) for name, raws in held.items() if raws})


def group(structural: bytes, *members: str) -> Entry:
    name = "uniquemember" if structural == b"groupOfUniqueNames" else "member"
    return Entry(
        "",
        CONTACT,
        {
            "objectclass": (structural, b"distributionGroup"),
            "cn": (b"contact",),
            "mail": (b"contact@x.example", b"b@x.example"),
            name: tuple(member.encode() for member in members or (PLACEHOLDER,)),
        },
    )


values = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda field: st.builds(
        Values,
        st.just(field),
        st.lists(st.sampled_from(FIELDS[field]), max_size=3).map(tuple),
        st.lists(st.sampled_from(FIELDS[field]), max_size=3).map(tuple),
    )
)
settings = st.sampled_from(sorted(SINGLES)).flatmap(
    lambda field: st.builds(Setting, st.just(field), st.sampled_from(SINGLES[field]))
)


@given(
    st.sampled_from((b"groupOfNames", b"groupOfUniqueNames", b"groupOfMembers")),
    st.lists(st.lists(values | settings, min_size=1, max_size=1), max_size=8),
)
def test_what_is_asked_for_is_so_afterwards_and_then_nothing_is_left(
    structural: bytes, steps: list[list[Change]]
) -> None:
    entry = group(structural)
    for step in steps:
        try:
            plan = planned(PROFILE, entry, step, PLACEHOLDER)
        except WriteRefused:
            continue
        assert isinstance(plan, Plan)
        entry = applied(entry, plan.modifications)
        again = planned(PROFILE, entry, step, PLACEHOLDER)
        assert isinstance(again, Plan)
        assert again.modifications == ()
        _has(entry, step[0])
        _is_filled(structural, entry)


def _has(entry: Entry, change: Change) -> None:
    now = current(PROFILE, entry, change.field)
    if isinstance(change, Values):
        assert isinstance(now, tuple)
        assert set(change.add) <= set(now)
        address = current(PROFILE, entry, "address")
        assert not (set(change.remove) - set(change.add) - {address}) & set(now)
    elif change.value is not None:
        assert now == change.value


def _is_filled(structural: bytes, entry: Entry) -> None:
    """A class that can't be empty isn't, and the placeholder stands alone."""
    members = current(PROFILE, entry, "members")
    assert isinstance(members, tuple)
    if structural != b"groupOfMembers":
        assert members
        assert members == (PLACEHOLDER,) or PLACEHOLDER not in members


def test_what_somebody_changed_is_told_before_anything_is_planned() -> None:
    entry = applied(group(b"groupOfNames"), [Modification(Operation.ADD, "dgmoderated", (b"TRUE",))])
    change = Setting("moderated", value=False, seen=False)
    assert planned(PROFILE, entry, [Values("owners", PEOPLE), change], PLACEHOLDER) == Meanwhile(
        "moderated", seen=False, found=True
    )


@pytest.mark.parametrize(
    ("source", "value", "raw"),
    [
        ({"attribute": "x", "invert": True}, True, b"FALSE"),
        ({"attribute": "x", "values": {"oui": True, "non": False}}, True, b"oui"),
    ],
)
def test_transforms_go_the_other_way_too(source: dict[str, object], value: bool, raw: bytes) -> None:
    profile = _profile("moderated", source)
    plan = planned(profile, group(b"groupOfNames"), [Setting("moderated", value)])
    assert isinstance(plan, Plan)
    assert plan.modifications == (Modification(Operation.ADD, "x", (raw,)),)


@pytest.mark.parametrize(
    ("field", "source", "value"),
    [
        ("moderated", {"attribute": "x", "mask": 2, "values": {"2": True}, "otherwise": False}, True),
        ("max_size", {"attribute": "x", "unit": 1024}, 1000),
        ("name", {"attribute": "x", "template": "{value} of {domain}"}, "Ventes"),
    ],
)
def test_what_would_not_read_back_is_not_written(
    field: str, source: dict[str, object], value: Scalar
) -> None:
    if field == "moderated":
        source = source | {"values": {"2": None}}
    with pytest.raises(WriteRefused, match="can't be written"):
        planned(_profile(field, source), group(b"groupOfNames"), [Setting(field, value)])


def _profile(field: str, source: dict[str, object]) -> Profile:
    fields = {field: {"from": source}}
    person_ = {"when": {"attributes": ["mail"]}, "fields": {}}
    return Profile.from_mapping(
        {
            "profile": "x",
            "person": person_,
            "group": {"when": {"classes": ["groupOfNames"]}, "fields": fields},
        }
    )
