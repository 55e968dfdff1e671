"""What we add to a message that somebody signed: a tag that a signature forbids is left out, the loop trace never."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.letters import KEYS, Office

from groupmilter.mail.action import Action, InsertHeader
from groupmilter.mail.header import most_named
from groupmilter.policy.disposition import Held
from groupmilter.policy.plan import LOOP_HEADER, Mint, plan
from groupmilter.policy.settings import HoldThen, SiteRule, TagThen

MINT = Mint(KEYS, 1_700_000_000, 7)


def inserted(actions: tuple[Action, ...]) -> list[str]:
    return [action.name for action in actions if isinstance(action, InsertHeader)]


@pytest.mark.parametrize(
    ("signatures", "times"),
    [
        ([], 0),
        (["v=1; h=From:To; b=x"], 0),
        (["v=1; h=From:X-Site; b=x"], 1),
        (["v=1; h=From:x-site : X-SITE;b=x", "h=x-site"], 2),
        (["v=1;\r\n\th=From:x-\r\n\tsite:To;"], 1),
        (["bh=x-site; H=x-site"], 0),
        (["h=x-site; h=x-site"], 2),
    ],
)
def test_how_often_a_signature_names_a_field(signatures: list[str], times: int) -> None:
    assert most_named(iter(signatures), "x-site") == times


@pytest.mark.parametrize(
    ("named", "there", "added"),
    [
        ("from:subject", [], True),
        ("from:x-site", [], False),
        ("from:X-Site", ["theirs"], True),
        ("from:x-site:x-site", ["theirs"], False),
        ("from : x-\r\n\tsite", [], False),
    ],
)
def test_a_tag_that_a_signature_forbids_is_left_out_and_the_trace_says_so(
    named: str, there: list[str], added: bool
) -> None:
    for over in (False, True):
        office = Office()
        tag = TagThen("X-Site", "1", over_signature=over)
        office.settings = replace(office.settings, rules=(SiteRule("warning", (), (), tag),))
        office.group("contact", "y@out.example")
        signature = f"v=1; d=out.example; h={named}; b=x"
        letter = office.letter("x@out.example").to("contact@own.example")
        facts, decision = letter.end(dkim_signature=signature, x_site=there)
        actions = plan(decision, facts, office.settings, MINT)
        assert ("X-Site" in inserted(actions)) == (added or over)
        said = [step.because for step in decision.verdicts[0].trace]
        assert ("warning: a signature forbids another X-Site" in said) == (not added and not over)


def test_a_rule_that_holds_gives_its_reason_whatever_tag_was_left_out() -> None:
    office = Office()
    rules = (SiteRule("warning", (), (), TagThen("X-Site", "1")), SiteRule("waits", (), (), HoldThen()))
    office.settings = replace(office.settings, rules=rules)
    office.group("contact", "y@out.example")
    (held,) = office.letter("x@out.example").to("contact@own.example").decided(dkim_signature="h=from:x-site")
    assert isinstance(held, Held)
    assert (held.reason, held.tags) == ("waits", ())


@pytest.mark.parametrize("there", [[], ["another house's"]])
def test_the_loop_trace_is_added_whatever_is_signed(there: list[str]) -> None:
    office = Office()
    office.group("contact", "y@out.example")
    letter = office.letter("x@out.example").to("contact@own.example")
    actions = letter.planned(dkim_signature="h=from:x-groupmilter-loop", x_groupmilter_loop=there)
    assert inserted(actions) == [LOOP_HEADER]
