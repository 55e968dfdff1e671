"""The desk's other two tickets, through real Postfix: copies with transactions of their own, and reports to senders."""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage

import pytest
from tests.support.installation import Installation, installation, recipients
from tests.support.office import (
    BOB,
    COMMERCIAL,
    JEAN,
    MORE,
    OFFICE,
    PIERRE,
    PLACEHOLDER,
    group,
    identity,
    member,
    message,
)
from tests.support.service import Service
from tests.support.sink import SunkMessage

from groupmilter.groups.ticket import Kind
from groupmilter.moderation.item import DESK, Event, Item, State
from groupmilter.moderation.ledger import Ledger

SECRET, SMALL, OUTER, WIDE = (f"{n}@masociete.example" for n in ("secret", "petit", "englobant", "large"))
VEILED = "voile@masociete.example"
MANY = "nombreux@masociete.example"
MANY_SIZE = 700
EXTRA = "".join(
    (
        group("petit", "dgRequireAuthentication: FALSE", "dgMaxMessageSize: 400", *member("alice")),
        group("englobant", PLACEHOLDER, "member: cn=petit,ou=groups,dc=masociete,dc=example", *member("pierre")),
        group("large", "dgRequireAuthentication: FALSE", "member: cn=petit,ou=groups,dc=masociete,dc=example",
              *member("pierre")),
        group("voile", "dgHiddenMembers: TRUE", "member: cn=commercial,ou=groups,dc=masociete,dc=example",
              *member("alice")),
        group("nombreux", *member("jean"), *(f"dgMemberAddress: n{n:04}@crowd.example" for n in range(MANY_SIZE))),
    )
)  # fmt: skip
BODY = b"a line of text\r\n" * 50
DEADLINE = 150.0


@dataclass
class Site:
    """An installation, and the ledger of its desk."""

    whole: Installation

    @property
    def ledger(self) -> Ledger:
        return Ledger.open(f"sqlite:///{self.whole.service.folder}/state.db", timeout=30.0)

    def until(self, question: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not question():
            assert time.monotonic() < deadline, f"{what}\n{self.whole.service.log()[-6000:]}"
            time.sleep(0.05)

    def items(self, mark: str) -> tuple[Item, ...]:
        ledger = self.ledger
        try:
            return ledger.find(message_id=f"<{mark}@test.example>")
        finally:
            ledger.close()

    def wait(self, mark: str, kind: Kind, state: State) -> Item:
        def found() -> list[Item]:
            return [i for i in self.items(mark) if i.arrival.kind is kind and i.state is state]

        self.until(found, f"{kind.name} {state.value}")
        return found()[0]

    def copies(self, mark: str) -> list[SunkMessage]:
        """What arrived of the message itself: letters about it have no return path."""
        return [m for m in self.whole.delivered(mark) if not m.told]

    def reports(self, mark: str) -> list[SunkMessage]:
        return self.whole.reports(mark)


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("office")
    folder.chmod(0o755)
    directory = folder / "office.ldif"
    directory.write_text(OFFICE.read_text("utf-8") + "\n" + MORE + EXTRA, "utf-8")
    policy = folder / "small.yaml"
    policy.write_text("bounds: {in_place: 250}\n", "utf-8")
    with (
        Service(f"ldif:{directory}", options={"policies": [str(policy)]}) as service,
        installation(service) as installed,
    ):
        yield Site(installed)


def test_one_transaction_ends_right_for_each(site: Site) -> None:
    mark = identity()
    to = [COMMERCIAL, SECRET, SMALL, PIERRE]
    sent = site.whole.send(BOB, to, message(mark, BOB, b"Subject: all four", body=BODY), login="bob")
    assert sent.accepted
    site.wait(mark, Kind.SPLIT, State.RELEASED)
    site.wait(mark, Kind.REFUSE, State.REPORTED)
    held = site.wait(mark, Kind.HOLD, State.HELD)
    site.until(lambda: len(recipients(site.copies(mark))) == 3, "the first copies")
    site.whole.settle()
    first = site.copies(mark)
    assert recipients(first) == [BOB, JEAN, PIERRE]
    paths = {address: copy.sender.partition("+")[0] for copy in first for address in copy.addresses}
    assert paths == {PIERRE: BOB, JEAN: "bounce", BOB: "bounce"}
    (report,) = site.reports(mark)
    is_report(report, BOB, SMALL, "5.2.3")
    ledger = site.ledger
    assert ledger.change(held.id, Event.APPROVE, DESK, int(time.time())).happened
    ledger.close()
    site.wait(mark, Kind.HOLD, State.RELEASED)
    site.until(lambda: len(recipients(site.copies(mark))) == 5, "the released copies")
    assert recipients(site.copies(mark)[len(first) :]) == [BOB, PIERRE]
    seen_by_bob = b"".join(m.content for m in site.whole.sink.messages if BOB in m.addresses)
    assert JEAN.encode() not in seen_by_bob, "a hidden member"
    assert b"hold+" not in b"".join(m.content for m in site.whole.sink.messages)


def is_report(sunk: SunkMessage, to: str, group_address: str, status: str) -> None:
    """A delivery status notification (RFC 3464) to a sender about a group."""
    assert (sunk.sender, sunk.addresses) == ("", (to,))
    letter = email.message_from_bytes(sunk.content, policy=email.policy.default)
    assert isinstance(letter, EmailMessage)
    assert letter.get_content_type() == "multipart/report"
    assert letter["Auto-Submitted"].startswith("auto-")
    status_part = next(p for p in letter.walk() if p.get_content_type() == "message/delivery-status")
    recipient = list(status_part.iter_parts())[-1]
    assert recipient["Final-Recipient"] == f"rfc822; {group_address}"
    assert (recipient["Action"], recipient["Status"]) == ("failed", status)


def test_nobody_is_told_at_an_unproven_return_path_and_nobody_gets_it(site: Site) -> None:
    mark = identity()
    sent = site.whole.send("x@outside.example", [SMALL, JEAN], message(mark, body=BODY))
    assert [reply.code for reply in sent.recipients] == [250, 250]
    assert sent.end is not None
    assert str(sent.end).startswith(
        "550 5.7.1 petit@masociete.example does not take this message; nobody got it"
    )
    site.whole.settle()
    assert site.copies(mark) == site.reports(mark) == []


def test_a_group_inside_that_refuses_is_told_without_its_name(site: Site) -> None:
    mark = identity()
    assert site.whole.send(BOB, [OUTER], message(mark, BOB, body=BODY), login="bob").accepted
    site.wait(mark, Kind.REFUSE, State.REPORTED)
    site.until(lambda: site.reports(mark), "the report")
    (report,) = site.reports(mark)
    is_report(report, BOB, OUTER, "5.2.3")
    assert not re.search(rb"(?<!\.)" + SMALL.encode(), report.content)
    site.whole.settle()
    assert recipients(site.copies(mark)) == [PIERRE]


def test_an_outsiders_left_out_branch_has_an_audit_row(site: Site) -> None:
    mark = identity()
    sent = site.whole.send("x@outside.example", [WIDE], message(mark, body=BODY))
    assert sent.accepted
    ledger = site.ledger
    site.until(lambda: ledger.audit(action="left-out"), "an audit row")
    (row,) = ledger.audit(action="left-out")
    ledger.close()
    assert row.detail.startswith(f"{SMALL} inside {WIDE}: 552 5.2.3 ")
    assert (row.actor, row.origin) == ("x@outside.example", "203.0.113.9")
    assert site.items(mark) == (), "nobody is told"


def test_hidden_members_beside_a_moderated_group_inside(site: Site) -> None:
    mark = identity()
    assert site.whole.send(BOB, [VEILED], message(mark, BOB, body=BODY), login="bob").accepted
    site.wait(mark, Kind.SPLIT, State.RELEASED)
    inner = site.wait(mark, Kind.HOLD, State.HELD)
    assert inner.terms.group_address == COMMERCIAL
    site.until(lambda: site.copies(mark), "the copy of the member outside it")
    (copy,) = site.copies(mark)
    assert copy.sender.startswith("bounce+")
    assert recipients([copy]) == ["alice.martin@masociete.example"]


def test_a_large_group_goes_in_batches_each_member_once(site: Site) -> None:
    mark = identity()
    sent = site.whole.send(BOB, [MANY, JEAN], message(mark, BOB, body=BODY), login="bob")
    assert [reply.code for reply in sent.recipients] == [250, 250]
    item = site.wait(mark, Kind.SPLIT, State.RELEASED)
    site.until(lambda: len(recipients(site.copies(mark))) > MANY_SIZE, "all members")
    site.whole.settle()
    copies = Counter(recipients(site.copies(mark)))
    assert copies == {JEAN: 1} | {f"n{n:04}@crowd.example": 1 for n in range(MANY_SIZE)}
    ledger = site.ledger
    batches = ledger.releases.batches(item.id)
    ledger.close()
    assert [len(batch.members or ()) for batch in batches] == [250, 250, 200]
    assert all(batch.accepted for batch in batches)
    for copy in site.copies(mark):
        assert re.search(rb"^X-Groupmilter-Loop: ", copy.content, re.MULTILINE) or JEAN in copy.addresses


def test_nothing_surprising_was_logged(site: Site) -> None:
    site.whole.settle()
    assert site.whole.service.surprises() == []
