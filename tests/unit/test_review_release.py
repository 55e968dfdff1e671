"""Found in review: what the milter makes of a message that the desk brings back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.support.letters import KEYS, NOON, SERVICE, Office, added

from groupmilter.authentication.identity import Connection
from groupmilter.bootstrap.dividing import Dividing
from groupmilter.groups.directory import DirectoryMoved
from groupmilter.groups.ticket import Kind, Ticket, digest, seal
from groupmilter.mail.address import Address
from groupmilter.mail.content import ContentDigest
from groupmilter.moderation.item import Arrival
from groupmilter.mta.collector import Collector
from groupmilter.mta.site import ReleaseDoor
from groupmilter.policy.disposition import Deferred, Refused
from groupmilter.policy.facts import Batch
from groupmilter.policy.plan import Mint, plan
from groupmilter.policy.rules import storm_count

Fields = Sequence[tuple[str, bytes]]
DESK = Connection("127.0.0.1", "desk", "release")


def collector(office: Office) -> Collector:
    site = replace(office.site, release=ReleaseDoor("release", "desk", lambda _: Batch()))
    return Collector(site, DESK, Address("<x@out.example>", "x@out.example"))


def brought_back(office: Office, group: str, fields: Fields) -> list[str]:
    """Whom a released message with these header fields goes to; it has to be taken."""
    found = office.paper.find(group)
    assert found is not None
    taking = ContentDigest()
    for name, value in fields:
        taking.field(name.encode(), value)
    made = Ticket(Kind.RELEASE, int(NOON.timestamp()), 1, digest(found.uuid))
    bringing = collector(office)
    verdict = bringing.recipient(f"<release@{SERVICE}>", orcpt=seal(made, KEYS, taking.digest()))
    assert not isinstance(verdict.disposition, Refused | Deferred)
    bringing.accept(verdict.recipient)
    for name, value in fields:
        bringing.header(name, value)
    facts, decision = bringing.end()
    assert decision.answer is None, decision.answer
    return added(plan(decision, facts, office.settings, Mint(KEYS, 1, 1)))


@pytest.mark.parametrize("client", ["192.0.2.1", ""], ids=["SMTP", "local submission"])
def test_a_token_that_opens_nothing_leaves_one_audit_row_a_message(client: str) -> None:
    office, rows = Office(), list[str]()
    office.group("contact", "y@out.example")
    site = replace(office.site, audit=lambda what, *_: rows.append(what))
    answering = Collector(site, Connection(client), Address("<x@out.example>", "x@out.example"))
    # The directory moves once, so that the question is put twice.
    office.failing = [DirectoryMoved("changed")]
    for recipient in (f"approve+forged@{SERVICE}", "contact@own.example"):
        answering.accept(answering.recipient(f"<{recipient}>").recipient)
    answering.header("From", b"x@out.example")
    answering.end()
    assert rows == ["token-forged"]


def test_a_storm_of_other_mail_stops_no_approved_message_at_a_group_inside() -> None:
    """It counted when it came; held once more, members of a split copy's other transactions would get it twice."""
    office = Office()
    inner = office.group("inner", "i@out.example")
    office.group("outer", inner, "o@out.example", moderated=True)
    office.counts = {storm_count(inner, office.settings.storm): 10_000}
    assert office.letter("x@out.example").to("outer@own.example").answered() == "", "held"
    back = [("From", b"x@out.example")]
    assert brought_back(office, "outer@own.example", back) == ["o@out.example", "i@out.example"]
    office.counts = None
    assert brought_back(office, "outer@own.example", back) == ["o@out.example", "i@out.example"]


def test_a_header_that_was_just_short_enough_still_is_when_it_comes_back() -> None:
    office = Office()
    office.group("contact", "y@out.example", moderated=True)
    letter = office.letter("x@out.example").to("contact@own.example")
    assert letter.answered(x_one=["1"] * 999) == "", "with From a thousand fields"
    # On its way through the MTA it gets a Received field, and what a policy tags it with.
    back = [("From", b"x@out.example"), *[("X-One", b"1")] * 999, ("Received", b"from x by y")]
    assert brought_back(office, "contact@own.example", back) == ["y@out.example"]
    octets = "".join(f"{name}: {value.decode()}\n" for name, value in back).encode() + b"\nBonjour\n"
    group = office.paper.find("contact@own.example")
    assert group is not None
    arrival = Arrival(
        ticket="", content="", file="", kind=Kind.SPLIT, group=digest(group.uuid), return_path="x@out.example"
    )
    ((member,),) = Dividing(office.site)(arrival, octets, ())
    assert member.address == "y@out.example"
