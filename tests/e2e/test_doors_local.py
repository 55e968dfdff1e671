"""Doors on this host: sendmail(1) in each of its modes, cron, web forms. None of them is a way past a group's rules.

A closed group sends the message back, a moderated one holds it, and one that hides its members keeps them hidden from
whoever wrote: no report, asked for or not, names anybody but the group.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from tests.support.installation import Installation, delivered_to, recipients
from tests.support.office import ADMINISTRATOR, ALICE, BOB, COMMERCIAL, CONTACT, JEAN, identity, message

HIDDEN = "secret@masociete.example"
WEB = "www-data@mx.masociete.example"


def letter(mark: str, *fields: bytes, author: str = ALICE) -> bytes:
    """A message as a program on this host writes it."""
    return message(mark, author, *fields).replace(b"\r\n", b"\n")


def envelope(site: Installation, mark: str, group: str, sender: str) -> None:
    site.postfix.sendmail([group], letter(mark), "-f", sender)


def header(site: Installation, mark: str, group: str, sender: str) -> None:
    site.postfix.sendmail([], letter(mark, f"To: {group}".encode()), "-t", "-f", sender)


def blind_copy(site: Installation, mark: str, group: str, sender: str) -> None:
    fields = (f"To: {ALICE}".encode(), f"Bcc: {group}".encode())
    site.postfix.sendmail([], letter(mark, *fields), "-t", "-f", sender)


def cron(site: Installation, mark: str, group: str, sender: str) -> None:
    """As cron(8) calls it, with the header that it writes."""
    content = letter(mark, f"To: {group}".encode(), b"Auto-Submitted: auto-generated", author=sender)
    site.postfix.sendmail([group], content, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "-f", sender)


def dialogue(site: Installation, mark: str, group: str, sender: str) -> None:
    """`sendmail -bs`: SMTP on standard input (some web forms and mail programs do)."""
    content = message(mark, ALICE)
    commands = f"EHLO here\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{group}>\r\nDATA\r\n".encode()
    ran = subprocess.run(
        ["sendmail", "-C", str(site.postfix.config_directory), "-bs"],
        input=commands + content + b".\r\nQUIT\r\n", capture_output=True, timeout=150, check=True,
    )  # fmt: skip
    assert b"354 " in ran.stdout


WAYS = (envelope, header, blind_copy, cron, dialogue)
Way = Callable[[Installation, str, str, str], None]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
every_sender = pytest.mark.parametrize("sender", [JEAN, ADMINISTRATOR, WEB, "x@outside.example"])


@every_way
@every_sender
def test_a_closed_group_stays_closed(site: Installation, way: Way, sender: str) -> None:
    """Whoever is named as the sender: a member, the owner, the web server, a stranger."""
    mark = identity()
    way(site, mark, CONTACT, sender)
    site.settle()
    assert recipients(site.delivered(mark)) == []
    assert [report.addresses for report in site.reports(mark)] == [(sender,)]
    assert site.held() == []


@every_way
@pytest.mark.parametrize("sender", [JEAN, ALICE, WEB])
def test_a_moderated_group_holds(site: Installation, way: Way, sender: str) -> None:
    """Its moderator and its bypass are named in vain: a name on this host is no log-in."""
    mark = identity()
    way(site, mark, COMMERCIAL, sender)
    site.settle()
    assert set(recipients(site.delivered(mark))) <= {ALICE}
    assert [delivered_to(held).partition("+")[0] for held in site.held()] == ["hold"]


@every_way
def test_hidden_members_stay_hidden(site: Installation, way: Way) -> None:
    mark = identity()
    site.sink.replies[BOB] = "550 5.1.1 <bob.petit@masociete.example> is gone"
    try:
        way(site, mark, HIDDEN, WEB)
        site.settle()
    finally:
        site.sink.replies.clear()
    copies = [copy for copy in site.delivered(mark) if ALICE not in copy.addresses]
    # Beside a person it needs a return path of its own, and goes by the desk.
    split = way is blind_copy
    assert [delivered_to(held).partition("+")[0] for held in site.held()] == ["hold" if split else "bounce"]
    assert recipients(copies) == ([] if split else [JEAN])
    assert all(copy.sender.startswith("bounce+") for copy in copies)
    assert [sunk for sunk in site.sink.messages if WEB in sunk.addresses] == []


@pytest.mark.parametrize("notify", ["success,failure,delay", "never"])
def test_a_success_report_names_no_hidden_member(site: Installation, notify: str) -> None:
    mark = identity()
    site.postfix.sendmail([HIDDEN], letter(mark), "-N", notify, "-f", WEB)
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, JEAN]
    told = b"".join(sunk.content for sunk in site.sink.messages if WEB in sunk.addresses)
    assert JEAN.encode() not in told
    assert BOB.encode() not in told


def test_the_way_of_a_message_can_not_be_claimed(site: Installation) -> None:
    """Header fields that look like a log-in, a release or a trace of ours prove nothing."""
    fields = (
        b"Received: from [127.0.0.1] (Authenticated sender: jean) by mx.masociete.example with ESMTPSA id 1",
        b"Authentication-Results: mx.masociete.example; auth=pass smtp.auth=jean",
        b"X-Groupmilter-Approved: yes",
        b"Approved: secret",
        b"Delivered-To: hold+x@groups.masociete.example",
    )
    mark = identity()
    site.postfix.sendmail([CONTACT], letter(mark, *fields, author=JEAN), "-f", JEAN)
    site.settle()
    assert site.delivered(mark) == []
    assert len(site.reports(mark)) == 1
