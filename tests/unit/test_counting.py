"""What an accepted message counts against."""

from dataclasses import replace

from tests.support.letters import Office

from groupmilter.groups.directory import Member
from groupmilter.policy.counting import counted
from groupmilter.policy.decide import decide
from groupmilter.policy.facts import Batch, Count
from groupmilter.policy.settings import Rate, RateLimitThen, SiteRule, StormGuard, TagThen

GUARD = StormGuard(Rate(9, 60), Rate(9, 30))


def office() -> Office:
    made = Office()
    made.settings = replace(made.settings, storm=GUARD)
    return made


def test_every_group_that_was_reached_counts_once() -> None:
    site = office()
    inner = site.group("inner", "y@out.example")
    outer = site.group("outer", inner)
    other = site.group("other", inner)
    facts, decision = site.letter("x@out.example").to("outer@own.example", "other@own.example").end()
    counts = counted(decision, facts, site.settings)
    assert sorted(counts, key=str) == sorted(
        (Count("storm", group.uuid, 60) for group in (inner, outer, other)), key=str
    )


def test_an_answer_counts_as_one_too() -> None:
    site = office()
    group = site.group("contact", "y@out.example")
    facts, decision = site.letter("x@out.example").to("contact@own.example").end(references="<1@x.example>")
    assert counted(decision, facts, site.settings) == (
        Count("storm", group.uuid, 60), Count("replies", group.uuid, 30),
    )  # fmt: skip


def test_held_mail_counts_refused_mail_does_not() -> None:
    site = office()
    held = site.group("held", "y@out.example", moderated=True)
    facts, decision = site.letter("x@out.example").to("held@own.example").end()
    assert counted(decision, facts, site.settings) == (Count("storm", held.uuid, 60),)
    facts, decision = site.letter("x@out.example").to("held@own.example").end(auto_submitted="auto-replied")
    assert counted(decision, facts, site.settings) == ()


def test_what_comes_back_counts_for_no_group_a_second_time() -> None:
    """What was held or split counted when it came: approving a morning's mail at once must be no storm."""
    site = office()
    inner = site.group("inner", "y@out.example")
    outer = site.group("outer", inner, "z@out.example", moderated=True)
    facts, decision = site.letter("x@out.example").to("outer@own.example").end()
    assert counted(decision, facts, site.settings) == (Count("storm", outer.uuid, 60),)
    back = replace(facts, batch=Batch())
    decision = decide(back, site.paper, site.settings)
    assert counted(decision, back, site.settings) == (Count("storm", inner.uuid, 60),), "known only now"
    part = replace(facts, batch=Batch(1, (Member("y@out.example"),)))
    decision = decide(part, site.paper, site.settings)
    assert counted(decision, part, site.settings) == ()


def test_mail_to_persons_counts_nowhere() -> None:
    site = office()
    facts, decision = site.letter("x@out.example").to("y@out.example").end()
    assert counted(decision, facts, site.settings) == ()


def test_rate_limits_that_concern_the_group_count() -> None:
    site = office()
    limit = RateLimitThen(Rate(5, 90))
    rules = (
        SiteRule("this", ("contact@*",), (), limit),
        SiteRule("that", ("other@*",), (), limit),
        SiteRule("tag", (), (), TagThen("X-A", "b")),
        SiteRule("whose", (), (), replace(limit, per_sender=True)),
    )
    site.settings = replace(site.settings, rules=rules)
    site.group("contact", "y@out.example")
    letters = [
        site.letter(name).to("contact@own.example").end() for name in ("x@out.example", "z@out.example")
    ]
    first, second = (set(counted(decision, facts, site.settings)) for facts, decision in letters)
    assert len(first) == len(second) == 3
    assert {count.rule for count in first & second} == {"storm", "rule this"}
