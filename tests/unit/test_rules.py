"""Each built-in rule: what it hits, what it misses, and when it can't tell yet."""

from dataclasses import replace

import pytest
from tests.support.letters import OWN, untyped

from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.person import Node, Person
from groupmilter.groups.ticket import LoopTrace, loop_digest
from groupmilter.mail.address import Pattern, pattern
from groupmilter.policy.case import Answer, Case, Defer, Hold, Refuse, Ruling
from groupmilter.policy.facts import Author, Content, Count, Facts, Identity, Strength
from groupmilter.policy.rules import RULES, exemption, is_reply
from groupmilter.policy.settings import CHAIN, Rate, ReplyCodes, Settings, StormGuard

JEAN = Node(7)
KEY = b"key"
SETTINGS = Settings(own_domains=frozenset({OWN}))
LOGIN = Identity(
    Strength.LOGIN,
    "jean",
    Person(JEAN, "uuid-7", "uid=jean", "Jean", "jean@own.example", ("jean@own.example", "j@own.example")),
    ("jean@own.example", "j@own.example"),
    frozenset({JEAN}),
    frozenset({JEAN}),
    ("jean@own.example", "j@own.example"),
)
CLAIM = Identity(name="x@out.example", claims=("x@out.example",))
EARLY = replace(CLAIM, may_become=Strength.DMARC)
PROVEN = Identity(
    Strength.DMARC, "x@out.example", None, ("x@out.example",), claims=("x@out.example",), dkim=True
)
SPF = replace(PROVEN, dkim=False)
NETWORK = replace(PROVEN, strength=Strength.NETWORK, dkim=False)
SOON_NETWORK = replace(CLAIM, may_become=Strength.NETWORK)
WRITTEN = Content(authors=(Author("x@out.example"),))


def patterns(*texts: str) -> tuple[Pattern, ...]:
    found = tuple(pattern(text) for text in texts)
    return tuple(one for one in found if one is not None)


def nodes(*numbers: int) -> Nodes:
    return frozenset(map(Node, numbers))


def group(**fields: object) -> Group:
    return Group(node=Node(1), uuid="uuid-1", dn="cn=g", **untyped({"address": "g@own.example"} | fields))


def ask(
    rule: str, of: Group, identity: Identity = CLAIM, content: Content | None = WRITTEN,
    settings: Settings = SETTINGS, approved: bool = False, **facts: object,
) -> Ruling:  # fmt: skip
    whole: dict[str, object] = {"envelope_sender": "x@out.example", "identity": identity, "content": content}
    return RULES[rule](Case(of, Facts(**untyped(whole | facts)), settings, approved))


def status(ruling: Ruling) -> str:
    assert isinstance(ruling.outcome, Refuse | Defer), ruling
    assert ruling.answer is Answer.HIT
    assert ruling.because
    return ruling.outcome.reply.status


def test_the_chain_of_the_specification_is_what_there_is() -> None:
    assert set(CHAIN) == set(RULES)


def test_disabled() -> None:
    assert status(ask("disabled", group(enabled=False), content=None)) == "550 5.2.1"
    assert ask("disabled", group()).answer is Answer.MISS


def test_the_null_sender_is_refused_at_rcpt_for_the_whole_message() -> None:
    ruling = ask("automatic", group(), content=None, envelope_sender="")
    assert status(ruling) == "550 5.7.1"
    assert isinstance(ruling.outcome, Refuse)
    assert ruling.outcome.concerns_all


def test_automatic_needs_the_header() -> None:
    assert ask("automatic", group(), content=None).answer is Answer.PENDING
    report = replace(WRITTEN, headers={"content-type": ("multipart/report",)})
    assert status(ask("automatic", group(), content=report)) == "550 5.7.1"
    assert ask("automatic", group()).answer is Answer.MISS


@pytest.mark.parametrize(
    ("codes", "expected"), [(ReplyCodes.RFC3463, "554 5.4.6"), (ReplyCodes.EXCHANGE, "554 5.4.14")]
)
def test_loop(codes: ReplyCodes, expected: str) -> None:
    settings = replace(SETTINGS, reply_codes=codes)
    traced = replace(WRITTEN, trace=LoopTrace(frozenset({loop_digest("uuid-1", KEY)}), (b"new", KEY)))
    ruling = ask("loop", group(), content=traced, settings=settings)
    assert status(ruling) == expected
    assert ask("loop", group(), content=None).answer is Answer.PENDING
    forged = replace(WRITTEN, trace=LoopTrace(frozenset({loop_digest("uuid-1", b"forger"), ""}), (KEY,)))
    assert ask("loop", group(), content=forged).answer is Answer.MISS


@pytest.mark.parametrize("identity", [CLAIM, EARLY, PROVEN, NETWORK])
def test_a_denied_address_is_denied_whether_claimed_or_proven(identity: Identity) -> None:
    assert (
        status(ask("denied", group(denied_addresses=patterns("@out.example")), identity, None)) == "550 5.7.2"
    )


def test_denied_wins_over_allowed_and_owner() -> None:
    of = group(denied=nodes(7), allowed=nodes(7), owners=nodes(7))
    assert status(ask("denied", of, LOGIN, None)) == "550 5.7.2"
    assert ask("allowed", of, LOGIN, None).answer is Answer.MISS


def test_denied_waits_for_the_author_unless_a_login_is_proven() -> None:
    of = group(denied_addresses=patterns("y@out.example"))
    assert ask("denied", of, EARLY, None).answer is Answer.PENDING
    assert ask("denied", of, LOGIN, None).answer is Answer.MISS
    assert ask("denied", of, CLAIM).answer is Answer.MISS
    assert ask("denied", group(), EARLY, None).answer is Answer.MISS


@pytest.mark.parametrize("identity", [LOGIN, NETWORK, replace(PROVEN, internal=True)])
def test_authentication_is_satisfied(identity: Identity) -> None:
    assert ask("authentication", group(), identity).answer is Answer.MISS


@pytest.mark.parametrize("identity", [CLAIM, PROVEN, SPF])
def test_authentication_is_refused_to_who_is_not_named(identity: Identity) -> None:
    of = group(external_senders=patterns("@else.example"))
    assert status(ask("authentication", of, identity)) == "550 5.7.1"
    exchange = replace(SETTINGS, reply_codes=ReplyCodes.EXCHANGE)
    assert status(ask("authentication", of, identity, settings=exchange)) == "550 5.7.133"


def test_an_external_sender_passes_with_proof_and_not_without() -> None:
    of = group(external_senders=patterns("@.out.example"))
    assert ask("authentication", of, PROVEN).answer is Answer.MISS
    assert ask("authentication", of, SPF).answer is Answer.MISS
    assert ask("authentication", of, EARLY, None).answer is Answer.PENDING
    assert status(ask("authentication", of, CLAIM)) == "550 5.7.1"


def test_authentication_is_final_at_rcpt_where_no_header_can_help() -> None:
    assert status(ask("authentication", group(), EARLY, None)) == "550 5.7.1"
    assert ask("authentication", group(), SOON_NETWORK, None).answer is Answer.PENDING
    dmarc = replace(SETTINGS, dmarc_is_internal=True)
    assert ask("authentication", group(), EARLY, None, dmarc).answer is Answer.PENDING
    assert ask("authentication", group(require_authentication=False), CLAIM).answer is Answer.MISS


def test_allowed_lists() -> None:
    assert ask("allowed", group()).answer is Answer.MISS
    assert ask("allowed", group(allowed=nodes(7)), LOGIN, None).answer is Answer.MISS
    assert status(ask("allowed", group(allowed=nodes(8)), LOGIN, None)) == "550 5.7.2"
    exchange = replace(SETTINGS, reply_codes=ReplyCodes.EXCHANGE)
    assert status(ask("allowed", group(allowed=nodes(8)), LOGIN, None, exchange)) == "550 5.7.124"


def test_a_list_of_dangling_names_allows_nobody() -> None:
    assert status(ask("allowed", group(allowed=nodes(404)), EARLY, None)) == "550 5.7.2"


@pytest.mark.parametrize("identity", [PROVEN, SPF, NETWORK])
def test_an_allowed_or_external_address_needs_proof(identity: Identity) -> None:
    for of in (
        group(allowed_addresses=patterns("x@out.example")),
        group(allowed=nodes(8), external_senders=patterns("@out.example")),
    ):
        assert ask("allowed", of, identity).answer is Answer.MISS
        assert ask("allowed", of, EARLY, None).answer is Answer.PENDING
        assert status(ask("allowed", of, CLAIM)) == "550 5.7.2"


def authored(*authors: Author, sender: str = "", readable: bool = True) -> Content:
    return Content(authors=authors, sender=sender, readable=readable)


def test_send_as_needs_the_header_and_concerns_authenticated_senders() -> None:
    assert ask("send-as", group(), LOGIN, None).answer is Answer.PENDING
    assert ask("send-as", group(), CLAIM, authored(Author("anybody@own.example"))).answer is Answer.MISS


@pytest.mark.parametrize("author", ["jean@own.example", "j@own.example"])
def test_all_addresses_of_a_person_are_his(author: str) -> None:
    assert ask("send-as", group(), LOGIN, authored(Author(author))).answer is Answer.MISS


def test_each_of_several_authors_has_to_be_allowed() -> None:
    two = authored(Author("jean@own.example"), Author("boss@own.example"))
    ruling = ask("send-as", group(), LOGIN, two)
    assert status(ruling) == "550 5.7.1"
    assert isinstance(ruling.outcome, Refuse)
    assert ruling.outcome.concerns_all


def test_an_unreadable_from_is_refused_to_a_login_only() -> None:
    assert status(ask("send-as", group(), LOGIN, authored(readable=False))) == "550 5.7.1"
    assert ask("send-as", group(), NETWORK, authored(readable=False)).answer is Answer.MISS


def test_a_groups_address_needs_a_right_to_it() -> None:
    def answer(sender: str = "", **rights: object) -> Answer:
        board = Author("board@own.example", group(address="board@own.example", **rights))
        return ask("send-as", group(), LOGIN, authored(board, sender=sender)).answer

    assert answer() is Answer.HIT
    assert answer(send_as=nodes(7)) is Answer.MISS
    assert answer(on_behalf=nodes(7)) is Answer.HIT
    assert answer("boss@own.example", on_behalf=nodes(7)) is Answer.HIT
    assert answer("j@own.example", on_behalf=nodes(7)) is Answer.MISS
    assert answer("j@own.example") is Answer.HIT


@pytest.mark.parametrize(
    ("login", "author", "mine"),
    [
        ("monitor", "monitor@own.example", True),
        ("Monitor@Own.example", "monitor@own.example", True),
        ("monitor", "monitor@out.example", False),
        ("monitor", "boss@own.example", False),
    ],
)
def test_a_login_without_an_entry_writes_as_itself(login: str, author: str, mine: bool) -> None:
    ruling = ask("send-as", group(), Identity(Strength.LOGIN, login), authored(Author(author)))
    assert (ruling.answer is Answer.MISS) is mine


def test_a_login_without_an_entry_is_not_the_person_of_that_name() -> None:
    boss = Person(Node(9), "u", "uid=boss", "Boss", "boss@own.example", ("boss@own.example",))
    ruling = ask(
        "send-as", group(), Identity(Strength.LOGIN, "boss"), authored(Author("boss@own.example", boss))
    )
    assert status(ruling) == "550 5.7.1"


def test_a_network_speaks_for_persons() -> None:
    assert ask("send-as", group(), NETWORK, authored(Author("x@own.example"))).answer is Answer.MISS


def test_size_at_rcpt_and_at_the_end() -> None:
    of = group(max_size=1000)
    assert status(ask("size", of, content=None, declared_size=1001)) == "550 5.2.3"
    assert ask("size", of, content=None, declared_size=1000).answer is Answer.PENDING
    assert ask("size", of, content=None).answer is Answer.PENDING
    assert status(ask("size", of, size=1001, declared_size=10)) == "552 5.2.3"
    assert ask("size", of, size=1000, declared_size=5000).answer is Answer.MISS
    assert ask("size", group(), size=10**9).answer is Answer.MISS
    assert status(ask("size", group(max_size=0), size=1)) == "552 5.2.3"
    assert status(ask("size", group(), size=11, settings=replace(SETTINGS, max_size=10))) == "552 5.2.3"


STORM = replace(SETTINGS, storm=StormGuard(Rate(3, 60), Rate(2, 60)))
ANSWER = replace(WRITTEN, headers={"in-reply-to": ("<1@own.example>",)})


def storm(
    count: int,
    replies: int = 0,
    identity: Identity = CLAIM,
    content: Content | None = WRITTEN,
    smtp: bool = True,
) -> Ruling:
    counts = {Count("storm", "uuid-1", 60): count, Count("replies", "uuid-1", 60): replies}
    return ask("storm", group(), identity, content, STORM, counts=counts, smtp=smtp)


def test_a_storm_is_held_or_deferred_by_who_sends_it() -> None:
    assert storm(2).answer is Answer.MISS
    assert status(storm(3)) == "450 4.7.1"
    assert isinstance(storm(3, identity=LOGIN).outcome, Hold)
    assert isinstance(storm(3, smtp=False).outcome, Hold)
    assert storm(3, identity=SOON_NETWORK, content=None).answer is Answer.PENDING


def test_a_storm_of_answers_stops_answers_only() -> None:
    assert storm(0, 2).answer is Answer.MISS
    assert storm(0, 2, content=None).answer is Answer.PENDING
    assert status(storm(0, 2, content=ANSWER)) == "450 4.7.1"
    assert isinstance(storm(0, 2, LOGIN, ANSWER).outcome, Hold)
    assert storm(0, 1, content=ANSWER).answer is Answer.MISS


def test_a_guard_of_zero_messages_is_off_and_unreadable_counters_defer() -> None:
    off = replace(SETTINGS, storm=StormGuard(Rate(0, 60), Rate(0, 60)))
    assert (
        ask("storm", group(), settings=off, counts={Count("storm", "uuid-1", 60): 10**6}).answer
        is Answer.MISS
    )
    assert status(ask("storm", group(), counts=None)) == "451 4.4.3"


def test_what_is_an_answer() -> None:
    def facts(**headers: tuple[str, ...]) -> Facts:
        return Facts("x@out.example", CLAIM, content=Content(headers=headers))

    assert is_reply(facts(references=("<1@x>",)))
    assert not is_reply(facts(subject=("Re: x",)))
    assert not is_reply(Facts("x@out.example", CLAIM))


def test_moderation() -> None:
    of = group(moderated=True, moderators=nodes(404))
    assert isinstance(ask("moderation", of).outcome, Hold)
    assert ask("moderation", group()).answer is Answer.MISS
    assert ask("moderation", of, approved=True).answer is Answer.MISS
    assert ask("moderation", of, EARLY, None).answer is Answer.PENDING
    assert isinstance(ask("moderation", of, LOGIN, None).outcome, Hold)


@pytest.mark.parametrize("right", ["moderators", "owners", "bypass"])
def test_who_is_exempt_from_approval(right: str) -> None:
    assert ask("moderation", group(**{"moderated": True, right: nodes(7)}), LOGIN).answer is Answer.MISS
    assert exemption(group(**{right: nodes(7)}), PROVEN) == ""


@pytest.mark.parametrize(
    ("identity", "spared"),
    [
        (PROVEN, True),
        (SPF, False),
        (NETWORK, False),
        (CLAIM, False),
        (replace(NETWORK, nodes=nodes(7)), True),
    ],
)
def test_a_bypass_address_needs_more_than_spf_or_a_network(identity: Identity, spared: bool) -> None:
    assert bool(exemption(group(bypass_addresses=patterns("x@out.example")), identity)) is spared
