"""Following a mail through logs: from queue id to queue id, past ids that were used again, through our own lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from groupmilter.cli.mail_log import Line, Names, follow

LOG = """\
Nov 26 10:00:00 mx postfix/smtpd[1]: connect from client.example[192.0.2.1]
Nov 26 10:00:00 mx postfix/smtpd[1]: 4F2A000001: client=client.example[192.0.2.1]
Nov 26 10:00:00 mx postfix/cleanup[2]: 4F2A000001: message-id=<a@x.example>
Nov 26 10:00:00 mx groupmilter[9]: {"event": "message", "queue_id": "4F2A000001", "verdicts": {"s@x": "hold"}}
Nov 26 10:00:00 mx postfix/qmgr[3]: 4F2A000001: from=<c@x.example>, size=500, nrcpt=2 (queue active)
Nov 26 10:00:01 mx postfix/virtual[4]: 4F2A000001: to=<hold+ticket@g.example>, relay=groupmilter-hold, status=sent \
(delivered to maildir)
Nov 26 10:00:01 mx postfix/smtp[5]: 4F2A000001: to=<b@x.example>, relay=127.0.0.1[127.0.0.1]:10025, status=sent \
(250 2.0.0 Ok: queued as 4F2A000002)
Nov 26 10:00:01 mx postfix/smtpd[6]: 4F2A000002: client=localhost[127.0.0.1], orig_queue_id=4F2A000001
Nov 26 10:00:01 mx postfix/cleanup[2]: 4F2A000002: message-id=<a@x.example>
Nov 26 10:00:01 mx postfix/qmgr[3]: 4F2A000001: removed
Nov 26 10:00:02 mx postfix/smtp[5]: 4F2A000002: to=<b@x.example>, relay=far.example, status=bounced (550 no)
Nov 26 10:00:02 mx postfix/cleanup[2]: 4F2A000003: message-id=<report@mx.example>
Nov 26 10:00:02 mx postfix/bounce[7]: 4F2A000002: sender non-delivery notification: 4F2A000003
Nov 26 10:00:02 mx postfix/qmgr[3]: 4F2A000002: removed
Nov 26 10:00:03 mx postfix/smtp[5]: 4F2A000003: to=<c@x.example>, status=sent (250 Ok: queued as 9Zk4mB0xZzRT)
Nov 26 10:00:03 mx postfix/qmgr[3]: 4F2A000003: removed
Nov 26 10:05:00 mx groupmilter[9]: event="sent out" item=k7m2pqrstu came_to=release note=4F2A000004
Nov 26 10:05:00 mx postfix/smtpd[8]: 4F2A000004: client=localhost[127.0.0.1], sasl_username=groupmilter-release
Nov 26 10:05:00 mx postfix/qmgr[3]: 4F2A000004: removed
Nov 26 11:00:00 mx postfix/smtpd[1]: 4F2A000001: client=other.example[192.0.2.2]
Nov 26 11:00:00 mx postfix/cleanup[2]: 4F2A000001: message-id=<other@x.example>
Nov 26 11:00:00 mx postfix/smtp[5]: 4F2A000001: to=<b@x.example>, status=sent (250 2.0.0 Ok: queued as 4F2A000002)
Nov 26 11:00:00 mx postfix/smtpd[6]: 4F2A000002: client=localhost[127.0.0.1]
Nov 26 11:00:00 mx postfix/cleanup[2]: 4F2A000002: message-id=<other@x.example>
Nov 26 11:00:00 mx postfix/qmgr[3]: 4F2A000002: removed
Nov 26 11:00:00 mx postfix/qmgr[3]: 4F2A000001: removed
Nov 26 11:00:01 mx postfix/smtpd[1]: NOQUEUE: milter-reject: RCPT from x: 550 5.7.1 no; from=<a@x.example>
Nov 26 11:00:02 mx groupmilter[9]: {"event": "letter sent", "item": "abcdefghjk"}
"""
LINES = LOG.splitlines()


def read(wanted: re.Pattern[bytes], text: str = LOG) -> Iterator[Line]:
    lines = (Line(number, "mail.log", line) for number, line in enumerate(text.splitlines()))
    return (line for line in lines if wanted.search(line.text.encode()))


def traced(names: Names, text: str = LOG) -> list[int]:
    """The numbers of the lines that are found, from 1."""
    return [line.number + 1 for line in follow(lambda wanted: read(wanted, text), names)[0]]


FIRST = list(range(2, 17))
"""All of the first mail's lines, its report's included."""


@pytest.mark.parametrize(
    "names",
    [
        Names(frozenset({"<a@x.example>"})),
        Names(queue_ids=frozenset({"4F2A000003"})),
        Names(queue_ids=frozenset({"9Zk4mB0xZzRT"})),
    ],
)
def test_a_mail_is_followed_from_any_of_its_names_and_no_other_that_had_its_queue_id(names: Names) -> None:
    assert traced(names) == FIRST


def test_a_queue_id_that_was_used_again_means_both_mails_where_it_is_asked_for() -> None:
    assert traced(Names(queue_ids=frozenset({"4F2A000001"}))) == [*FIRST, *range(20, 27)]


def test_another_mail_with_ids_of_the_first_is_found_alone() -> None:
    assert traced(Names(frozenset({"<other@x.example>"}))) == list(range(20, 27))


def test_a_line_of_ours_in_a_file_of_its_own_is_kept_whichever_mail_it_may_be_about() -> None:
    own = [Line(100, "own.log", '{"event": "message", "queue_id": "4F2A000001"}')]
    found, _ = follow(lambda wanted: [*read(wanted), *own], Names(frozenset({"<other@x.example>"})))
    assert [line.number + 1 for line in found] == [*range(20, 27), 101]


def test_an_items_name_leads_to_its_release() -> None:
    assert traced(Names(items=frozenset({"k7m2pqrstu"}))) == [17, 18, 19]
    both = Names(frozenset({"<a@x.example>"}), items=frozenset({"k7m2pqrstu"}))
    assert traced(both) == [*FIRST, 17, 18, 19]


def test_what_it_turned_out_to_be_called() -> None:
    _, names = follow(read, Names(frozenset({"<a@x.example>"})))
    assert names.queue_ids == {"4F2A000001", "4F2A000002", "4F2A000003", "9Zk4mB0xZzRT"}
    assert names.message_ids == {"<a@x.example>", "<report@mx.example>"}


def test_nothing_is_found_where_nothing_is_asked_or_known() -> None:
    assert follow(read, Names()) == ((), Names())
    assert traced(Names(frozenset({"<nobody@x.example>"}))) == []
    assert traced(Names(queue_ids=frozenset({"4F2A00000"}))) == [], "the beginning of an id is none"


@pytest.mark.parametrize("long", ["3PyZKh1hNVzTCCq", "4XyB2c0Zq1zRT9"])
def test_long_queue_ids_and_other_stamps(long: str) -> None:
    text = (
        f"2026-11-26T10:00:00.123456+01:00 mx postfix/submission/smtpd[1]: {long}: client=x[192.0.2.1]\n"
        f"2026-11-26T10:00:00.223456+01:00 mx postfix/cleanup[2]: {long}: message-id=<l@x.example>\n"
        f"2026-11-26T10:00:00.323456+01:00 mx postfix/cleanup[2]: warning: message-id=<l@x.example> odd\n"
        f"2026-11-26T10:00:01.123456+01:00 mx postfix/qmgr[3]: {long}: removed\n"
    )
    assert traced(Names(frozenset({"<l@x.example>"})), text) == [1, 2, 4]


def test_an_empty_message_id_binds_nobody() -> None:
    text = (
        "Nov 26 10:00:00 mx postfix/cleanup[2]: 4F2A000001: message-id=<>\n"
        "Nov 26 10:00:00 mx postfix/cleanup[2]: 4F2A000002: message-id=<>\n"
    )
    assert traced(Names(queue_ids=frozenset({"4F2A000002"})), text) == [2]


def test_ids_that_lead_in_a_circle_come_to_an_end() -> None:
    text = (
        "Nov 26 10:00:00 mx postfix/smtp[5]: 4F2A000001: to=<b@x>, status=sent (250 Ok: queued as 4F2A000002)\n"
        "Nov 26 10:00:00 mx postfix/smtp[5]: 4F2A000002: to=<b@x>, status=sent (250 Ok: queued as 4F2A000001)\n"
    )
    assert traced(Names(queue_ids=frozenset({"4F2A000001"})), text) == [1, 2]
