"""An after-queue content filter beside us (FILTER_README): its way back is no door, and gives nobody rights.

The filter is Postfix's own SMTP client, which hands each message to the re-injection port as any filter does: from
loopback, without the log-in. Without milters there, as docs/install.md wants it, everything comes out as without a
filter; with them, held mail bounces; where a network of `networks` holds loopback, an outsider becomes an insider.
`check` names both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.installation import Installation, delivered_to, installation, recipients
from tests.support.office import (
    ALICE,
    BOB,
    COMMERCIAL,
    CONTACT,
    JEAN,
    MORE,
    OFFICE,
    PIERRE,
    identity,
    message,
)
from tests.support.ports import free_port
from tests.support.service import Service
from tests.support.serving import Serving
from tests.support.slapd import Slapd
from tests.support.smtp_client import SmtpClient, Transaction

STRANGER = "x@outside.example"
HIDDEN = "secret@masociete.example"
UNPROCESSED = "unprocessed@groups.masociete.example"
UNFILTERED = {"receive_override_options": "no_milters,no_header_body_checks"}
LOOPBACK = {"networks": [{"net": "127.0.0.0/8", "speaks_for": ["masociete.example"], "rights": "person"}]}


@dataclass(frozen=True)
class Filtered:
    """An installation with a filter, and its way back."""

    site: Installation
    port: int

    def set(self, options: Mapping[str, str]) -> None:
        """Give the re-injection port these options."""
        master = self.site.postfix.config_directory / "master.cf"
        kept = master.read_text("utf-8").partition("# re-injection\n")[0]
        given = "".join(f"  -o {name}={value}\n" for name, value in {"content_filter": "", **options}.items())
        text = f"{kept}# re-injection\n127.0.0.1:{self.port} inet n - n - - smtpd\n{given}"
        if text != master.read_text("utf-8"):
            master.write_text(text, "utf-8")
            self.site.postfix.restart()

    def submit(self, sender: str, to: str, content: bytes) -> Transaction:
        """Hand a message in at the re-injection port, as any program of this host may."""
        with SmtpClient(self.port) as session:
            session.ehlo()
            return session.transaction(sender, [to], content)

    def checked(self, subject: str) -> list[dict[str, Any]]:
        """What `check` says of this."""
        program = Serving(self.site.service.folder, "", self.site.service.control)
        where = ("--no-directory", "--postfix-config", str(self.site.postfix.config_directory))
        told = json.loads(program.run("--json", "check", *where).stdout)["checks"]
        return [one for one in told if one["subject"] == subject]


@pytest.fixture(scope="module")
def whole() -> Iterator[Filtered]:
    port = free_port()
    main = {"content_filter": f"smtp:[127.0.0.1]:{port}", "mynetworks": "127.0.0.0/8"}
    with (
        Slapd(content=[OFFICE, MORE]) as slapd,
        Service(slapd.uri, desk=False) as service,
        installation(service, main=main) as site,
    ):
        yield Filtered(site, port)


@pytest.fixture
def filtered(whole: Filtered) -> Iterator[Filtered]:
    """The installation, empty, and its way back without milters."""
    whole.set(UNFILTERED)
    whole.site.settle()
    whole.site.forget()
    known = len(whole.site.service.surprises())
    yield whole
    whole.site.settle()
    assert whole.site.service.surprises()[known:] == []


@contextmanager
def believing_loopback(site: Installation) -> Iterator[None]:
    site.service.reload(LOOPBACK)
    try:
        yield
    finally:
        site.service.reload({})


def test_with_a_filter_groups_are_what_they_are_without(filtered: Filtered) -> None:
    site, marks = filtered.site, [identity() for _ in range(4)]
    assert not site.send(STRANGER, [CONTACT], message(marks[0])).accepted
    assert site.send(ALICE, [CONTACT], message(marks[1], ALICE), login="alice").accepted
    assert site.send(STRANGER, [COMMERCIAL], message(marks[2])).accepted
    assert site.send(STRANGER, [HIDDEN], message(marks[3])).accepted
    site.settle()
    reached = [recipients(site.delivered(mark)) for mark in marks]
    assert reached == [[], [JEAN, PIERRE], [], [BOB, JEAN]]
    assert [delivered_to(held).partition("+")[0] for held in site.held()] == ["hold"]
    assert all(copy.sender.startswith("bounce+") for copy in site.delivered(marks[3]))
    assert site.reports(marks[2]) == []


@pytest.mark.parametrize("group", [CONTACT, COMMERCIAL, HIDDEN])
@pytest.mark.parametrize("sender", [JEAN, STRANGER, ""])
def test_what_is_submitted_past_the_filter_waits_unprocessed(
    filtered: Filtered, group: str, sender: str
) -> None:
    """No rule is asked there; so nobody in the group gets it, and a human finds it in the hold mailbox."""
    mark = identity()
    assert filtered.submit(sender, group, message(mark, JEAN)).accepted
    filtered.site.settle()
    assert filtered.site.delivered(mark) == []
    assert [delivered_to(held) for held in filtered.site.held()] == [UNPROCESSED]
    [told] = filtered.checked(f"master.cf 127.0.0.1:{filtered.port}")
    assert told["level"] == "ok"


def test_a_ticket_submitted_there_opens_nothing(filtered: Filtered) -> None:
    """With the address of mail that is held: what comes by it is put beside it, for a human, not for members."""
    first, second = identity(), identity()
    assert filtered.site.send(STRANGER, [COMMERCIAL], message(first)).accepted
    filtered.site.settle()
    [held] = filtered.site.held()
    assert filtered.submit(STRANGER, delivered_to(held), message(second)).accepted
    filtered.site.settle()
    assert len(filtered.site.held()) == 2
    assert filtered.site.sink.messages == []


def test_with_milters_on_the_way_back_held_mail_bounces_and_check_says_so(filtered: Filtered) -> None:
    filtered.set({})
    site, mark = filtered.site, identity()
    assert site.send(STRANGER, [COMMERCIAL], message(mark)).accepted
    site.settle()
    assert site.held() == []
    assert site.delivered(mark) == []
    [told] = filtered.checked(f"master.cf 127.0.0.1:{filtered.port}")
    assert told["level"] == "error"
    assert "meets groupmilter a second time" in told["text"]


@pytest.mark.parametrize("group", [CONTACT, COMMERCIAL])
def test_with_milters_there_alone_a_filter_is_a_stranger(filtered: Filtered, group: str) -> None:
    """Milters behind the filter only: whatever log-in there was is lost, and loopback is nobody."""
    filtered.set({})
    mark = identity()
    sent = filtered.submit(JEAN, group, message(mark, JEAN))
    filtered.site.settle()
    assert sent.accepted == (group == COMMERCIAL)
    assert filtered.site.delivered(mark) == []


def test_a_filter_never_becomes_the_boss_and_check_says_so(filtered: Filtered) -> None:
    """With loopback in `networks`, mail that a filter brings back is an insider's: an error of `check`."""
    filtered.set({})
    mark = identity()
    assert filtered.checked("networks") == []
    with believing_loopback(filtered.site):
        assert filtered.submit(STRANGER, CONTACT, message(mark, JEAN)).accepted
        [told] = filtered.checked("networks")
    filtered.site.settle()
    assert recipients(filtered.site.delivered(mark)) == [JEAN, PIERRE]
    assert told["level"] == "error"
    assert "becomes an insider's" in told["text"]


def test_loopback_in_networks_is_no_right_on_the_way_back_without_milters(filtered: Filtered) -> None:
    mark = identity()
    with believing_loopback(filtered.site):
        assert filtered.submit(STRANGER, CONTACT, message(mark, JEAN)).accepted
        filtered.site.settle()
    assert filtered.site.delivered(mark) == []
    assert [delivered_to(held) for held in filtered.site.held()] == [UNPROCESSED]
