"""Rules of a site's own: refuse, hold, accept, tag, and limit the rate."""

from dataclasses import replace

from tests.support.letters import Office, status

from groupmilter.mail.reply import reply
from groupmilter.policy.conditions import HeaderMatches, SizeOver
from groupmilter.policy.disposition import Expanded, Held, Undecided
from groupmilter.policy.explain import outcome
from groupmilter.policy.facts import Count
from groupmilter.policy.settings import (
    AcceptThen,
    HoldThen,
    Rate,
    RateLimitThen,
    RefuseThen,
    SiteRule,
    TagThen,
)


def test_site_rules_refuse_hold_tag_and_accept() -> None:
    office = Office()
    office.group("contact", "y@out.example")
    office.settings = replace(
        office.settings,
        rules=(
            SiteRule("tag", ("contact@*",), (), TagThen("X-Site", "1")),
            SiteRule("friends", (), (HeaderMatches("x-friend", ("yes",)),), AcceptThen()),
            SiteRule(
                "big", (), (SizeOver(100),), RefuseThen(reply("554 5.7.0"), {"en": "too big for {group}"})
            ),
            SiteRule("else", ("other@*",), (), RefuseThen(reply("554 5.7.9"))),
            SiteRule("rest", (), (), HoldThen(("boss@own.example",), 3, 2)),
        ),
    )
    to = "contact@own.example"
    (friend,) = office.letter("x@out.example").to(to).decided(x_friend="yes")
    assert isinstance(friend, Expanded)
    assert [(tag.name, tag.value) for tag in friend.tags] == [("X-Site", "1")]
    (held,) = office.letter("x@out.example").to(to).decided()
    assert isinstance(held, Held)
    assert (held.why, held.terms, len(held.tags)) == ("rest", HoldThen(("boss@own.example",), 3, 2), 1)
    _, big = office.letter("x@out.example").to(to).end(x_long="x" * 200)
    assert str(big.answer) == "554 5.7.0 too big for contact@own.example"
    sized = office.letter("x@out.example", size=101)
    assert isinstance(sized.rcpt(to).disposition, Undecided), "a friend may pass whatever the size"


def test_a_site_rule_that_only_tags_lets_moderation_decide() -> None:
    office = Office()
    office.group("contact", "y@out.example", moderated=True)
    office.settings = replace(office.settings, rules=(SiteRule("tag", (), (), TagThen("X-Site", "1")),))
    (held,) = office.letter("x@out.example").to("contact@own.example").decided()
    assert isinstance(held, Held)
    assert [tag.name for tag in held.tags] == ["X-Site"]


def test_a_rate_limit_defers_holds_or_refuses() -> None:
    office = Office()
    group = office.group("contact", "y@out.example")
    key = Count("rule slow", group.uuid, 60)

    def past(then: str, client: str = "192.0.2.1", counted: dict[Count, int] | None = None) -> str:
        office.counts = {key: 2} if counted is None else counted
        office.settings = replace(
            office.settings, rules=(SiteRule("slow", (), (), RateLimitThen(Rate(2, 60), past=then)),)
        )
        letter = office.letter("x@out.example", client=client)
        early = letter.rcpt("contact@own.example")
        return status(early) or outcome(letter.decided()[0]).partition(" ")[0]

    assert past("defer") == "450 4.7.1"
    assert past("defer", client="") == "hold"
    assert past("hold") == "hold"
    assert past("refuse") == "550 5.7.1"
    assert past("refuse", counted={key: 1}) == "expand"
    office.counts = None
    assert status(office.letter("x@out.example").rcpt("contact@own.example")) == "451 4.4.3"


def test_a_policy_concerns_the_groups_that_name_it() -> None:
    office = Office()
    rule = SiteRule("strict", (), (), RefuseThen(reply("550 5.7.1")), policy="strict")
    office.settings = replace(office.settings, rules=(rule,))
    office.group("a", "y@out.example", policy="strict")
    office.group("b", "y@out.example")
    assert status(office.letter("x@out.example").rcpt("a@own.example")) == "550 5.7.1"
    assert status(office.letter("x@out.example").rcpt("b@own.example")) == ""
