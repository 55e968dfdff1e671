"""Found in review: replies that say too much, or the wrong thing."""

from dataclasses import replace

import pytest
from tests.support.letters import Office, replied, status

from groupmilter.mail.address import pattern
from groupmilter.mail.reply import reply
from groupmilter.mta.applier import answer
from groupmilter.policy.counting import counted
from groupmilter.policy.disposition import Expanded
from groupmilter.policy.facts import Count
from groupmilter.policy.settings import (
    Rate,
    RateLimitThen,
    RefuseThen,
    ReplyTexts,
    SiteRule,
    StormGuard,
)

TEXTS = ReplyTexts(
    {
        name: {"en": "{group} says no to " + name}
        for name in (
            "storm",
            "unknown",
            "denied",
            "authentication",
            "mixed",
            "concealed",
            "rate-limit",
            "site-rule",
        )
    }
)


def office_with_texts() -> Office:
    office = Office()
    office.settings = replace(office.settings, texts=TEXTS)
    return office


def test_a_storm_inside_a_nested_group_is_a_storm() -> None:
    office = office_with_texts()
    office.settings = replace(office.settings, storm=StormGuard(rate=Rate(5, 60)))
    inner = office.group("secret", "y@out.example")
    office.group("outer", inner, "z@out.example")
    office.counts = {Count("storm", inner.uuid, 60): 5}
    verdict = office.letter("x@out.example").rcpt("outer@own.example")
    assert status(verdict) == "450 4.7.1"
    assert "outer@own.example" in str(verdict.disposition)
    assert "secret" not in replied(verdict)


def test_counters_that_cant_be_read_are_not_the_directory_but_defer() -> None:
    office = office_with_texts()
    inner = office.group("secret", "y@out.example")
    office.group("outer", inner)
    office.counts = None
    assert status(office.letter("x@out.example").rcpt("outer@own.example")) == "451 4.4.3"


@pytest.mark.parametrize("rule", ["authentication", "denied", "site"])
def test_a_refusal_inside_never_names_the_nested_group(rule: str) -> None:
    office = office_with_texts()
    denied = pattern("x@out.example")
    assert denied is not None
    rights: dict[str, dict[str, object]] = {
        "authentication": {"require_authentication": True},
        "denied": {"denied_addresses": (denied,)},
        "site": {},
    }
    if rule == "site":
        then = RefuseThen(reply("550 5.7.1"), {"en": "{group} won't"})
        office.settings = replace(office.settings, rules=(SiteRule("no", ("secret@*",), (), then),))
    inner = office.group("secret", "y@out.example", **rights[rule])
    office.group("outer", inner)
    verdict = office.letter("x@out.example").rcpt("outer@own.example")
    assert status(verdict).startswith("550 5.7.")
    text = replied(verdict)
    assert "secret" not in text
    assert "outer@own.example" in text


def test_a_nested_refusal_leaves_its_branch_out() -> None:
    office = office_with_texts()
    inner = office.group("secret", "y@out.example", require_authentication=True)
    office.group("outer", inner, "z@out.example")
    letter = office.letter("x@out.example").to("outer@own.example")
    (outer,) = letter.decided()
    assert isinstance(outer, Expanded)
    assert [(g.address, r.reply.status) for g, r in outer.expansion.refused] == [
        ("secret@own.example", "550 5.7.1")
    ]


def concealing() -> Office:
    office = office_with_texts()
    office.settings = replace(office.settings, conceal_groups=True)
    return office


def test_a_concealed_group_is_named_as_it_was_written_to() -> None:
    office = concealing()
    office.group("contact", "y@out.example", aliases=("info@own.example",), require_authentication=True)
    verdict = office.letter("x@out.example").rcpt("info@own.example")
    assert replied(verdict) == "550 5.1.1 info@own.example says no to concealed"


@pytest.mark.parametrize("recipient", ["<@relay.example:contact@own.example>", "contact+join@own.example"])
def test_no_spelling_tells_an_outsider_of_a_concealed_group(recipient: str) -> None:
    office = concealing()
    office.group("contact", "y@out.example")
    assert status(office.letter("x@out.example").rcpt(recipient)) == "550 5.1.1"


def test_a_mixed_refusal_conceals_too() -> None:
    office = concealing()
    office.group("open", "y@out.example")
    denied = pattern("boss@own.example")
    assert denied is not None
    office.group("contact", "y@out.example", denied_addresses=(denied,))
    letter = office.letter("x@out.example").to("open@own.example", "contact@own.example")
    assert letter.answered(**{"from": "boss@own.example"}) == "550 5.1.1"


def test_who_is_authenticated_hears_the_reason() -> None:
    office = concealing()
    bob = office.person("bob", login="bob")
    office.group("contact", "y@out.example", denied=frozenset({bob.node}))
    assert status(office.letter(bob.address, login="bob").rcpt("contact@own.example")) == "550 5.7.2"


def test_a_service_address_refused_at_the_end_names_itself() -> None:
    office = office_with_texts()
    office.group("contact", "y@out.example")
    letter = office.letter("x@out.example", client="")
    letter.rcpt("contact@own.example")
    letter.rcpt("hold+x@groups.own.example")
    _, decision = letter.end()
    assert decision.answer is not None
    assert decision.answer.text == "hold+x@groups.own.example says no to mixed"


class Recorded:
    """What was told to libmilter."""

    said: tuple[str, str, str] = ("", "", "")

    def setreply(self, code: str, enhanced: str, text: str) -> None:
        self.said = (code, enhanced, text)

    def addrcpt(self, recipient: str, parameters: str | None = None) -> None: ...

    def delrcpt(self, recipient: str) -> None: ...

    def addheader(self, name: str, value: str, index: int = -1) -> None: ...

    def chgheader(self, name: str, index: int, value: str | None) -> None: ...

    def chgfrom(self, sender: str, parameters: str | None = None) -> None: ...


def test_percent_signs_never_make_a_reply_too_long_for_libmilter() -> None:
    recorded = Recorded()
    assert answer(reply("550 5.7.1", "%" * 900), recorded, observe=False)
    assert len(recorded.said[2]) <= 980
    answer(reply("550 5.7.1", "100% of x%y"), recorded, observe=False)
    assert recorded.said[2] == "100%% of x%%y"


def test_a_rate_limit_inside_a_nested_group_defers_the_whole() -> None:
    office = office_with_texts()
    then = RateLimitThen(Rate(1, 60))
    office.settings = replace(office.settings, rules=(SiteRule("slow", ("secret@*",), (), then),))
    inner = office.group("secret", "y@out.example")
    office.group("outer", inner, "z@out.example")
    letter = office.letter("x@out.example").to("outer@own.example")
    facts, decision = letter.end()
    assert decision.answer is None
    office.counts = dict.fromkeys(counted(decision, facts, office.settings), 1)
    verdict = office.letter("x@out.example").rcpt("outer@own.example")
    assert status(verdict) == "450 4.7.1"
    assert "secret" not in replied(verdict)
