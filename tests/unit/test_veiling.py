"""A copy for hidden members asks nobody for a receipt and nobody's program for an answer, whatever its sender wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.support.letters import Office

from groupmilter.mail.action import Action, AddHeader, DeleteHeader
from groupmilter.policy.plan import LOOP_HEADER
from groupmilter.policy.veiling import RECEIPTS

SUPPRESS = "X-Auto-Response-Suppress"
QUIET = (AddHeader("Precedence", "list"), AddHeader(SUPPRESS, "DR, RN, NRN, OOF, AutoReply"))
RECEIPT = "disposition_notification_to"
SIGNED = "v=1; a=rsa-sha256; d=x.example; h=From:Disposition-Notification-To:Precedence:X-Auto-Response-Suppress; b=x"


def edits(
    *, where: str = "root", list_headers: bool = True, auto_replies: bool = False, also: str = "",
    fields: Mapping[str, str | list[str]] | None = None, **more: str | list[str],
) -> tuple[Action, ...]:  # fmt: skip
    """What is deleted from and added to a message to one group, the loop trace and List-* left out."""
    office = Office()
    office.settings = replace(office.settings, list_headers=list_headers)
    jean = office.person("jean", login="jean")
    inner = office.group("inner", jean, hidden_members=where == "inside")
    office.group("staff", inner, hidden_members=where == "root", auto_replies=auto_replies)
    letter = office.letter("jean@own.example", login="jean").to(
        "staff@own.example", *([also] if also else [])
    )
    made = letter.planned(**(fields or {}), **more)
    headers = [one for one in made if isinstance(one, AddHeader | DeleteHeader)]
    return tuple(one for one in headers if one.name != LOOP_HEADER and not one.name.startswith("List-"))


@pytest.mark.parametrize("where", ["root", "inside"])
@pytest.mark.parametrize("name", RECEIPTS)
def test_requests_for_receipts_go_the_last_first(name: str, where: str) -> None:
    made = edits(where=where, fields={name: ["a@x.example", "b@x.example"]})
    assert made == (DeleteHeader(name, 2), DeleteHeader(name, 1), *QUIET)


def test_they_stay_where_members_may_be_seen() -> None:
    assert edits(where="", fields={RECEIPT: "a@x.example"}) == (
        AddHeader("Precedence", "list"),
        AddHeader(SUPPRESS, "OOF, AutoReply"),
    )


def test_they_stay_in_what_goes_to_others_too_whose_copy_for_the_group_travels_apart() -> None:
    assert edits(also="x@else.example", fields={RECEIPT: "a@x.example"}) == ()


def test_a_signature_keeps_nothing_of_it() -> None:
    made = edits(dkim_signature=SIGNED, precedence="first-class", fields={RECEIPT: "a@x.example"})
    assert made == (
        DeleteHeader("Disposition-Notification-To", 1), DeleteHeader("Precedence", 1), *QUIET,
    )  # fmt: skip


def test_neither_the_group_nor_the_policy_lets_programs_answer() -> None:
    assert edits(auto_replies=True, list_headers=False) == QUIET
    assert edits(where="", auto_replies=True) == ()


@pytest.mark.parametrize("value", ["list", "Bulk", " junk "])
def test_a_precedence_that_keeps_programs_quiet_stays(value: str) -> None:
    assert edits(precedence=value) == QUIET[1:]


@pytest.mark.parametrize("value", ["All", "DR, RN, NRN, OOF, AutoReply", "autoreply,oof,nrn,rn,dr,ndr"])
def test_a_suppression_that_says_enough_stays(value: str) -> None:
    assert edits(x_auto_response_suppress=value) == QUIET[:1]


@pytest.mark.parametrize("value", ["None", "OOF", ""])
def test_one_that_says_too_little_gives_way(value: str) -> None:
    assert edits(x_auto_response_suppress=value) == (QUIET[0], DeleteHeader(SUPPRESS, 1), QUIET[1])


def test_of_two_that_contradict_each_other_neither_stays() -> None:
    made = edits(x_auto_response_suppress=["All", "None"], precedence=["list", "special-delivery"])
    assert made == (
        DeleteHeader("Precedence", 2), DeleteHeader("Precedence", 1), QUIET[0],
        DeleteHeader(SUPPRESS, 2), DeleteHeader(SUPPRESS, 1), QUIET[1],
    )  # fmt: skip
