"""With a real Sendmail: held mail and its release, what happens while groupmilter is down, large and hidden groups.

The corpus is in `test_cases_sendmail.py`. Sendmail is set up as `groupmilter sendmail` prints it.
"""

from __future__ import annotations

import email
import email.policy
import json
import re
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest
from tests.support.installation import delivered_to, recipients
from tests.support.moderated import CALM
from tests.support.office import (
    ALICE,
    BOB,
    COMMERCIAL,
    CONTACT,
    JEAN,
    MORE,
    OFFICE,
    OPEN,
    PIERRE,
    PLACEHOLDER,
    group,
    identity,
    message,
)
from tests.support.sendmail_installation import PASSWORD, SendmailInstallation, sendmail_installation
from tests.support.service import DEADLINE, Service
from tests.support.serving import Serving
from tests.support.signing import Signer
from tests.support.sink import SunkMessage
from tests.support.slapd import Slapd
from tests.support.smtp_client import SmtpClient

from groupmilter.groups.ticket import Kind, unseal
from groupmilter.moderation.item import Event, Item, State, Way, Who

OUTSIDER = "x@outside.example"
SECRET, LARGE = "secret@masociete.example", "large@masociete.example"
LARGE_SIZE = 5_000
MODERATOR = Who(JEAN, Way.COMMAND)
_LARGE = group("large", PLACEHOLDER, *(f"dgMemberAddress: l{n:05d}@crowd.example" for n in range(LARGE_SIZE)))


@pytest.fixture(name="whole", scope="module")
def _whole() -> Iterator[SendmailInstallation]:
    with (
        Slapd(content=[OFFICE, MORE, _LARGE]) as slapd,
        Service(slapd.uri, options={"policies": [str(CALM)]}) as service,
        sendmail_installation(service, logins=("alice", "jean")) as site,
    ):
        yield site


@pytest.fixture(name="site")
def _site(whole: SendmailInstallation) -> Iterator[SendmailInstallation]:
    yield whole
    if not whole.service.running:
        whole.service.start()
    whole.settle()
    assert whole.service.surprises() == []


def until(site: SendmailInstallation, question: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + DEADLINE
    while not question():
        assert time.monotonic() < deadline, (
            f"{what}\n{site.service.log()[-3000:]}\n{site.sendmail.log()[-3000:]}"
        )
        time.sleep(0.05)


def item(site: SendmailInstallation, mark: str, state: State = State.HELD) -> Item:
    """The item of a mail, as soon as it is in a state."""
    with site.service.ledger() as ledger:
        found: list[Item] = []

        def there() -> bool:
            found[:] = [i for i in ledger.find(message_id=f"<{mark}@test.example>") if i.state is state]
            return bool(found)

        until(site, there, f"{mark} {state}")
        return found[0]


def copies(site: SendmailInstallation, mark: str, wanted: list[str]) -> list[SunkMessage]:
    """The copies of a mail, as soon as exactly these have one each and nothing is queued."""

    def now() -> list[SunkMessage]:
        return [copy for copy in site.delivered(mark) if not copy.told]

    until(site, lambda: len(recipients(now())) >= len(wanted), f"copies for {wanted}")
    site.settle()
    assert recipients(now()) == sorted(wanted)
    return now()


def test_held_asked_about_approved_by_mail_and_released(site: SendmailInstallation) -> None:
    mark = identity()
    assert site.send(OUTSIDER, [COMMERCIAL], message(mark)).accepted
    assert item(site, mark).terms.group_address == COMMERCIAL
    assert recipients(site.delivered(mark)) in ([], [JEAN])
    until(site, lambda: approval(site, mark), "a letter to the moderator")
    answer = f"From: {JEAN}\r\nSubject: Re\r\n\r\n\r\n".encode()
    assert site.send(JEAN, [approval(site, mark)], answer, login="jean").accepted
    item(site, mark, State.RELEASED)
    for copy in copies(site, mark, [BOB, PIERRE]):
        assert copy.sender == OUTSIDER or ticket(site, copy.sender) is Kind.BOUNCE
        head = copy.content.partition(b"\r\n\r\n")[0]
        assert b"Delivered-To" not in head
        assert b"hold+" not in head


def approval(site: SendmailInstallation, mark: str) -> str:
    """The address that approves, from the moderator's letter; empty where there is none yet."""
    letters = [m for m in site.sink.messages if JEAN in m.addresses and mark.encode() in m.content]
    if not letters:
        return ""
    made = email.message_from_bytes(letters[0].content, policy=email.policy.default)
    part = made.get_body(("plain",)) if isinstance(made, EmailMessage) else None
    found = re.search(
        r"^\s+(approve\+\S+)$", part.get_content().replace("\r", "") if part else "", re.MULTILINE
    )
    return found[1] if found else ""


def ticket(site: SendmailInstallation, address: str) -> Kind | None:
    """The kind of ticket that an address carries."""
    opened = unseal(address.rpartition("@")[0].partition("+")[2], site.service.keys)
    return opened.kind if opened else None


def test_what_is_released_still_bears_its_signature(site: SendmailInstallation) -> None:
    signer, mark = Signer(), identity()
    fields = (b"Subject: a\r\n\tb", b"To: commercial@masociete.example", b"X-Odd:  1 ")
    signed = signer.sign(message(mark, "client@outside.example", *fields), (b"simple", b"simple"))
    assert site.send("client@outside.example", [COMMERCIAL, ALICE], signed).accepted
    held = item(site, mark)
    with site.service.ledger() as ledger:
        assert ledger.change(held.id, Event.APPROVE, MODERATOR, int(time.time())).happened
    item(site, mark, State.RELEASED)
    for copy in copies(site, mark, [ALICE, BOB, PIERRE]):
        assert signer.holds(copy.content[copy.content.index(b"DKIM-Signature") :])


def test_nobody_but_the_desk_opens_the_release_listener(site: SendmailInstallation) -> None:
    with SmtpClient(site.service.release_port) as session:
        session.ehlo()
        assert session.mail(ALICE).code == 530
    with SmtpClient(site.service.release_port) as session:
        session.ehlo()
        assert session.login("alice", PASSWORD).code == 235
        assert session.mail(ALICE).code == 250
        assert session.rcpt("release@groups.masociete.example").code == 550


def test_stopped_everybody_is_told_to_try_again_and_nothing_is_lost_or_comes_twice(
    site: SendmailInstallation,
) -> None:
    site.service.stop()
    marks = [identity() for _ in range(3)]
    to = (JEAN, OPEN, COMMERCIAL)
    for mark, recipient in zip(marks, to, strict=True):
        assert tried(site, recipient, mark).startswith("451 4.")
    local = identity()
    site.sendmail.sendmail([OPEN], message(local, ALICE).replace(b"\r\n", b"\n"), "-f", ALICE)
    assert site.sendmail.queue()
    site.service.start()
    for mark, recipient in zip(marks, to, strict=True):
        assert tried(site, recipient, mark).startswith("250 ")
    copies(site, marks[0], [JEAN])
    copies(site, marks[1], [BOB, JEAN])
    item(site, marks[2])
    site.settle()
    copies(site, local, [BOB, JEAN])


def tried(site: SendmailInstallation, recipient: str, mark: str) -> str:
    """Write as an outsider; return the reply that decides."""
    with site.session() as session:
        sent = session.transaction(OUTSIDER, [recipient], message(mark))
    return str(sent.end or [sent.mail, *sent.recipients][-1])


def test_taken_out_persons_get_their_mail_and_groups_wait(site: SendmailInstallation) -> None:
    printed = site.sendmail.printed
    site.service.stop()
    site.sendmail.configure([line for line in printed if not line.startswith("INPUT_MAIL_FILTER")])
    site.sendmail.restart()
    mark, local = identity(), identity()
    try:
        assert site.send(OUTSIDER, [JEAN, CONTACT, "Ouvert+x@Masociete.Example"], message(mark)).accepted
        site.submit(ALICE, [COMMERCIAL], message(local, ALICE))
        site.settle()
        assert recipients(site.delivered(mark)) == [JEAN]
        assert site.delivered(local) == []
        held = [delivered_to(one) for one in site.held() if mark.encode() in one or local.encode() in one]
        assert sorted(held) == sorted([CONTACT, COMMERCIAL, "ouvert+x@masociete.example"])
    finally:
        site.sendmail.configure(printed)
        site.sendmail.restart()
        site.service.start()
    shunted = item(site, local, State.SHUNTED)
    assert shunted.arrival.recipient == COMMERCIAL


def test_a_hold_mailbox_that_cannot_be_written_keeps_mail_in_the_queue(site: SendmailInstallation) -> None:
    folder, aside = site.service.hold / "tmp", site.service.hold / "aside"
    mark = identity()
    folder.rename(aside)
    folder.touch()
    try:
        assert site.send(OUTSIDER, [COMMERCIAL], message(mark)).accepted
        site.sendmail.wait(lambda: "451 4.3.0" in site.sendmail.log(), "a first attempt")
        assert site.sendmail.queue()
    finally:
        folder.unlink()
        aside.rename(folder)
    item(site, mark)


def test_five_thousand_members_each_once(site: SendmailInstallation) -> None:
    mark = identity()
    assert site.send(ALICE, [LARGE], message(mark, ALICE), login="alice").accepted
    copies(site, mark, [f"l{n:05d}@crowd.example" for n in range(LARGE_SIZE)])


def test_hidden_members_stay_hidden(site: SendmailInstallation) -> None:
    mark = identity()
    assert site.send(ALICE, [SECRET], message(mark, ALICE), login="alice").accepted
    for copy in copies(site, mark, [BOB, JEAN]):
        assert ticket(site, copy.sender) is Kind.BOUNCE
        # As words: a ticket's letters may spell a name.
        assert not re.search(rb"\b(?:jean|bob)\b", copy.content, re.IGNORECASE)


def test_a_members_failure_goes_to_the_hold_mailbox_and_not_to_the_sender(site: SendmailInstallation) -> None:
    mark = identity()
    site.sink.replies[BOB] = "550 5.1.1 no such person"
    try:
        assert site.send(ALICE, [SECRET], message(mark, ALICE), login="alice").accepted
        site.settle()
    finally:
        site.sink.replies.clear()
    assert site.reports(mark) == []
    assert any(mark.encode() in one and delivered_to(one).startswith("bounce+") for one in site.held())


def test_check_finds_nothing_to_mend_in_what_m4_has_made(site: SendmailInstallation) -> None:
    made = str(site.sendmail.layout.made("sendmail"))
    ran = Serving(site.service.folder, "", site.service.control).run(
        "--json", "check", "--no-dns", "--sendmail-cf", made
    )
    said = [one for one in json.loads(ran.stdout)["checks"] if one["area"] == "sendmail"]
    assert len(said) >= 3
    assert {one["level"] for one in said} == {"ok"}


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n"]
)
def test_no_second_message_is_smuggled_inside_a_first_one(site: SendmailInstallation, end: bytes) -> None:
    inner = identity()
    smuggled = f"MAIL FROM:<{ALICE}>\r\nRCPT TO:<{CONTACT}>\r\nDATA\r\n".encode() + message(inner, ALICE)
    with site.session(login="alice") as session:
        session.mail(ALICE)
        session.rcpt(PIERRE)
        session.command("DATA")
        session.send(message(identity(), ALICE, body=b"first" + end + smuggled) + b"\r\n.\r\n")
        assert session.reply().code in (250, 421)
    site.settle()
    assert all(copy.addresses == (PIERRE,) for copy in site.delivered(inner))
