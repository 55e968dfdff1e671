"""Gathering: three outcomes of every look-up, at RCPT and at the end."""

import pytest
from tests.support.letters import NOON, Office, receivers, status

from groupmilter.groups.directory import DirectoryMoved, DirectoryUnknown
from groupmilter.groups.person import Person
from groupmilter.policy.disposition import Deferred, Expanded, Passed, Refused, Undecided

GONE = DirectoryUnknown("the mirror is gone")
TO = "contact@own.example"


def office(**fields: object) -> Office:
    made = Office(may_be_group=frozenset({TO}))
    made.group("contact", made.person("jean", login="jean"), **fields)
    return made


def test_found_absent_and_unknown_at_rcpt() -> None:
    made = office()
    assert isinstance(made.letter("x@out.example").rcpt(TO).disposition, Undecided)
    assert isinstance(made.letter("x@out.example").rcpt("absent@own.example").disposition, Passed)
    made.failing = [GONE, GONE]
    letter = made.letter("x@out.example")
    assert status(letter.rcpt(TO)) == "451 4.4.3"
    assert isinstance(letter.rcpt("absent@own.example").disposition, Passed)


def test_unknown_between_rcpt_and_the_end_is_raised_for_the_guard() -> None:
    made = office()
    letter = made.letter("x@out.example").to(TO)
    made.failing = [GONE]
    with pytest.raises(DirectoryUnknown):
        letter.end()


def test_local_submission_keeps_what_is_unknown_and_decides_at_the_end() -> None:
    made = office()
    letter = made.letter("x@out.example", client="")
    made.failing = [GONE]
    verdict = letter.rcpt(TO)
    assert isinstance(verdict.disposition, Deferred)
    assert verdict.recipient.unknown
    assert letter.collector.groups
    assert receivers(letter.decided()[0]) == ["jean@own.example"]


def test_a_directory_that_moved_is_asked_again() -> None:
    made = office()
    made.failing = [DirectoryMoved("moved"), DirectoryMoved("moved")]
    letter = made.letter("x@out.example").to(TO)
    assert made.opened == 3
    made.failing = [DirectoryMoved("moved")]
    assert isinstance(letter.decided()[0], Expanded)


def test_a_directory_that_never_rests_is_unknown() -> None:
    made = office()
    made.failing = [DirectoryMoved("moved")] * 10
    assert status(made.letter("x@out.example").rcpt(TO)) == "451 4.4.3"
    letter = made.letter("x@out.example").to(TO)
    made.failing = [DirectoryMoved("moved")] * 10
    with pytest.raises(DirectoryUnknown):
        letter.end()


def test_a_group_that_changed_in_between_is_decided_as_it_is_now() -> None:
    made = office()
    letter = made.letter("x@out.example").to(TO)
    group = letter.collector.recipients[0].group
    assert group is not None
    made.rewrite(group, require_authentication=True)
    assert letter.answered() == "550 5.7.1"


def test_a_group_that_is_gone_at_the_end_is_nobodys_address() -> None:
    made = office()
    letter = made.letter("x@out.example").to(TO)
    made.paper.groups.clear()
    assert [type(one) for one in letter.decided()] == [Passed]


def test_extensions_of_a_group_and_of_a_person() -> None:
    made = office()
    letter = made.letter("x@out.example")
    assert letter.rcpt("contact+news@own.example").recipient.group is not None
    assert status(letter.rcpt("contact+APPROVE@own.example")) == "550 5.1.1"
    assert status(letter.rcpt("contact+JOIN@own.example")) == "550 5.7.1"
    person = letter.rcpt("jean+join@own.example")
    assert isinstance(person.disposition, Passed)
    assert isinstance(person.recipient.entry, Person)


def test_a_person_with_the_whole_address_comes_before_the_groups_extension() -> None:
    made = office()
    made.person("contact+vip")
    assert isinstance(made.letter("x@out.example").rcpt("contact+vip@own.example").disposition, Passed)


def test_the_header_is_wanted_for_groups_and_logins_only() -> None:
    made = office()
    assert not made.letter("x@out.example").to("y@out.example").collector.wants_header
    assert made.letter("x@out.example", login="jean").to("y@out.example").collector.wants_header
    assert made.letter("x@out.example").to(TO).collector.wants_header


def test_facts_at_the_end_are_complete() -> None:
    made = office()
    letter = made.letter("x@out.example", size=77)
    letter.to(TO)
    letter.collector.octets += 1_000
    facts, _ = letter.end(subject="Hi", sender="s@out.example")
    assert (facts.declared_size, facts.size) == (
        77,
        1_000 + len("from: x@out.example\r\nsubject: Hi\r\nsender: s@out.example\r\n"),
    )
    assert facts.content is not None
    assert facts.content.sender == "s@out.example"
    assert [author.address for author in facts.content.authors] == ["x@out.example"]
    assert facts.local_time == NOON
    assert facts.ended
    assert facts.smtp


@pytest.mark.parametrize(
    ("fields", "authors", "readable"),
    [
        (["x@out.example"], 1, True),
        (["x@out.example", "y@out.example"], 2, False),
        (["x@out.example, y@out.example"], 2, True),
        (["nonsense <"], 0, False),
        (["x@out.example", "nonsense <"], 1, False),
        ([], 0, False),
    ],
)
def test_authors_that_can_be_read(fields: list[str], authors: int, readable: bool) -> None:
    letter = office().letter("z@out.example").to(TO)
    facts, _ = letter.end(**{"from": fields})
    assert facts.content is not None
    assert (len(facts.content.authors), facts.content.readable) == (authors, readable)


@pytest.mark.parametrize(
    "fields", [["a@x.example", "b@x.example"], ["a@x.example, b@x.example"], ["nonsense <"], []]
)
def test_a_sender_field_that_is_not_one_mailbox_is_none(fields: list[str]) -> None:
    facts, _ = office().letter("z@out.example").to(TO).end(sender=fields)
    assert facts.content is not None
    assert facts.content.sender == ""


def test_counters_that_cant_be_read_defer_group_mail_only() -> None:
    made = office()
    made.counts = None
    letter = made.letter("x@out.example")
    assert status(letter.rcpt(TO)) == "451 4.4.3"
    assert isinstance(letter.rcpt("jean@own.example").disposition, Passed)


def test_what_cant_be_read_as_an_address_passes_as_nobodys() -> None:
    letter = office().letter("x@out.example")
    for argument in ("<>", "<nonsense>", "<@>", "<contact@>", "<contact@[127.0.0.1]>"):
        verdict = letter.rcpt(argument)
        assert isinstance(verdict.disposition, Passed)
        assert verdict.recipient.group is None


def test_a_refused_recipient_is_not_kept_by_itself() -> None:
    made = office(enabled=False)
    letter = made.letter("x@out.example")
    assert isinstance(letter.collector.recipient(f"<{TO}>").disposition, Refused)
    assert letter.collector.recipients == []
