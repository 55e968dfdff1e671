"""Case files: what they may say, what is wrong with them and where; and how a message is made from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from groupmilter.config.load import ConfigurationError
from groupmilter.groups.ticket import loop_digest
from groupmilter.rehearsal.case import Case, Outcome
from groupmilter.rehearsal.cases import read_file
from groupmilter.rehearsal.run import agrees, rehearse
from groupmilter.rehearsal.stage import KEYS, Stage

HOUSE = Path(__file__).parents[1] / "cases" / "house.ldif"
HEAD = f"name: a case\ndirectory: {HOUSE}\n"
SENT = "message: {mail_from: a@b.example, to: [staff@masociete.example]}\n"


def read(tmp_path: Path, text: str) -> tuple[Case, ...]:
    file = tmp_path / "case.yaml"
    file.write_text(text)
    return read_file(file)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no case"),
        (SENT, "1: name: is required"),
        (HEAD + "mesage: {}\n", "3: mesage: unknown key; did you mean message?"),
        (HEAD + SENT, "expect: belongs to message"),
        (HEAD + "expect: {}\n", "wants either message with expect, or messages"),
        (
            HEAD + "message: {mail_from: a@b.example, to: []}\nexpect: {}\n",
            "3: message.to: wants at least one",
        ),
        (
            HEAD + "message: {mail_from: a@b.example, to: [x@y.example], client: here}\nexpect: {}\n",
            "an IP address",
        ),
        (
            HEAD + SENT + "expect: {x@y.example: {pass: true}}\n",
            "4: expect.x@y.example: the message has no such",
        ),
        (HEAD + SENT + "expect:\n  staff@masociete.example: {refuse: 451 4.4.3}\n", "5: expect.staff"),
        (HEAD + SENT + "expect: {staff@masociete.example: {refuse: nope}}\n", "is no status"),
        (HEAD + SENT + "expect: {staff@masociete.example: {}}\n", "wants exactly one of"),
        (
            HEAD + SENT + "expect: {staff@masociete.example: {pass: true, deliver: []}}\n",
            "wants exactly one of",
        ),
        (HEAD + SENT + "expect: {staff@masociete.example: {deliver: [], at: end}}\n", "at: belongs to"),
        (
            HEAD + SENT + "expect: {staff@masociete.example: {pass: true, notify: 550 5.7.1}}\n",
            "wants exactly one of",
        ),
        (HEAD + SENT.replace("to:", "size: 10, to:") + "expect: {}\n", "message.size: the header alone has"),
        (HEAD + SENT.replace("to:", "time: 2026-01-01, to:") + "expect: {}\n", "wants an offset from UTC"),
        (HEAD + SENT.replace("to:", "time: noon, to:") + "expect: {}\n", "wants a time such as"),
        (
            HEAD + "messages:\n  - {mail_from: a@b.example, to: [x@y.example]}\n",
            "messages[0].expect: is required",
        ),
    ],
)
def test_what_is_wrong_and_where(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, text)
    assert problem in str(raised.value)
    assert str(tmp_path / "case.yaml") in str(raised.value)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, f"name: one\n---\n{HEAD}{SENT}expect: {{z@z.example: {{pass: true}}}}\n")
    assert len(raised.value.errors) == 2


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    (case,) = read(tmp_path, HEAD.replace(str(HOUSE), "nowhere.ldif") + SENT + "expect: {}\n")
    with Stage() as stage, pytest.raises(ConfigurationError, match=r"nowhere.ldif"):
        stage.site(case)


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    (case,) = read(tmp_path, HEAD + "policy: [nowhere.yaml]\n" + SENT + "expect: {}\n")
    with Stage() as stage, pytest.raises(ConfigurationError, match=r"nowhere.yaml"):
        stage.site(case)


@pytest.mark.parametrize("size", [200, 271, 272, 273, 343, 344, 5000])
def test_a_message_has_the_size_it_says(tmp_path: Path, size: int) -> None:
    (case,) = read(tmp_path, HEAD + SENT.replace("to:", f"size: {size}, to:") + "expect: {}\n")
    (message,) = case.messages
    assert message.header_octets + len(message.body()) == size
    assert message.declared_size == size
    assert all(len(line) <= 998 for line in message.body().split(b"\r\n"))


def test_a_message_without_a_size_declares_none(tmp_path: Path) -> None:
    (case,) = read(tmp_path, HEAD + SENT + "expect: {}\n")
    assert case.messages[0].declared_size is None
    assert case.messages[0].body()


def test_headers_replace_the_usual_ones(tmp_path: Path) -> None:
    sent = SENT.replace("to:", "headers: {subject: hi, From: [a@b.example, c@d.example], X-N: 3}, to:")
    fields = read(tmp_path, HEAD + sent + "expect: {}\n")[0].messages[0].fields
    assert [value for name, value in fields if name.lower() == "from"] == ["a@b.example", "c@d.example"]
    assert [value for name, value in fields if name.lower() == "subject"] == ["hi"]
    assert ("X-N", "3") in fields


def test_the_null_sender_writes_no_from(tmp_path: Path) -> None:
    (case,) = read(tmp_path, HEAD + SENT.replace("a@b.example", '""') + "expect: {}\n")
    assert "From" not in dict(case.messages[0].fields)


def test_messages_are_read_in_either_form(tmp_path: Path) -> None:
    listed = (
        "messages:\n  - {mail_from: a@b.example, to: [x@y.example], expect: {x@y.example: {pass: true}}}\n"
    )
    nested = listed.replace("{mail_from", "{message: {mail_from").replace("], expect", "]}, expect")
    assert read(tmp_path, HEAD + listed)[0].messages == read(tmp_path, HEAD + nested)[0].messages


@pytest.mark.parametrize("keys", [KEYS.keys[0], b"another host's key, or a forger's ........"])
def test_a_loop_is_seen_by_our_own_trace_only(tmp_path: Path, keys: bytes) -> None:
    (plain,) = read(tmp_path, HEAD + SENT.replace("staff", "open") + "expect: {}\n")
    with Stage() as stage:
        site = stage.site(plain)
        with site.snapshots.snapshot() as directory:
            group = directory.find("open@masociete.example")
        assert group is not None
        sent = SENT.replace("staff", "open").replace(
            "to:", f"headers: {{X-Groupmilter-Loop: {loop_digest(group.uuid, keys)}}}, to:"
        )
        wanted = "{refuse: 554 5.4.6, at: end}" if keys == KEYS.keys[0] else "{deliver: [anne@x, david@x]}"
        text = f"expect: {{open@masociete.example: {wanted}}}\n".replace("@x", "@masociete.example")
        (case,) = read(tmp_path, HEAD + sent + text)
        assert rehearse(case, site).holds


def test_a_recipient_given_twice_is_judged_together(tmp_path: Path) -> None:
    sent = SENT.replace("to:", "client: 192.0.2.1, login: gus, author: gus@masociete.example, to:").replace(
        "[staff", "[staff@masociete.example, staff"
    )
    text = "expect: {staff@masociete.example: {deliver: [anne@masociete.example, ben@masociete.example]}}\n"
    (case,) = read(tmp_path, HEAD + sent + text)
    with Stage() as stage:
        assert rehearse(case, stage.site(case)).holds


def test_a_difference_is_told(tmp_path: Path) -> None:
    (case,) = read(tmp_path, HEAD + SENT + "expect: {STAFF@masociete.example: {pass: true}}\n")
    with Stage() as stage:
        result = rehearse(case, stage.site(case))
    (difference,) = result.differences
    assert difference.expected == Outcome(passed=True)
    assert difference.observed.outcome == Outcome(refuse="550 5.7.1", at="end")
    assert difference.observed.verdict.trace


def test_an_expectation_that_does_not_say_when() -> None:
    assert agrees(Outcome(refuse="550 5.7.1"), Outcome(refuse="550 5.7.1", at="end"))
    assert not agrees(Outcome(refuse="550 5.7.1", at="rcpt"), Outcome(refuse="550 5.7.1", at="end"))
    assert not agrees(Outcome(), Outcome(notify="550 5.7.1"))
