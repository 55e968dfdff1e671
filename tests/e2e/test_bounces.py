"""Members whose mail fails, through real Postfix: where reports go in each of four ways, what they lead to."""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections.abc import Iterator

import pytest
from tests.moderation.bounce_reports import OTHERS_RECEIVED, block, notification
from tests.support.failing import GONE, LATE, Failing, failing
from tests.support.office import BOB, JEAN, PIERRE, PLACEHOLDER, group, identity, member, message
from tests.support.sink import SunkMessage

from groupmilter.moderation.item import DESK

WAYS = ("auto", "sender", "owner", "nobody")
STRANGER = "stranger@elsewhere.example"
WORLD = "dgRequireAuthentication: FALSE"


def address(way: str) -> str:
    return f"{way}@masociete.example"


def dead(way: str) -> str:
    return f"dead-{way}@partner.example"


NAMES = (*WAYS, "dying", "lonely", "late", "insiders", "answering", "far")
EXTRA = "".join(
    group(name, WORLD, *((f"dgBouncesTo: {name}",) if name in WAYS else ("dgBouncesTo: owner",)),
          f"dgMemberAddress: {dead(name)}", *(() if name == "lonely" else member("jean")))
    for name in NAMES if name != "insiders"
) + group("insiders", WORLD, "dgBouncesTo: owner", *member("jean", "pierre"))  # fmt: skip
EXTRA = EXTRA.replace("cn: lonely\n", f"cn: lonely\n{PLACEHOLDER}\n")


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Failing]:
    with failing(EXTRA) as made:
        made.whole.installation.sink.replies.update(
            {dead(name): GONE for name in NAMES if name not in {"late", "far"}}
        )
        yield made


def report_to(site: Failing, who: str, mark: str) -> SunkMessage | None:
    """The delivery report about a message that somebody got."""
    return next((sunk for sunk in site.to(who) if not sunk.sender and mark.encode() in sunk.content), None)


def copy_of(site: Failing, mark: str, who: str = JEAN) -> SunkMessage:
    """The copy of a living member."""
    found: list[SunkMessage] = []

    def came() -> bool:
        found[:] = [sunk for sunk in site.to(who) if sunk.sender and mark.encode() in sunk.content]
        return bool(found)

    site.whole.until(came, f"{mark} for {who}")
    return found[0]


def path_of(site: Failing, name: str, mark: str) -> str:
    """The return path of a message to a group, as its member's server sees it."""
    site.send(STRANGER, [address(name)], message(mark, STRANGER))
    return copy_of(site, mark).sender


@pytest.mark.parametrize("login", ["bob", ""], ids=["insider", "stranger"])
@pytest.mark.parametrize("way", WAYS)
def test_where_reports_go(site: Failing, way: str, login: str) -> None:
    site.whole.ledger.bounces.resume(dead(way), DESK, int(time.time()))
    mark, sender = identity(), BOB if login else STRANGER
    before = len(site.failures(dead(way)))
    site.send(sender, [address(way)], message(mark, sender), login=login)
    path = copy_of(site, mark).sender
    to_owner = way == "owner" or (way == "auto" and not login)
    to_sender = way == "sender" or (way == "auto" and bool(login))
    if to_owner:
        site.counted(dead(way), before + 1)
    site.still()
    assert path.startswith("bounce+") is to_owner
    report = report_to(site, sender, mark)
    assert (report is not None) is to_sender
    assert len(site.failures(dead(way))) == before + to_owner
    if report is not None:
        assert f"Final-Recipient: rfc822; {dead(way)}".encode() in report.content
    if way == "nobody":
        assert path == sender


def test_an_outsiders_message_to_others_too_leaves_members_reporting_to_nobody(site: Failing) -> None:
    mark, number = identity(), len(site.failures(dead("auto")))
    site.send(STRANGER, [address("auto"), PIERRE], message(mark, STRANGER))
    copy = copy_of(site, mark)
    assert copy.sender == STRANGER
    assert ["NOTIFY=NEVER" in one.parameters for one in copy.recipients if one.address == JEAN] == [True]
    site.still()
    assert report_to(site, STRANGER, mark) is None
    assert len(site.failures(dead("auto"))) == number


def test_a_failure_is_counted_kept_and_suspends(site: Failing) -> None:
    mark, kept = identity(), site.reports()
    site.send(BOB, [address("dying")], message(mark, BOB), login="bob")
    (failure,) = site.counted(dead("dying"))
    assert (failure.group_address, failure.status, failure.cause) == (address("dying"), "5.1.1", "permanent")
    assert "no such user here" in failure.why
    site.whole.until(lambda: site.reports() == kept + 1, "the report is kept")
    assert dead("dying") in site.whole.ledger.bounces.suspended()
    tried: list[str] = []

    def left_out() -> bool:
        tried.append(identity())
        site.send(BOB, [address("dying")], message(tried[-1], BOB), login="bob")
        return f"to=<{dead('dying')}>" not in _log_of(site, tried[-1])

    site.whole.until(left_out, "the milter leaves him out")
    copy_of(site, tried[-1])
    # The failure of an attempt before would suspend him again.
    site.still()
    site.whole.ledger.bounces.resume(dead("dying"), DESK, int(time.time()))
    site.whole.until(lambda: not left_out(), "the milter knows him again")


def _log_of(site: Failing, mark: str) -> str:
    """Postfix's lines about a message, once it has left the queue; the last one of them comes after that."""
    found: list[str] = []

    def complete() -> bool:
        log = site.whole.installation.postfix.log()
        named = re.search(rf"([0-9A-F]{{8,}}): message-id=<{mark}@", log)
        found[:] = [line for line in log.splitlines() if named and f" {named[1]}: " in line]
        return any(line.endswith(": removed") for line in found)

    site.whole.until(complete, f"the end of {mark} in Postfix's log")
    site.whole.installation.settle()
    return "\n".join(found)


def test_a_group_of_suspended_members_gets_its_mail_after_all(site: Failing) -> None:
    for number in (1, 2):
        site.send(BOB, [address("lonely")], message(identity(), BOB), login="bob")
        site.counted(dead("lonely"), number)
        assert dead("lonely") in site.whole.ledger.bounces.suspended()


def test_nobody_of_the_organisation_is_suspended(site: Failing) -> None:
    site.whole.installation.sink.replies[PIERRE] = GONE
    try:
        site.send(BOB, [address("insiders")], message(identity(), BOB), login="bob")
        site.counted(PIERRE)
        assert PIERRE not in site.whole.ledger.bounces.suspended()
    finally:
        del site.whole.installation.sink.replies[PIERRE]


def test_what_comes_late_is_no_failure(site: Failing) -> None:
    replies, mark = site.whole.installation.sink.replies, identity()
    replies[dead("late")] = LATE
    site.send(BOB, [address("late")], message(mark, BOB), login="bob")
    copy_of(site, mark)
    del replies[dead("late")]
    copy_of(site, mark, dead("late"))
    site.still()
    assert site.failures(dead("late")) == ()


def arrive(site: Failing, path: str, content: bytes, sender: str = "") -> None:
    """Let somebody's server write to a bounce address."""
    with site.whole.installation.session() as session:
        replies = session.transaction(sender, [path], content.replace(b"\n", b"\r\n"))
    assert replies.accepted, replies


def test_another_servers_report_comes_in_and_counts_once(site: Failing) -> None:
    path = path_of(site, "far", identity())
    ticket = path.partition("+")[2].partition("@")[0]
    report = notification(ticket, [block(dead("far"))], received=OTHERS_RECEIVED).split(b"\n", 3)[3]
    for _ in range(3):
        arrive(site, path, report)
    site.counted(dead("far"))
    site.still()
    site.counted(dead("far"))
    forged = report.replace(dead("far").encode(), dead("answering").encode())
    arrive(site, path, forged)
    site.still()
    assert site.failures(dead("answering")) == (), "no member of that group"


def test_automatic_replies_to_a_bounce_address_go_no_further(site: Failing) -> None:
    mark = identity()
    path, kept = path_of(site, "owner", mark), site.reports()
    letter = (
        f"From: {JEAN}\nSubject: Absence : {mark}\nAuto-Submitted: auto-replied\n\nde retour lundi\n".encode()
    )
    arrive(site, path, letter)
    arrive(site, path, letter, JEAN)
    site.still()
    assert site.reports() == kept
    assert [sunk for sunk in site.to(STRANGER) if b"de retour lundi" in sunk.content] == []
    arrive(site, path, b"From: x@y.example\nSubject: hello\n\nI am a person.\n", "x@y.example")
    site.whole.until(lambda: site.reports() == kept + 1, "a person's words are kept")


def test_a_bounce_address_that_is_none_of_ours_takes_nothing(site: Failing) -> None:
    path = path_of(site, "owner", identity())
    local, _, domain = path.partition("@")
    other = "a" if local[20] != "a" else "b"
    for forged in (f"{local[:20]}{other}{local[21:]}@{domain}", f"bounce+@{domain}", f"bounce@{domain}"):
        with site.whole.installation.session() as session:
            session.mail("")
            assert session.rcpt(forged).code == 550


def test_nobody_is_told_by_letter_before_the_week_is_over_and_nothing_surprised(site: Failing) -> None:
    site.still()
    letters = [
        email.message_from_bytes(sunk.content, policy=email.policy.default)["Subject"]
        for sunk in site.whole.installation.sink.messages
        if b"did not arrive" in sunk.content
    ]
    assert letters == []
    assert site.whole.installation.service.surprises() == []
