"""What becomes of mail while groupmilter is stopped: nothing is lost, nothing goes to members past the rules.

Two states, and Postfix is set up as `groupmilter postfix` prints it in both:

* the milter is configured and stopped: every client gets 451, persons' too, and tries again later; mail that was
  accepted before goes on being delivered;
* the administrator takes the milter out (docs/install.md): mail to persons flows, and a group's mail waits in the
  hold mailbox, by the generated map alone. No process of groupmilter is needed for that.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.test_doors_queue import nobody_home, postsuper, queued
from tests.support.installation import Installation, delivered_to, recipients
from tests.support.office import ALICE, COMMERCIAL, CONTACT, JEAN, OFFICE, PIERRE, identity, message
from tests.support.postfix import Postfix
from tests.support.postfix_lines import apply, pass_by
from tests.support.processes import of_session
from tests.support.service import MAILBOX_USER, Service
from tests.support.serving import Serving
from tests.support.sink import Sink

PEOPLE = (ALICE, JEAN, PIERRE)
UNPROCESSED = "unprocessed@groups.masociete.example"
OUTSIDER = "x@outside.example"
DEFERRED = "451 4.7.1"
UNSET = ("virtual_mailbox_domains", "virtual_mailbox_maps", "virtual_uid_maps", "virtual_gid_maps")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose Postfix knows the persons by a table, and the groups by the generated map alone."""
    table = tmp_path_factory.mktemp("people") / "people"
    table.write_text("".join(f"{address} ok\n" for address in PEOPLE), "utf-8")
    with (
        Service(f"ldif:{OFFICE}", desk=False) as service,
        Sink() as sink,
        Postfix(
            sink_port=sink.port, recipient_map=f"texthash:{table}", main=dict.fromkeys(UNSET, "")
        ) as postfix,
    ):
        yield Installation(service, sink, postfix)


@pytest.fixture
def site(whole: Installation) -> Installation:
    """The installation, set up, running and empty."""
    (whole.postfix.config_directory / "master.cf").write_text(_own_services(whole.postfix), "utf-8")
    apply(whole.postfix, Serving(whole.service.folder, "", whole.service.control), MAILBOX_USER)
    if not whole.service.running:
        whole.service.start()
    whole.settle()
    whole.forget()
    whole.sink.replies.clear()
    return whole


def _own_services(postfix: Postfix) -> str:
    """master.cf without the services that an earlier test's printed lines have added."""
    kept = (postfix.config_directory / "master.cf").read_text("utf-8")
    return kept.partition("groupmilter-hold ")[0]


def stop(site: Installation) -> None:
    """Stop groupmilter in good order, and see that not one process of it is left."""
    leader = site.service.pid
    site.service.stop()
    assert of_session(leader) == []


def by_hand(site: Installation, recipient: str, mark: str) -> str:
    """Write as an outsider; return the reply that decides."""
    replies = site.send(OUTSIDER, [recipient], message(mark))
    return str(replies.end or [replies.mail, *replies.recipients][-1])


def test_while_it_runs_the_map_does_not_show(site: Installation) -> None:
    mark = identity()
    assert site.send(ALICE, [CONTACT], message(mark, ALICE), login="alice").accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [JEAN, PIERRE]
    assert site.held() == []


def test_the_map_names_the_groups_for_postfix_alone(site: Installation) -> None:
    found = lookup(site, CONTACT, "info@masociete.example", JEAN, "nobody@masociete.example")
    assert found == {CONTACT: UNPROCESSED, "info@masociete.example": UNPROCESSED}


def test_stopped_and_configured_every_client_is_told_to_try_again(site: Installation) -> None:
    stop(site)
    marks = [identity() for _ in range(3)]
    for mark, recipient in zip(marks, (JEAN, CONTACT, COMMERCIAL), strict=True):
        assert by_hand(site, recipient, mark).startswith(DEFERRED)
    assert site.postfix.message_count == 0
    site.service.start()
    assert by_hand(site, JEAN, marks[0]).startswith("250 ")
    assert by_hand(site, CONTACT, marks[1]).startswith("550 5.7.1 ")
    assert by_hand(site, COMMERCIAL, marks[2]).startswith("250 ")
    site.settle()
    assert recipients(site.delivered(marks[0])) == [JEAN]
    assert site.delivered(marks[1]) == [] == site.delivered(marks[2])
    [held] = site.held()
    assert delivered_to(held).startswith("hold+")


def test_stopped_and_configured_what_was_accepted_is_delivered(site: Installation) -> None:
    site.sink.replies[JEAN] = "450 4.2.2 mailbox full for now"
    mark = identity()
    assert site.send(ALICE, [CONTACT], message(mark, ALICE), login="alice").accepted
    site.sink.wait_for_copies(1)
    stop(site)
    assert recipients(site.delivered(mark)) == [PIERRE]
    site.sink.replies.clear()
    site.postfix.flush()
    site.settle()
    assert recipients(site.delivered(mark)) == [JEAN, PIERRE]
    assert site.held() == []


def test_a_queued_message_that_is_requeued_does_not_reach_the_hold_mailbox_or_anybody_twice(
    site: Installation,
) -> None:
    mark = identity()
    with nobody_home(site, JEAN, PIERRE):
        assert site.send(ALICE, [CONTACT], message(mark, ALICE), login="alice").accepted
        assert queued(site, "deferred") == [JEAN, PIERRE]
        stop(site)
        postsuper(site, "-r", "ALL")
    site.postfix.restart()
    site.postfix.flush()
    site.settle()
    assert recipients(site.delivered(mark)) == [JEAN, PIERRE]
    assert site.held() == []


def test_stopped_and_configured_local_mail_waits(site: Installation) -> None:
    stop(site)
    first, second = identity(), identity()
    site.postfix.sendmail([JEAN], message(first, ALICE), "-f", ALICE)
    site.postfix.wait_log("milter-reject: CONNECT from localhost")
    assert site.sink.messages == []
    site.service.start()
    site.postfix.sendmail([PIERRE], message(second, ALICE), "-f", ALICE)
    site.sink.wait_for_copies(2, seconds=180)
    site.settle()
    assert recipients(site.delivered(first)) == [JEAN]
    assert recipients(site.delivered(second)) == [PIERRE]


@pytest.mark.parametrize("login", ["", "alice"])
def test_stopped_and_taken_out_persons_get_their_mail_and_groups_wait(site: Installation, login: str) -> None:
    stop(site)
    pass_by(site.postfix)
    person, group = identity(), identity()
    sender = ALICE if login else OUTSIDER
    assert site.send(sender, [JEAN], message(person, sender), login=login).accepted
    assert site.send(sender, [CONTACT, COMMERCIAL], message(group, sender), login=login).accepted
    site.settle()
    assert recipients(site.delivered(person)) == [JEAN]
    assert site.delivered(group) == []
    held = site.held()
    assert {delivered_to(one) for one in held} == {UNPROCESSED}
    assert sorted(map(meant_for, held)) == [COMMERCIAL, CONTACT]
    assert all(group.encode() in one for one in held)


def test_stopped_and_taken_out_persons_and_groups_in_one_message_part(site: Installation) -> None:
    stop(site)
    pass_by(site.postfix)
    mark = identity()
    assert site.send(OUTSIDER, [JEAN, CONTACT], message(mark)).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [JEAN]
    assert [delivered_to(one) for one in site.held()] == [UNPROCESSED]


def test_stopped_and_taken_out_nobody_else_is_taken_for_a_recipient(site: Installation) -> None:
    stop(site)
    pass_by(site.postfix)
    assert by_hand(site, "nobody@masociete.example", identity()).startswith("550 5.1.1 ")
    assert site.postfix.message_count == 0


def test_stopped_and_taken_out_local_mail_flows_too(site: Installation) -> None:
    stop(site)
    pass_by(site.postfix)
    person, group = identity(), identity()
    site.postfix.sendmail([JEAN], message(person, ALICE), "-f", ALICE)
    site.postfix.sendmail([CONTACT], message(group, ALICE), "-f", ALICE)
    site.sink.wait_for_copies(1)
    site.postfix.wait(lambda: len(site.held()) == 1, "the group's message in the hold mailbox")
    site.settle()
    assert recipients(site.delivered(person)) == [JEAN]
    assert site.delivered(group) == []


def test_the_map_survives_a_crash_as_well(site: Installation) -> None:
    site.service.kill()
    pass_by(site.postfix)
    assert lookup(site, CONTACT) == {CONTACT: UNPROCESSED}
    mark = identity()
    assert site.send(OUTSIDER, [JEAN, CONTACT], message(mark)).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [JEAN]
    assert [delivered_to(one) for one in site.held()] == [UNPROCESSED]


def meant_for(held: bytes) -> str:
    """The group that a message in the hold mailbox was sent to, as virtual(8) has noted it."""
    [line] = [line for line in held.split(b"\n\n")[0].split(b"\n") if line.startswith(b"X-Original-To: ")]
    return line.partition(b": ")[2].decode()


def lookup(site: Installation, *addresses: str) -> dict[str, str]:
    """What Postfix finds in the generated map (postmap(1), -q -)."""
    table = site.postfix.postconf("virtual_alias_maps").split(",")[0]
    assert Path(table.partition(":")[2]).is_relative_to(site.service.folder)
    command = ("postmap", "-c", str(site.postfix.config_directory), "-q", "-", table)
    ran = subprocess.run(
        command, input="".join(f"{a}\n" for a in addresses), capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    return dict(line.split("\t") for line in ran.stdout.splitlines())
