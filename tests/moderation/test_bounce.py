"""Reading reports: what is one and what isn't, whom it blames, and that nothing in it harms who reads it."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.moderation.bounce_reports import (
    GONE,
    OTHERS_RECEIVED,
    QMAIL,
    absence,
    block,
    failed,
    notification,
    top,
)

from groupmilter.moderation.bounce import Cause, Failure, Report, Tells, cause_of, read_report

GROUP = "sales@example.org"
TICKET = "x" * 48


def test_a_notification_of_our_own_server_names_who_did_not_get_it() -> None:
    report = read_report(failed(TICKET, "gone@outside.example", "other@outside.example"))
    assert (report.tells, report.own) == (Tells.FAILURE, True)
    assert report.failures == (
        Failure(("gone@outside.example", GROUP), Cause.PERMANENT, "5.1.1", GONE.removeprefix("smtp; ")),
        Failure(("other@outside.example", GROUP), Cause.PERMANENT, "5.1.1", GONE.removeprefix("smtp; ")),
    )


def test_a_notification_of_another_server_is_told_from_our_own() -> None:
    assert not read_report(failed(TICKET, "gone@outside.example", received=OTHERS_RECEIVED)).own


@pytest.mark.parametrize(
    ("received", "own"),
    [("from localhost (localhost)\n\tby mx.example.org (8.17.1.9/8.17.1.9) id 4AQ; Thu, 26 Nov 2026", True),
     ("from localhost (localhost [192.0.2.1])\n\tby mx.example.org (8.17.1.9/8.17.1.9) id 4AQ; Thu", False),
     ("from localhost (localhost [127.0.0.1])\n\tby mx.example.org (Postfix) with ESMTP id 4AQ; Thu", False),
     ("from by (unknown [192.0.2.1])\n\tby mx.example.org (Postfix) with SMTP id 4AQ; Thu", False),
     ("by mx.example.org (Postfix, from userid 33)\n\tid 4AQ; Thu", False), ("", False)],
)  # fmt: skip
def test_whose_report_it_is_says_the_topmost_received_field_alone(received: str, own: bool) -> None:
    top_line, below = f"Received: {received}\n", "Received: by mx.example.org (Postfix)\n\tid 1; Thu\n"
    assert read_report(failed(TICKET, "gone@outside.example", received=top_line + below)).own is own


@pytest.mark.parametrize(
    ("action", "tells"),
    [("failed", Tells.FAILURE), ("error", Tells.FAILURE), ("Failed (bounced)", Tells.FAILURE),
     ("delayed", Tells.DELAY), ("delivered", Tells.SUCCESS), ("expanded", Tells.SUCCESS), ("relayed", Tells.SUCCESS),
     ("hm", Tells.OTHER), ("", Tells.OTHER)],
)  # fmt: skip
def test_only_a_failure_is_one(action: str, tells: Tells) -> None:
    assert read_report(notification(TICKET, [block("gone@outside.example", action)])).tells is tells


def test_a_failure_beside_a_delay_is_told_alone() -> None:
    blocks = [block("late@outside.example", "delayed", "4.4.1"), block("gone@outside.example")]
    (failure,) = read_report(notification(TICKET, blocks)).failures
    assert failure.addresses[0] == "gone@outside.example"


@pytest.mark.parametrize(
    ("status", "cause"),
    [("5.1.1", Cause.PERMANENT), ("5.1.10", Cause.PERMANENT), ("5.2.2", Cause.PERMANENT), ("", Cause.PERMANENT),
     ("5.0.0", Cause.PERMANENT), ("4.4.1", Cause.TEMPORARY), ("4.2.2", Cause.TEMPORARY),
     ("5.7.1", Cause.MESSAGE), ("5.7.26", Cause.MESSAGE), ("5.6.0", Cause.MESSAGE), ("5.2.3", Cause.MESSAGE),
     ("5.3.4", Cause.MESSAGE), ("4.7.0", Cause.MESSAGE)],
)  # fmt: skip
def test_what_a_status_blames(status: str, cause: Cause) -> None:
    assert cause_of(status) is cause


@pytest.mark.parametrize("status", ["", "5.0.0"])
def test_a_vague_status_gives_way_to_what_the_server_said(status: str) -> None:
    blocks = [block("gone@outside.example", status=status, why="smtp; 550 5.7.1 Message refused as spam")]
    (failure,) = read_report(notification(TICKET, blocks)).failures
    assert (failure.status, failure.cause) == ("5.7.1", Cause.MESSAGE)


@pytest.mark.parametrize(
    ("written", "address"),
    [("rfc822; gone@outside.example", "gone@outside.example"), ("RFC822;gone@outside.example", "gone@outside.example"),
     ("rfc822; <gone@outside.example>", "gone@outside.example"), ("<gone@outside.example>", "gone@outside.example"),
     ("rfc822; prvs=1=gone@outside.example", "prvs=1=gone@outside.example"),
     (r"utf-8; ren\x{E9}e@outside.example", "renée@outside.example"),
     ("utf-8; renée@outside.example", "renée@outside.example"),
     (r"utf-8; \x{FFFFFF}@outside.example", "\N{REPLACEMENT CHARACTER}@outside.example")],
)  # fmt: skip
def test_an_address_as_it_is_written(written: str, address: str) -> None:
    octets = failed(TICKET, "gone@outside.example").replace(b"rfc822; gone@outside.example", written.encode())
    assert read_report(octets).failures[0].addresses[0] == address


def test_who_is_named_by_no_address_has_none() -> None:
    octets = failed(TICKET, "gone").replace(b"Original-Recipient: rfc822;sales@example.org\n", b"")
    assert read_report(octets).failures == (
        Failure((), Cause.PERMANENT, "5.1.1", GONE.removeprefix("smtp; ")),
    )


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_fields_that_were_encoded_on_the_way(encoding: str) -> None:
    plain = block("gone@outside.example").encode()
    coded = base64.encodebytes(plain) if encoding == "base64" else plain.replace(b"=", b"=3D")
    octets = notification(TICKET, ["@"]).replace(
        b"message/delivery-status\n\n", b"message/delivery-status\n@@\n\n"
    )
    start = octets.index(b"\nReporting-MTA") + 1
    octets = (
        octets[:start]
        + coded
        + octets[octets.index(b"\n--F00.17/mx.example.org\nContent-Type: message/rfc822") :]
    )
    octets = octets.replace(b"@@", f"Content-Transfer-Encoding: {encoding}".encode())
    assert read_report(octets).failures[0].addresses[0] == "gone@outside.example"


def test_a_report_in_no_standard_form_is_guessed_at() -> None:
    report = read_report((top(TICKET) + OTHERS_RECEIVED + QMAIL).encode())
    assert report == Report(Tells.FAILURE, (Failure(("gone@outside.example",), Cause.PERMANENT),), own=False)


@pytest.mark.parametrize(
    "header",
    ["Subject: Out of office", "Subject: Re: x\nAuto-Submitted: auto-replied", "Subject: x\nX-Autoreply: yes",
     "Subject: x\nPrecedence: bulk", "Subject: Absence du bureau : x",
     "Subject: Read\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b"],
)  # fmt: skip
def test_an_automatic_reply_is_none(header: str) -> None:
    assert (
        read_report(f"{top(TICKET)}From: gone@outside.example\n{header}\n\ntext\n".encode()).tells
        is Tells.AUTOMATIC
    )
    assert read_report(absence(TICKET)).tells is Tells.AUTOMATIC


def test_a_person_and_a_complaint_are_for_people() -> None:
    assert read_report(f"{top(TICKET)}Subject: please\n\nStop it.\n".encode()).tells is Tells.OTHER
    complaint = "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nx\n--b--\n"
    assert read_report(f"{top(TICKET)}Subject: x\n{complaint}".encode()).tells is Tells.OTHER


_MANY = 300_000
_STATUS = (
    b"Content-Type: multipart/report; boundary=b\n\n--b\n\n--b\nContent-Type: message/delivery-status\n\n"
)
HOSTILE = {
    "nothing": b"",
    "no end": b"Content-Type: multipart/report; boundary=b",
    "semicolons": b"Content-Type: multipart/report; " + b";" * _MANY + b"\n\n",
    "quotes": b"Content-Type: multipart/mixed; " + b'";' * _MANY + b"\n\n" + b'";' * _MANY,
    "nested": b"Content-Type: multipart/mixed; boundary=a0\n\n"
    + b"".join(b"--a%d\nContent-Type: multipart/mixed; boundary=a%d\n\n" % (i, i + 1) for i in range(5000)),
    "nested messages": b"Content-Type: message/rfc822\n\n" * 5000,
    "nested, hidden": b'Content-Type: multipart/mixed; bound\n ary*0="a"\n\n'
    + b"--a\nContent-Type: message/rfc822\n\n" * 5000,
    "boundaries": b"Content-Type: multipart/report; boundary=b\n\n" + b"\n--b" * _MANY,
    "blank lines": b"Subject: x\n\n" + b" \n" * _MANY,
    "brackets": b"Subject: x\n\n" + b"<" * _MANY,
    "addresses": b"Subject: x\n\n" + b"<a@b> " * 50_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?" * 30_000 + b"\n\n",
    "folded": b"Content-Type: multipart/report;\n" + b" x=y;\n" * 50_000 + b"\n",
    "folded in the fields for programs": _STATUS + b"Status:\n" + b" x\n" * 2_000_000,
    "blocks without end": _STATUS + b"a:b\n\n" * 2_000_000,
    "octets": bytes(range(256)) * 1000,
    "surrogates": "Subject: \udcff\n\n\udcff".encode("utf-8", "surrogateescape") * 1000,
    "base64": b"Content-Type: multipart/report; boundary=b\n\n--b\n\n--b\nContent-Type: message/delivery-status\n"
    b"Content-Transfer-Encoding: base64\n\n=====\n--b--\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_read_without_harm(name: str) -> None:
    begun = time.process_time()
    assert read_report(top(TICKET).encode() + HOSTILE[name]).failures == ()
    assert time.process_time() - begun < 10, "seconds of processor, a generous multiple of what it takes"


def test_a_very_large_report_is_read_wholly_and_what_lies_beyond_every_bound_is_cut() -> None:
    octets = notification(TICKET, [block(f"m{number}@outside.example") for number in range(60_000)])
    report = read_report(octets)
    assert len(report.failures) == 50_000
    assert report.failures[49_999].addresses[0] == "m49999@outside.example"


@given(st.binary(max_size=2000), st.integers(0, 1500))
def test_nothing_makes_reading_fail(octets: bytes, at: int) -> None:
    read_report(octets)
    whole = failed(TICKET, "gone@outside.example")
    read_report(whole[:at] + octets + whole[at:])
    read_report(whole[at:])
