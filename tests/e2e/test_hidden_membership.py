"""Case 54: whatever a sender asks for and whatever members' servers and programs do, no hidden member is ever named.

Through real Postfix: dead members, late ones, out-of-office replies, receipts, NOTIFY=SUCCESS,DELAY, mixed
transactions, groups inside, held mail, each of the four ways of `dgBouncesTo`. The sender's whole view (every reply to
him, every octet that came to him) is searched, and so is each member's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes

import pytest
from tests.moderation.bounce_reports import OTHERS_RECEIVED, block, notification
from tests.support.failing import GONE, LATE, Failing, failing
from tests.support.office import BOB, GROUPS, PEOPLE, PIERRE, group, identity, member, message
from tests.support.sink import SunkMessage

from groupmilter.groups.ticket import Kind
from groupmilter.moderation.item import State
from groupmilter.policy.veiling import RECEIPTS

WAYS = ("auto", "sender", "owner", "nobody")
STRANGER = "stranger@elsewhere.example"
WORLD, HIDDEN = "dgRequireAuthentication: FALSE", "dgHiddenMembers: TRUE"
LIVING, DEAD, SLOW, ABSENT = (f"{name}@veiled.example" for name in ("living", "dead", "slow", "absent"))
VEILED = (LIVING, DEAD, SLOW, ABSENT)
SECRETS = tuple(f"dgMemberAddress: {one}" for one in VEILED)
BODY = b"nothing to see here\r\n" * 20


def address(name: str) -> str:
    return f"{name}@masociete.example"


EXTRA = "".join(
    (
        *(group(f"veil-{way}", WORLD, HIDDEN, f"dgBouncesTo: {way}", *member("bob"), *SECRETS) for way in WAYS),
        group("inner", WORLD, HIDDEN, *member("bob"), *SECRETS),
        group("outer", WORLD, "dgBouncesTo: sender", f"member: cn=inner,{GROUPS}", *member("pierre")),
        group("held", WORLD, HIDDEN, "dgModerated: TRUE", f"dgModerator: uid=jean,{PEOPLE}", *member("bob"), *SECRETS),
        group("talking", WORLD, HIDDEN, "dgAutoReplies: TRUE", *member("bob"), *SECRETS),
    )
)  # fmt: skip
MAIN = {
    # The sender may ask for whatever reports there are, and hears of a delay at once.
    "smtpd_discard_ehlo_keywords": "",
    "smtpd_discard_ehlo_keyword_address_maps": "",
    "delay_warning_time": "1s",
}
ASKING = (
    *(f"{name}: <{STRANGER}>".encode() for name in RECEIPTS),
    b"DISPOSITION-notification-TO :\r\n\t<second@elsewhere.example>",
    b"X-Auto-Response-Suppress: None",
    b"Precedence: special-delivery",
)


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Failing]:
    with failing(EXTRA, policy="bounces: {suspend: false}\n", main=MAIN) as made:
        made.whole.installation.sink.replies[DEAD] = GONE
        yield made


def search(view: bytes, allowed: Sequence[str] = ()) -> list[str]:
    """The hidden members whom something names."""
    return [one for one in (*VEILED, BOB) if one not in allowed and one.encode() in view.lower()]


def octets(sunk: SunkMessage) -> bytes:
    """All that a recipient's server sees, but for who the recipients are: that is what it is told them for."""
    parameters = [*sunk.sender_parameters, *(word for one in sunk.recipients for word in one.parameters)]
    return b"\n".join((sunk.sender.encode(), " ".join(parameters).encode(), sunk.content))


def sent(site: Failing, to: Sequence[str], sender: str, mark: str, *fields: bytes) -> bytes:
    """Send a message that asks for all there is; return what the sender was answered."""
    replies = site.send(
        sender, to, message(mark, sender, b"Subject: who are you?", *fields, body=BODY), "RET=FULL",
        f"ENVID={mark}", login="bob" if sender == BOB else "", notify="SUCCESS,FAILURE,DELAY",
    )  # fmt: skip
    return "\n".join(replies).encode()


def copy_for(site: Failing, who: str, mark: str) -> SunkMessage:
    """The copy of a member."""
    found: list[SunkMessage] = []

    def came() -> bool:
        found[:] = [sunk for sunk in site.to(who) if sunk.sender and mark.encode() in sunk.content]
        return bool(found)

    site.whole.until(came, f"{mark} for {who}")
    return found[0]


def answer_all(site: Failing, mark: str) -> None:
    """Let a member's program and a member's server answer as such do: to the return path."""
    copy = copy_for(site, ABSENT, mark)
    away = f"From: {ABSENT}\r\nSubject: Out of office: {mark}\r\nAuto-Submitted: auto-replied\r\n\r\naway\r\n"
    report = notification("x", [block(ABSENT)], received=OTHERS_RECEIVED).split(b"\n", 3)[3]
    for content in (away.encode(), report.replace(b"\n", b"\r\n")):
        with site.whole.installation.session() as session:
            assert session.transaction("", [copy.sender], content).accepted


def after_all(site: Failing, mark: str, number: int) -> None:
    """Let every member's server do what it does, until nothing is left."""
    copy_for(site, LIVING, mark)
    answer_all(site, mark)
    site.counted(DEAD, number + 1)
    site.still()


@pytest.fixture
def slow(site: Failing) -> Iterator[None]:
    """One member's server that is late until the delay has been reported."""
    replies = site.whole.installation.sink.replies
    replies[SLOW] = LATE
    yield
    replies.pop(SLOW, None)


def delayed(site: Failing, mark: str) -> None:
    """Return once the delay was reported to wherever such reports go, and let the late copy through."""
    log = site.whole.installation.postfix.log
    copy_for(site, LIVING, mark)
    site.whole.until(lambda: _delay_told(log(), mark), f"a report of the delay of {mark}")
    site.whole.installation.sink.replies.pop(SLOW, None)


def _delay_told(log: str, mark: str) -> bool:
    ids = re.findall(rf"([0-9A-F]{{8,}}): message-id=<{mark}@", log)
    return any(f"{one}: sender delay notification" in log for one in ids)


def seen_by(site: Failing, who: str, since: int) -> list[SunkMessage]:
    """Everything that came to somebody since."""
    return [sunk for sunk in site.whole.installation.sink.messages[since:] if who in sunk.addresses]


def nothing_is_named(site: Failing, sender: str, answers: bytes, since: int) -> None:
    """Search the sender's whole view, and that of each member who lives."""
    view = b"\n".join((answers, *map(octets, seen_by(site, sender, since))))
    assert search(view, (sender,)) == []
    for one in (LIVING, SLOW, ABSENT, PIERRE, BOB):
        for sunk in seen_by(site, one, since):
            assert search(octets(sunk), (one, sender)) == [], (one, sunk)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("sender", [BOB, STRANGER], ids=["insider", "stranger"])
@pytest.mark.parametrize(
    "others", [(), (PIERRE,), (address("outer"), PIERRE)], ids=["alone", "beside", "mixed"]
)
@pytest.mark.parametrize("way", WAYS)
def test_whatever_the_group_says_of_bounces(
    site: Failing, way: str, others: tuple[str, ...], sender: str
) -> None:
    mark, since = identity(), len(site.whole.installation.sink.messages)
    number = len(site.failures(DEAD))
    answers = sent(site, [address(f"veil-{way}"), *others], sender, mark, *ASKING)
    delayed(site, mark)
    after_all(site, mark, number)
    nothing_is_named(site, sender, answers, since)
    copy = copy_for(site, LIVING, mark)
    assert copy.sender.startswith("bounce+"), "reports reach the desk"
    nobody_is_asked(copy)
    # Of others he may hear: he asked for reports about those whom he addressed himself.
    told = [sunk for sunk in seen_by(site, sender, since) if not sunk.sender]
    assert others or not told


def nobody_is_asked(copy: SunkMessage) -> None:
    """No receipt is asked for, and no program may answer."""
    header = message_from_bytes(copy.content)
    assert [name for name in RECEIPTS if header.get_all(name)] == []
    assert header.get_all("X-Auto-Response-Suppress") == ["DR, RN, NRN, OOF, AutoReply"]
    assert header.get_all("Precedence") == ["list"]


@pytest.mark.usefixtures("slow")
def test_a_group_inside_whose_members_are_hidden(site: Failing) -> None:
    mark, since, number = identity(), len(site.whole.installation.sink.messages), len(site.failures(DEAD))
    answers = sent(site, [address("outer")], STRANGER, mark, *ASKING)
    delayed(site, mark)
    after_all(site, mark, number)
    nothing_is_named(site, STRANGER, answers, since)
    nobody_is_asked(copy_for(site, PIERRE, mark))
    (failure, *_) = site.failures(DEAD)
    assert failure.group_address == address("inner"), "the owners of what contains it are not told either"


def test_held_mail_that_is_released(site: Failing) -> None:
    mark, since, number = identity(), len(site.whole.installation.sink.messages), len(site.failures(DEAD))
    answers = sent(site, [address("held"), address("veil-auto")], STRANGER, mark, *ASKING)
    site.whole.until(
        lambda: any(i.arrival.kind is Kind.HOLD and i.state is State.HELD for i in site.whole.items(mark)),
        "held",
    )
    copy_for(site, LIVING, mark)
    site.counted(DEAD, number + 1)
    item = next(i for i in site.whole.items(mark) if i.arrival.kind is Kind.HOLD)
    site.whole.decide(item)
    site.whole.ended(item)
    site.counted(DEAD, number + 2)
    site.still()
    nothing_is_named(site, STRANGER, answers, since)
    copies = [sunk for sunk in site.to(LIVING) if sunk.sender and mark.encode() in sunk.content]
    assert len(copies) == 2
    for copy in copies:
        nobody_is_asked(copy)


def test_a_group_that_lets_programs_answer_does_not_while_its_members_are_hidden(site: Failing) -> None:
    mark = identity()
    sent(site, [address("talking")], STRANGER, mark, *ASKING)
    nobody_is_asked(copy_for(site, LIVING, mark))


def test_questions_about_members_are_answered_by_nobody(site: Failing) -> None:
    asked = ("VRFY veil-auto@masociete.example", "EXPN veil-auto@masociete.example", f"VRFY {LIVING}")
    with site.whole.installation.session() as session:
        answers = [str(session.command(one)) for one in asked[:2]]
        first = str(session.command(asked[2]))
    assert search("\n".join(answers).encode()) == []
    assert "veil" not in first.replace(LIVING, "")


def test_a_refusal_names_nobody(site: Failing) -> None:
    with site.whole.installation.session() as session:
        replies = [session.mail(STRANGER, "SIZE=90000000"), session.rcpt(address("veil-owner"))]
        replies += [
            session.mail(STRANGER),
            session.rcpt(address("veil-owner+x")),
            session.rcpt(address("veil-no")),
        ]
    assert search("\n".join(map(str, replies)).encode()) == []


def test_in_the_end_nothing_surprised(site: Failing) -> None:
    site.still()
    assert site.whole.installation.service.surprises() == []
