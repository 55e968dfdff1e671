"""Found in review: rules of a site's own that meant more, or less, than they say."""

from dataclasses import replace

from tests.support.letters import Office, status

from groupmilter.authentication.identity import Proofs
from groupmilter.mail.reply import reply
from groupmilter.policy.conditions import HeaderMatches, SenderIs, any_glob
from groupmilter.policy.counting import counted
from groupmilter.policy.disposition import Held
from groupmilter.policy.replies import reply_for
from groupmilter.policy.settings import (
    HoldThen,
    Rate,
    RateLimitThen,
    RefuseThen,
    ReplyTexts,
    Settings,
    SiteRule,
    StormGuard,
    TextsFor,
)


def ruled(*rules: SiteRule) -> Office:
    office = Office()
    office.settings = replace(office.settings, rules=rules)
    return office


def test_a_rate_limit_counts_only_what_it_limits() -> None:
    then = RateLimitThen(Rate(1, 60))
    office = ruled(SiteRule("slow", (), (SenderIs(frozenset({"external"})),), then))
    bob = office.person("bob", login="bob")
    office.group("contact", "y@out.example")
    facts, decision = office.letter(bob.address, login="bob").to("contact@own.example").end()
    assert [count.rule for count in counted(decision, facts, office.settings)] == ["storm"]
    facts, decision = office.letter("x@out.example").to("contact@own.example").end()
    assert len(counted(decision, facts, office.settings)) == 2


def test_a_forger_doesnt_use_up_the_limit_of_whom_he_names() -> None:
    office = ruled(SiteRule("slow", (), (), RateLimitThen(Rate(1, 60), per_sender=True, past="refuse")))
    office.group("contact", "y@out.example")
    facts, decision = office.letter("paul@out.example").to("contact@own.example").end()
    office.counts = dict.fromkeys(counted(decision, facts, office.settings), 1)
    assert office.letter("paul@out.example").to("contact@own.example").answered() == "550 5.7.1"
    office.proofs = Proofs(dkim=frozenset({"out.example"}))
    assert office.letter("paul@out.example").to("contact@own.example").answered() == ""


def test_a_rule_may_bear_the_name_of_a_counter() -> None:
    office = ruled(SiteRule("storm", (), (), RateLimitThen(Rate(9, 60))))
    office.settings = replace(office.settings, storm=StormGuard(rate=Rate(9, 60)))
    office.group("contact", "y@out.example")
    facts, decision = office.letter("x@out.example").to("contact@own.example").end()
    assert len(counted(decision, facts, office.settings)) == 2


def test_owners_moderate_where_no_moderator_is_named() -> None:
    office = ruled(SiteRule("no", (), (SenderIs(frozenset({"moderator"})),), RefuseThen(reply("550 5.7.1"))))
    boss = office.person("boss", login="boss")
    office.group("contact", "y@out.example", owners=frozenset({boss.node}))
    assert status(office.letter(boss.address, login="boss").rcpt("contact@own.example")) == "550 5.7.1"


def test_brackets_in_a_glob_are_brackets() -> None:
    assert any_glob(["[SPAM]*"], "[spam] cheap")
    assert not any_glob(["[SPAM]*"], "spam")
    assert not any_glob(["[SPAM]*"], "s")
    assert any_glob(["*.[!x]"], "a.[!X]")


def test_a_subject_tag_in_brackets_is_held() -> None:
    office = ruled(SiteRule("spam", (), (HeaderMatches("subject", ("[SPAM]*",)),), HoldThen()))
    office.group("contact", "y@out.example")
    (held,) = office.letter("x@out.example").to("contact@own.example").decided(subject="[SPAM] cheap")
    assert isinstance(held, Held)
    assert office.letter("x@out.example").to("contact@own.example").planned(subject="Meeting")


def test_brackets_in_the_globs_of_texts_are_brackets() -> None:
    special = TextsFor(("Con[t]act@*",), ReplyTexts({"denied": {"en": "special"}}))
    settings = Settings(texts=ReplyTexts({"denied": {"en": "general"}}), texts_for=(special,))
    assert reply_for("denied", "con[t]act@own.example", settings).text == "special"
    assert reply_for("denied", "contact@own.example", settings).text == "general"
