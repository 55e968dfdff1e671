"""Rosters of Mailman 3, as its command prints them and as its REST interface gives them."""

from __future__ import annotations

import json

import pytest

from groupmilter.membership.draft import BadFile
from groupmilter.membership.mailman import roster

GROUP = "ant@masociete.example"


def test_what_the_command_prints() -> None:
    text = 'Anne Person <anne@x.example>\nbart@x.example\n# note\n\n"Cate, C." <cate@x.example>\nnobody\n'
    found = roster(text, GROUP)
    assert found.drafts[0].lists == {"members": ("anne@x.example", "bart@x.example", "cate@x.example")}
    assert [each.what for each in found.drafts[0].unmapped] == ["line 6: nobody"]


def test_the_role_of_a_printed_roster() -> None:
    assert roster("a@x.example\n", GROUP, "moderator").drafts[0].lists == {"moderators": ("a@x.example",)}
    with pytest.raises(BadFile, match="none of member"):
        roster("", GROUP, "nonmember")


def test_json_says_each_role_and_what_is_lost() -> None:
    entries = [
        {"email": "a@x.example", "role": "member", "delivery_mode": "regular", "delivery_status": "enabled"},
        {"email": "b@x.example", "role": "owner"},
        {"email": "c@x.example", "role": "moderator", "moderation_action": "hold"},
        {"email": "d@x.example", "delivery_mode": "mime_digests", "delivery_status": "by_user"},
        {"email": "e@x.example", "role": "nonmember"},
        {"role": "member"},
    ]
    [draft] = roster(json.dumps({"entries": entries, "total_size": 6}), GROUP).drafts
    assert draft.lists == {
        "members": ("a@x.example", "d@x.example"),
        "owners": ("b@x.example",),
        "moderators": ("c@x.example",),
    }
    assert [each.what for each in draft.unmapped] == [
        "c@x.example: moderation_action hold",
        "d@x.example: delivery_mode mime_digests",
        "d@x.example: delivery_status by_user",
        "e@x.example, nonmember",
        "entry 6",
    ]
    assert roster(json.dumps(entries), GROUP).drafts == (draft,)


@pytest.mark.parametrize("text", ["{", '{"entries": 3}', "[1]", "[" * 100_000])
def test_what_is_no_roster(text: str) -> None:
    with pytest.raises(BadFile):
        roster(text, GROUP)
