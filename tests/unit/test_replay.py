"""How a message is known again, and what becomes of it: on paper, with what the state said and was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from tests.support.letters import Letter, Office

from groupmilter.mail.content import ContentDigest
from groupmilter.mail.fingerprint import MOST_SIGNATURES, fingerprints
from groupmilter.mta.site import Site
from groupmilter.policy.disposition import Deferred, Expanded, Held, Refused
from groupmilter.policy.replaying import taken
from groupmilter.policy.settings import Replay
from groupmilter.policy.sighting import Seen, Sighting, origin

FIELDS = (
    (b"From", b" x@out.example"),
    (b"Message-ID", b" <1@out.example>"),
    (b"Date", b" Mon, 2 Mar 2026 12:00:00 +0000"),
)


def body(*chunks: bytes) -> bytes:
    digest = ContentDigest()
    for chunk in chunks:
        digest.body(chunk)
    return digest.digest()


def test_a_message_is_known_by_its_identity_and_body() -> None:
    known = fingerprints(FIELDS, body(b"Hello.\r\n"))
    assert len(known) == 1
    assert fingerprints((*FIELDS, (b"Received", b" from a by b")), body(b"Hel", b"lo.\r\n\r\n")) == known
    folded = (FIELDS[0], (b"message-id ", b"\r\n\t<1@out.example>"), FIELDS[2])
    assert fingerprints(folded, body(b"Hello.\r\n")) == known
    assert fingerprints(FIELDS, body(b"Hallo.\r\n")) != known
    assert fingerprints(((b"Message-ID", b" <2@out.example>"),), body(b"Hello.\r\n")) != known


def test_without_a_message_id_author_and_date_count() -> None:
    bare, empty = FIELDS[::2], (*FIELDS[::2], (b"Message-ID", b"  "))
    known = fingerprints(bare, body(b"x"))
    assert fingerprints(empty, body(b"x")) == known
    assert fingerprints((bare[0], (b"Date", b" Tue, 3 Mar 2026 12:00:00 +0000")), body(b"x")) != known
    assert fingerprints(bare[:1], body(b"x")) == (), "what a device writes, again and again"


def test_a_signature_is_known_whatever_was_altered_around_it() -> None:
    signed = (b"DKIM-Signature", b" v=1; d=out.example; h=from; bh=AAAA; b=QkJC\r\n\tRERE")
    other = (b"DKIM-Signature", b" v=1; b= QkJCRERE ; d=out.example; h=from; bh=AAAA")
    first = fingerprints((*FIELDS, signed), body(b"x"))
    second = fingerprints(((b"Message-ID", b" <9@evil.example>"), other), body(b"y"))
    assert set(first) & set(second)
    assert len(first) == 2
    assert (
        len(fingerprints([(b"DKIM-Signature", b" b=%d" % n) for n in range(100)], body(b"x")))
        == MOST_SIGNATURES
    )
    assert fingerprints([(b"DKIM-Signature", b" bh=AAAA; b= ")], body(b"x")) == ()


def test_no_spelling_of_a_signature_and_no_others_above_it_make_a_message_new() -> None:
    [known] = fingerprints([(b"DKIM-Signature", b" b=QUI=")], body(b"x"))
    assert fingerprints([(b"DKIM-Signature", b" b=QUJ=")], body(b"y")) == (known,)
    above = [(b"DKIM-Signature ", b" d=evil.example; b=%d" % n) for n in range(MOST_SIGNATURES - 1)]
    assert known in fingerprints([*above, (b"DKIM-Signature", b" b=QUI=")], body(b"y"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.254", True), ("192.0.2.1", "192.0.3.1", False), ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False), ("::ffff:192.0.2.1", "192.0.2.7", True), ("", "", True),
        ("", "192.0.2.1", False),
    ],
)  # fmt: skip
def test_neighbours_with_one_return_path_are_one_origin(one: str, other: str, same: bool) -> None:
    assert (origin(one, "x@out.example") == origin(other, "x@out.example")) is same
    assert origin(one, "x@out.example") != origin(one, "y@out.example")


@dataclass
class Remembering(Office):
    """An office whose state says what the test wants."""

    answer: Mapping[str, Seen] | None = field(default_factory=dict)
    asked: list[Sighting] = field(default_factory=list)

    @property
    def site(self) -> Site:
        return replace(super().site, seen=self.see)

    def see(self, sighting: Sighting) -> Mapping[str, Seen] | None:
        self.asked.append(sighting)
        return self.answer


def sent(office: Remembering, *to: str, login: str = "") -> Letter:
    letter = office.letter("x@out.example", login=login)
    for address in to:
        letter.rcpt(address)
    letter.collector.header("Message-ID", b" <1@out.example>")
    letter.collector.body(b"Hello.\r\n")
    return letter


def test_the_state_is_asked_once_and_only_for_mail_to_groups_of_nobody_known() -> None:
    office = Remembering()
    office.person("jean", login="jean")
    office.group("open", "y@out.example")
    office.group("other", "z@out.example")
    facts, decision = sent(office, "open@own.example", "other@own.example", "OPEN@own.example").end()
    assert len(office.asked) == 1
    assert len(office.asked[0].groups) == 2
    sighting = taken(decision, facts)
    assert sighting is not None
    assert sighting.groups == office.asked[0].groups
    facts, decision = sent(office, "jean@own.example").end()
    assert taken(decision, facts) is None
    facts, decision = sent(office, "open@own.example", login="jean").end(**{"from": "jean@own.example"})
    assert isinstance(decision.verdicts[0].disposition, Expanded)
    assert taken(decision, facts) is None
    assert len(office.asked) == 1


@pytest.mark.parametrize(
    ("then", "answer", "expected"),
    [
        ("hold", Seen.REPEATED, Held), ("hold", Seen.RETRY, Held), ("refuse", Seen.REPEATED, Refused),
        ("refuse", Seen.RETRY, Held), ("accept", Seen.REPEATED, Expanded), ("hold", None, Deferred),
    ],
)  # fmt: skip
def test_what_becomes_of_it(then: str, answer: Seen | None, expected: type) -> None:
    office = Remembering()
    group = office.group("open", "y@out.example")
    office.settings = replace(office.settings, replay=Replay(then=then))
    office.answer = None if answer is None else {group.uuid: answer}
    facts, decision = sent(office, "open@own.example").end()
    assert isinstance(decision.verdicts[0].disposition, expected)
    assert taken(decision, facts) is None, "what is known already, or not taken, needs no remembering"


def test_a_state_that_cant_be_read_delays_only_what_the_rule_would_decide() -> None:
    office = Remembering(answer=None)
    office.group("closed", "y@out.example", denied_addresses=())
    closed = office.group("off", "y@out.example", enabled=False)
    office.person("jean", login="jean")
    letter = office.letter("x@out.example", client="")
    letter.rcpt(closed.address)
    assert letter.answered() == "550 5.2.1", "an earlier rule refuses, whatever the state"
    _, decision = sent(office, "closed@own.example", login="jean").end(**{"from": "jean@own.example"})
    assert isinstance(decision.verdicts[0].disposition, Expanded)


def test_what_this_host_submits_waits_for_no_state() -> None:
    office = Remembering(answer=None)
    office.group("open", "y@out.example")
    letter = office.letter("cron@own.example", client="")
    letter.rcpt("open@own.example")
    letter.collector.header("Message-ID", b" <1@own.example>")
    facts, decision = letter.end()
    assert isinstance(decision.verdicts[0].disposition, Expanded)
    assert taken(decision, facts) is None


def test_without_the_rule_in_the_chain_nobody_asks() -> None:
    office = Remembering(answer=None)
    office.group("open", "y@out.example")
    office.settings = replace(office.settings, chain=tuple(n for n in office.settings.chain if n != "replay"))
    _, decision = sent(office, "open@own.example").end()
    assert isinstance(decision.verdicts[0].disposition, Expanded)
    assert office.asked == []


def test_what_is_refused_or_deferred_is_not_remembered() -> None:
    office = Remembering()
    office.group("open", "y@out.example")
    office.group("small", "y@out.example", max_size=1)
    facts, decision = sent(office, "open@own.example", "small@own.example").end()
    assert decision.answer is not None
    assert taken(decision, facts) is None
