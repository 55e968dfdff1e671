"""Doors by SMTP: odd addresses of a local domain, questions about addresses, claims of a client, service addresses.

The installation is one of those where the organisation's domain is Postfix's own (`mydestination`), old address forms
are read as Postfix reads them by default, and nobody may use XCLIENT. A closed group stays closed, a moderated one
holds, and nobody learns who is in one that hides it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.installation import INSIDER, OUTSIDER, Installation, delivered_to, installation, recipients
from tests.support.office import (
    ALICE,
    BOB,
    CLOSED,
    COMMERCIAL,
    CONTACT,
    JEAN,
    MORE,
    OFFICE,
    OPEN,
    PIERRE,
    identity,
    message,
)
from tests.support.service import Service
from tests.support.serving import Serving
from tests.support.slapd import Slapd
from tests.support.smtp_client import SmtpClient

from groupmilter.groups.ticket import Kind, Ticket, seal

HOST = "mx.masociete.example"
DOMAIN = "masociete.example"
SERVICE = "groups.masociete.example"
HIDDEN = "secret@masociete.example"
STRANGER = "x@outside.example"
KEEPER = "administrator@masociete.example"
NETWORKS = {"networks": [{"net": "192.0.2.0/24", "speaks_for": [DOMAIN], "rights": "person"}]}
OWN = {"mydestination": f"{DOMAIN}, {HOST}, localhost", "relay_domains": SERVICE}


@pytest.fixture(scope="module")
def whole() -> Iterator[Installation]:
    with (
        Slapd(content=[OFFICE, MORE]) as slapd,
        Service(slapd.uri, desk=False, options=NETWORKS) as service,
        installation(service, main=OWN) as site,
    ):
        yield site


@contextmanager
def set_to(site: Installation, settings: dict[str, str]) -> Iterator[None]:
    before = {name: site.postfix.postconf(name) for name in settings}
    site.postfix.edit(settings)
    site.postfix.restart()
    try:
        yield
    finally:
        site.postfix.edit(before)
        site.postfix.restart()


# addresses

FORMS = (
    "{0}%masociete.example@masociete.example",
    "{0}%masociete.example@mx.masociete.example",
    "{0}%masociete.example@[127.0.0.1]",
    "{0}%masociete.example",
    "masociete.example!{0}",
    "masociete.example!{0}@mx.masociete.example",
    "mx.masociete.example!masociete.example!{0}",
    "mx.masociete.example!{0}%masociete.example",
    '"{0}@masociete.example"',
    '"{0}@masociete.example"@masociete.example',
    '"{0}%masociete.example"@mx.masociete.example',
    '"{0}"@masociete.example',
    '"\\{0}"@masociete.example',
    "{0}@masociete.example.",
    "{0}@MASOCIETE.EXAMPLE",
    "{0}@masociete.example (nobody)",
    "{0}+anything@masociete.example",
    "{0}+join@masociete.example",
    "{0}",
    "@mx.masociete.example:{0}@masociete.example",
    "@mx.masociete.example,@[127.0.0.1]:{0}@masociete.example",
    "{0}@127.0.0.1",
    "{0}@xn--masociete-.example",
    "{0}@masociete。example",
)  # fmt: skip
OTHER_MAILBOXES = (
    "{0}@[127.0.0.1]",
    "{0}@mx.masociete.example",
    "mx.masociete.example!{0}",
    "{0}+x@[127.0.0.1]",
    "{0}\N{ZERO WIDTH SPACE}@masociete.example",
    "{0}\N{COMBINING GRAVE ACCENT}@masociete.example",
)
"""Not the group but a local user of its name, whom Postfix serves without us."""
every_form = pytest.mark.parametrize("form", FORMS)


def local(group: str) -> str:
    return group.partition("@")[0]


@every_form
@pytest.mark.parametrize("group", [CONTACT, CLOSED])
def test_no_form_opens_a_closed_group(site: Installation, form: str, group: str) -> None:
    mark = identity()
    sent = site.send(STRANGER, [form.format(local(group))], message(mark), "SMTPUTF8")
    site.settle()
    assert not sent.accepted, sent
    assert site.sink.messages == []
    assert site.held() == []


@every_form
def test_no_form_goes_round_the_moderators(site: Installation, form: str) -> None:
    mark = identity()
    sent = site.send(STRANGER, [form.format(local(COMMERCIAL))], message(mark), "SMTPUTF8")
    site.settle()
    assert site.sink.messages == []
    assert [delivered_to(held).partition("+")[0] for held in site.held()] == ["hold"] * sent.accepted


@every_form
def test_no_form_shows_hidden_members(site: Installation, form: str) -> None:
    mark = identity()
    sent = site.send(STRANGER, [form.format(local(HIDDEN))], message(mark), "SMTPUTF8")
    site.settle()
    assert recipients(site.sink.messages) == [BOB, JEAN] * sent.accepted
    assert all(copy.sender.startswith("bounce+") for copy in site.sink.messages)


@pytest.mark.parametrize(
    ("group", "owner"), [(CONTACT, KEEPER), (CLOSED, ALICE), (COMMERCIAL, KEEPER), (HIDDEN, KEEPER)]
)
def test_the_way_to_the_owners_leads_to_no_member(site: Installation, group: str, owner: str) -> None:
    mark = identity()
    sent = site.send(STRANGER, [f"{local(group)}+owner@{DOMAIN}"], message(mark), "SMTPUTF8")
    site.settle()
    assert sent.accepted
    assert recipients(site.sink.messages) == [owner]
    assert site.held() == []


@pytest.mark.parametrize("form", OTHER_MAILBOXES)
@pytest.mark.parametrize("group", [CONTACT, COMMERCIAL, HIDDEN])
def test_a_mailbox_of_the_same_name_elsewhere_is_no_group(site: Installation, form: str, group: str) -> None:
    mark = identity()
    assert site.send(STRANGER, [form.format(local(group))], message(mark), "SMTPUTF8").accepted
    site.settle()
    assert {JEAN, BOB, PIERRE}.isdisjoint(recipients(site.delivered(mark)))
    assert site.held() == []


# questions


@pytest.mark.parametrize("group", [CONTACT, COMMERCIAL, HIDDEN])
def test_no_question_tells_who_is_in_a_group(site: Installation, group: str) -> None:
    with site.session() as session:
        answers = [
            session.command(f"{verb} {asked}")
            for verb in ("VRFY", "EXPN", "ETRN", "HELP", "NOOP")
            for asked in (group, local(group), f"<{group}>", f"#{group}", DOMAIN)
        ]
    said = "\n".join(map(str, answers)).lower()
    assert all(name not in said for name in ("jean", "bob", "pierre", "unprocessed"))
    site.settle()
    assert site.sink.messages == []


# claims


@pytest.mark.parametrize("hosts", ["", "127.0.0.0/8"])
def test_a_client_can_not_claim_to_be_another(site: Installation, hosts: str) -> None:
    """XFORWARD is for the log alone, even of who may say it: neither address nor log-in of a client change by it."""
    marks = [identity() for _ in range(2)]
    settings = {"smtpd_authorized_xclient_hosts": "", "smtpd_authorized_xforward_hosts": hosts}
    with set_to(site, settings), SmtpClient(site.postfix.ports.mx) as session:
        session.ehlo()
        refused = session.command(f"XCLIENT ADDR={INSIDER} LOGIN=alice")
        forwarded = session.command(f"XFORWARD NAME=inside ADDR={INSIDER} SOURCE=LOCAL HELO=inside")
        closed = session.transaction(ALICE, [CONTACT], message(marks[0], ALICE))
        moderated = session.transaction(ALICE, [COMMERCIAL], message(marks[1], ALICE))
    site.settle()
    assert refused.code == 550
    assert forwarded.code == (250 if hosts else 550)
    assert not closed.accepted
    assert moderated.accepted
    assert site.sink.messages == []
    assert len(site.held()) == 1


def test_who_may_claim_it_is_believed(site: Installation) -> None:
    """XCLIENT from a host that may: hence `check` names it."""
    mark = identity()
    assert site.send(ALICE, [CONTACT], message(mark, ALICE), client=INSIDER).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [JEAN, PIERRE]


@pytest.mark.parametrize("parameter", [f"AUTH={ALICE}", "AUTH=<>", "BODY=8BITMIME", "RET=FULL", "ENVID=x"])
def test_no_parameter_of_mail_is_a_proof(site: Installation, parameter: str) -> None:
    mark = identity()
    sent = site.send(ALICE, [CONTACT], message(mark, ALICE), parameter)
    assert not sent.accepted
    site.settle()
    assert site.sink.messages == []


# delivery status notifications


@pytest.mark.parametrize(
    "orcpt", ["rfc822;{group}", "rfc822;{ticket}", "rfc822;hold+2B{ticket}@{service}", "utf-8;x"]
)
@pytest.mark.parametrize("group", [CONTACT, COMMERCIAL, HIDDEN])
def test_no_parameter_of_rcpt_opens_anything(site: Installation, orcpt: str, group: str) -> None:
    ticket = seal(Ticket(Kind.RELEASE, int(time.time()), 7, 1234), site.service.keys)
    text = orcpt.format(group=group, ticket=ticket, service=SERVICE)
    mark = identity()
    with set_to(site, {"smtpd_discard_ehlo_keywords": ""}), site.session() as session:
        assert "DSN" in session.ehlo().lines
        session.mail(STRANGER, "RET=FULL", "ENVID=door")
        answer = session.rcpt(group, "NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT={text}")
        if answer.code == 250:
            assert session.content(message(mark)).code == 250
    site.settle()
    copies = [copy for copy in site.sink.messages if STRANGER not in copy.addresses]
    told = b"".join(sunk.content for sunk in site.sink.messages if STRANGER in sunk.addresses)
    assert (answer.code == 250) == (group != CONTACT)
    assert recipients(copies) == ([BOB, JEAN] if group == HIDDEN else [])
    assert len([held for held in site.held() if delivered_to(held).startswith("hold")]) == (
        group == COMMERCIAL
    )
    assert all(name.encode() not in told for name in (JEAN, BOB, PIERRE))


# service addresses


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("word", ["hold", "bounce", "release", "approve", "reject", "unprocessed"])
@pytest.mark.parametrize("age", [0, 40 * 24 * 3600])
def test_only_a_fresh_bounce_ticket_at_its_own_word_is_taken(
    site: Installation, word: str, kind: Kind, age: int
) -> None:
    ticket = seal(Ticket(kind, int(time.time()) - age, 7, 1234), site.service.keys)
    sent = site.send(STRANGER, [f"{word}+{ticket}@{SERVICE}"], message(identity()))
    site.settle()
    assert sent.accepted == (kind is Kind.BOUNCE and word == "bounce" and not age)
    assert len(site.held()) == int(sent.accepted)
    assert site.sink.messages == []


def test_a_report_goes_to_nobody_but_the_hold_mailbox(site: Installation) -> None:
    """Whatever it says of itself: a message for a group's bounce address never becomes one for its members."""
    ticket = seal(Ticket(Kind.BOUNCE, int(time.time()), 7, 1234), site.service.keys)
    fields = (
        f"To: {CONTACT}".encode(),
        f"Resent-To: {CONTACT}".encode(),
        f"X-Original-To: {CONTACT}".encode(),
    )
    sent = site.send(ALICE, [f"bounce+{ticket}@{SERVICE}"], message(identity(), ALICE, *fields))
    site.settle()
    assert sent.accepted
    assert site.sink.messages == []


# other ways to a group


def test_a_foreign_list_with_a_group_in_it_is_a_stranger(site: Installation) -> None:
    """The list's server writes to the group, whoever the author is and whatever the list vouches for."""
    fields = (b"List-Id: <friends.outside.example>", b"Sender: friends-bounces@outside.example")
    for group in (CONTACT, COMMERCIAL, OPEN):
        mark = identity()
        sent = site.send("friends-bounces@outside.example", [group], message(mark, ALICE, *fields))
        assert sent.accepted == (group != CONTACT)
    site.settle()
    assert recipients(site.sink.messages) == [BOB, JEAN]
    assert len(site.held()) == 1


@pytest.mark.parametrize("table", ["virtual_alias_maps", "recipient_canonical_maps"])
@pytest.mark.parametrize("group", [CONTACT, COMMERCIAL, HIDDEN])
def test_a_group_behind_another_table_waits_unprocessed(site: Installation, table: str, group: str) -> None:
    """An alias of Postfix's that leads to a group: no rule has been asked, so nobody in it gets the message."""
    alias = f"inline:{{{{everyone@{DOMAIN}={group}}}}}"
    with set_to(site, {table: f"{site.postfix.postconf(table)} {alias}".strip()}):
        assert site.send(STRANGER, [f"everyone@{DOMAIN}"], message(identity())).accepted
        site.settle()
    assert site.sink.messages == []
    assert [delivered_to(held) for held in site.held()] == [f"unprocessed@{SERVICE}"]


@pytest.mark.parametrize("group", [CONTACT, COMMERCIAL, HIDDEN])
def test_a_group_behind_an_alias_of_locals_own_reaches_nobody(site: Installation, group: str) -> None:
    """local(8) looks for a user of the group's name, since the domain is its own, and sends the message back."""
    alias = f"inline:{{{{everyone={group}}}}}"
    with set_to(site, {"alias_maps": alias, "local_transport": "local"}):
        assert site.send(STRANGER, [f"everyone@{DOMAIN}"], message(identity())).accepted
        site.settle()
    assert recipients(site.sink.messages) == [STRANGER]
    assert site.held() == []


@pytest.mark.parametrize("group", [CONTACT, COMMERCIAL, HIDDEN])
def test_a_group_that_gets_a_copy_of_everything_waits_unprocessed(site: Installation, group: str) -> None:
    mark = identity()
    with set_to(site, {"always_bcc": group}):
        assert site.send(STRANGER, [ALICE], message(mark)).accepted
        site.settle()
    assert recipients(site.delivered(mark)) == [ALICE]
    assert [delivered_to(held) for held in site.held()] == [f"unprocessed@{SERVICE}"]


@pytest.mark.parametrize("table", ["virtual_alias_maps", "recipient_canonical_maps"])
def test_a_table_that_knows_a_group_before_us_does_not_expand_it(site: Installation, table: str) -> None:
    """Where groupmilter stands in the way; past it the table would decide, hence `check` wants ours first."""
    shadow = ", ".join(f"inline:{{{{{group}={BOB}}}}}" for group in (CONTACT, COMMERCIAL))
    marks = [identity() for _ in range(3)]
    with set_to(site, {table: f"{shadow}, {site.postfix.postconf(table)}".rstrip(", ")}):
        assert not site.send(STRANGER, [CONTACT], message(marks[0])).accepted
        assert site.send(STRANGER, [COMMERCIAL], message(marks[1])).accepted
        assert site.send(ALICE, [CONTACT], message(marks[2], ALICE), login="alice").accepted
        site.settle()
        told = checked(site, "virtual_alias_maps")
    assert [recipients(site.delivered(mark)) for mark in marks] == [[], [], [JEAN, PIERRE]]
    assert [delivered_to(held).partition("+")[0] for held in site.held()] == ["hold"]
    assert told == ("error" if table == "virtual_alias_maps" else "ok")


def checked(site: Installation, subject: str) -> str:
    """Return the level at which `check` speaks of a setting."""
    program = Serving(site.service.folder, "", site.service.control)
    where = ("--no-directory", "--postfix-config", str(site.postfix.config_directory))
    told = json.loads(program.run("--json", "check", *where).stdout)["checks"]
    [level] = [one["level"] for one in told if one["subject"] == subject]
    return str(level)


@pytest.mark.parametrize("client", [OUTSIDER, "127.0.0.1", "::1"])
def test_loopback_is_nobody(site: Installation, client: str) -> None:
    mark = identity()
    assert not site.send(ALICE, [CONTACT], message(mark, ALICE), client=client).accepted
    site.settle()
    assert site.delivered(mark) == []
