"""The service domain: nobody outside reaches the hold mailbox by its address, except a report with a valid ticket."""

from __future__ import annotations

import time

import pytest
from tests.support.installation import Installation, delivered_to, recipients
from tests.support.office import ALICE, COMMERCIAL, CONTACT, JEAN, identity, message

from groupmilter.groups.ticket import Kind, Ticket, seal

DOMAIN = "groups.masociete.example"
FORGED = "eqanmbr5fehkqdbkqujxob7rzstguaaaaaaaaaaa64hseux6ju2ij7rfaqm"
STRANGER = "x@outside.example"


def bounce(site: Installation, kind: Kind = Kind.BOUNCE) -> str:
    return seal(Ticket(kind, int(time.time()), 7, 1234), site.service.keys)


@pytest.mark.parametrize("login", ["", "alice"])
@pytest.mark.parametrize(
    "local", ["hold", "hold+garbage", f"hold+{FORGED}", f"HOLD+{FORGED.upper()}", "unprocessed", "release",
              f"bounce+{FORGED}", "bounce", "postmaster", "approve+x", '"hold+garbage"', '""', '" "', r'"\""', '"a b"'],
)  # fmt: skip
def test_a_client_is_refused(site: Installation, local: str, login: str) -> None:
    sent = site.send(ALICE if login else STRANGER, [f"{local}@{DOMAIN}"], message(identity()), login=login)
    assert sent.recipients[0].code == 550
    site.settle()
    assert site.held() == []


@pytest.mark.parametrize(
    "form",
    ["@relay.example:hold+x@{}", "hold+x%{0}@{0}", "{0}!hold+x@{0}", "HOLD+x@{}.", '"hold+x@groups"@{}'],
)
def test_no_spelling_gets_past(site: Installation, form: str) -> None:
    sent = site.send(STRANGER, [form.format(DOMAIN)], message(identity()))
    assert sent.recipients[0].code in (550, 554)
    site.settle()
    assert site.held() == []


def test_a_ticket_of_ours_that_is_no_bounce_ticket_opens_nothing(site: Installation) -> None:
    ticket = bounce(site, Kind.HOLD)
    for local in (f"hold+{ticket}", f"bounce+{ticket}"):
        assert site.send("", [f"{local}@{DOMAIN}"], message(identity())).recipients[0].code == 550
    site.settle()
    assert site.held() == []


@pytest.mark.parametrize("sender", ["", "mailer-daemon@outside.example"])
def test_a_report_to_a_bounce_ticket_of_ours_is_taken(site: Installation, sender: str) -> None:
    address = f"bounce+{bounce(site)}@{DOMAIN}"
    assert site.send(sender, [address], message(identity(), "mailer-daemon@outside.example")).accepted
    site.settle()
    assert [delivered_to(held) for held in site.held()] == [address]


def test_a_bounce_ticket_in_capitals_is_the_same(site: Installation) -> None:
    address = f"BOUNCE+{bounce(site).upper()}@{DOMAIN.upper()}"
    assert site.send("", [address], message(identity(), "mailer-daemon@outside.example")).accepted
    site.settle()
    assert len(site.held()) == 1


def test_a_report_can_not_be_for_a_group_as_well(site: Installation) -> None:
    mark = identity()
    address = f"bounce+{bounce(site)}@{DOMAIN}"
    sent = site.send("", [address, CONTACT], message(mark, "mailer-daemon@outside.example"))
    assert [reply.code for reply in sent.recipients] == [250, 550]
    site.settle()
    assert site.delivered(mark) == []


def test_local_submission_is_refused_too(site: Installation) -> None:
    mark = identity()
    site.postfix.sendmail([f"hold+garbage@{DOMAIN}"], message(mark, JEAN), "-f", JEAN)
    site.settle()
    assert site.held() == []
    assert len(site.reports(mark)) == 1


def test_what_the_milter_holds_is_held_under_a_ticket_that_opens(site: Installation) -> None:
    mark = identity()
    assert site.send(STRANGER, [COMMERCIAL], message(mark)).accepted
    site.settle()
    [held] = site.held()
    replayed = delivered_to(held)
    assert site.send(STRANGER, [replayed], message(identity())).recipients[0].code == 550
    assert recipients(site.sink.messages) == []
