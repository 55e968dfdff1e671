"""Mail while the directory is stopped, frozen, killed or edited, and while the mirror is gone or too old."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.support.installation import Installation, recipients
from tests.support.load import Load, Play
from tests.support.milter_client import MilterClient
from tests.support.office import (
    ALICE,
    BOB,
    CONTACT,
    GROUPS,
    JEAN,
    MORE,
    OFFICE,
    OPEN,
    PEOPLE,
    PIERRE,
    group,
    identity,
    member,
    message,
)
from tests.support.service import Service
from tests.support.slapd import Slapd

STRANGER = "x@outside.example"


def reached(site: Installation, to: str = OPEN) -> list[str]:
    """Who gets a message to a group now."""
    mark = identity()
    sent = site.send(ALICE, [to], message(mark, ALICE), login="alice")
    assert sent.accepted, sent
    site.settle()
    return recipients(site.delivered(mark))


@pytest.mark.parametrize("fault", ["stop", "freeze", "kill"])
def test_mail_goes_on_from_the_mirror_and_changes_are_in_force_afterwards(
    site: Installation, slapd: Slapd, fault: str
) -> None:
    failing: Callable[[], None] = getattr(slapd, fault)
    mending: Callable[[], None] = slapd.thaw if fault == "freeze" else slapd.start
    with Load(site) as load:
        load.wait_accepted(5)
        failing()
        load.wait_accepted(15)
        mending()
        load.wait_accepted(5)
    site.settle()
    load.nothing_was_lost()
    assert not [shot for shot in load.shots if any(400 <= reply.code < 500 for reply in shot.answers)]
    with changed_by(slapd, "ouvert", "pierre"):
        site.service.wait(lambda: reached(site) == sorted([BOB, JEAN, PIERRE]), "the change in force")
    site.service.wait(lambda: reached(site) == sorted([BOB, JEAN]), "the change back")


@contextmanager
def changed_by(slapd: Slapd, name: str, login: str) -> Iterator[None]:
    """While a person is a member of a group."""
    change = f"dn: cn={name},{GROUPS}\nchangetype: modify\n{{}}: member\nmember: uid={login},{PEOPLE}\n"
    slapd.modify(change.format("add"))
    try:
        yield
    finally:
        slapd.modify(change.format("delete"))


def test_a_group_is_closed_while_mail_is_under_way(site: Installation, slapd: Slapd) -> None:
    since = site.service.generation()
    slapd.replace(f"cn=ouvert,{GROUPS}", dgRequireAuthentication="TRUE")
    try:
        site.service.wait_change(since)
        assert site.send(STRANGER, [OPEN], message(identity())).recipients[0].code == 550
    finally:
        since = site.service.generation()
        slapd.replace(f"cn=ouvert,{GROUPS}", dgRequireAuthentication="FALSE")
        site.service.wait_change(since)


def test_closed_between_rcpt_and_the_end_nobody_gets_it(site: Installation, slapd: Slapd) -> None:
    """The end of the message decides again, with the directory as it is then."""
    mark = identity()
    with site.session() as session:
        session.mail(STRANGER)
        assert session.rcpt(OPEN).code == 250
        since = site.service.generation()
        slapd.replace(f"cn=ouvert,{GROUPS}", dgRequireAuthentication="TRUE")
        try:
            site.service.wait_change(since)
            assert session.content(message(mark)).code == 550
        finally:
            since = site.service.generation()
            slapd.replace(f"cn=ouvert,{GROUPS}", dgRequireAuthentication="FALSE")
            site.service.wait_change(since)
    site.settle()
    assert site.delivered(mark) == []


FIRST = tuple(f"first{number:03d}@elsewhere.example" for number in range(60))
SECOND = tuple(f"second{number:03d}@elsewhere.example" for number in range(60))


def test_a_list_that_is_exchanged_while_mail_flows_is_the_old_or_the_new_one(
    site: Installation, slapd: Slapd
) -> None:
    slapd.add(group("wechsel", "member: cn=placeholder", *(f"dgMemberAddress: {a}" for a in FIRST)))
    address = "wechsel@masociete.example"
    site.service.wait(lambda: known(site.service, address), "the new group")
    load = Load(site, plays=[Play("alice", ALICE, (address,), (FIRST,))] * 3)
    with load:
        for turn in range(8):
            load.wait_accepted(3)
            since = site.service.generation()
            slapd.replace(f"cn=wechsel,{GROUPS}", dgMemberAddress=(SECOND, FIRST)[turn % 2])
            site.service.wait_change(since)
    site.settle()
    lists = [frozenset(recipients(site.delivered(f"{shot.mark}@"))) for shot in load.shots if shot.accepted]
    assert set(lists) == {frozenset(FIRST), frozenset(SECOND)}
    slapd.delete(f"cn=wechsel,{GROUPS}")


def known(service: Service, address: str) -> bool:
    with service.directory() as directory:
        return directory.find(address) is not None


def ask(service: Service, to: str) -> str:
    """What the milter says of a recipient now."""
    with MilterClient(service.milter) as client:
        client.connect(ip="203.0.113.9")
        client.helo()
        client.mail(STRANGER)
        return client.rcpt(to).smtp


def test_without_a_mirror_groups_are_deferred_and_persons_served_until_it_is_back() -> None:
    with Slapd(content=[OFFICE, MORE]) as slapd, Service(slapd.uri, workers=1, desk=False) as service:
        assert ask(service, OPEN).startswith("250")
        slapd.stop()
        for part in service.folder.glob("mirror.db*"):
            part.unlink()
        service.wait(lambda: ask(service, OPEN).startswith("451 4.4.3"), "a deferral for the group")
        assert ask(service, CONTACT).startswith("451 4.4.3")
        assert ask(service, f"hold+x@{service.service_domain}").startswith("451 4.4.3")
        assert ask(service, JEAN).startswith("250")
        assert ask(service, "nobody@elsewhere.example").startswith("250")
        slapd.start()
        service.wait(lambda: ask(service, OPEN).startswith("250"), "the mirror again")
        assert ask(service, CONTACT).startswith("550 5.7.1")


def test_a_mirror_too_old_is_as_good_as_none() -> None:
    options = {"directory": {"max_age": "3s", "poll": "1s", "sync": "poll"}}
    with Slapd(content=[OFFICE, MORE]) as slapd, Service(slapd.uri, options=options, desk=False) as service:
        slapd.stop()
        service.wait(lambda: ask(service, OPEN).startswith("451 4.4.3"), "a deferral for the group")
        assert ask(service, JEAN).startswith("250")
        slapd.start()
        service.wait(lambda: ask(service, OPEN).startswith("250"), "the mirror in step again")


def test_at_the_first_start_without_a_directory_own_domains_wait() -> None:
    """No mirror, no map: any address of an own domain may be a group's, and nobody else's mail has to wait."""
    nowhere = "ldap://127.0.0.1:9"
    options = {"own_domains": ["masociete.example"]}
    with Service(nowhere, options=options, ready=False, desk=False) as service:
        assert ask(service, CONTACT).startswith("451 4.4.3")
        assert ask(service, JEAN).startswith("451 4.4.3")
        assert ask(service, "nobody@elsewhere.example").startswith("250")


def test_a_group_that_comes_and_goes(site: Installation, slapd: Slapd) -> None:
    slapd.add(group("neu", *member("bob")))
    site.service.wait(lambda: known(site.service, "neu@masociete.example"), "the new group")
    generated = site.service.folder / "map" / "groups"
    site.service.wait(lambda: "neu@" in generated.read_text("utf-8"), "the new group in the map")
    assert reached(site, "neu@masociete.example") == [BOB]
    slapd.delete(f"cn=neu,{GROUPS}")
    site.service.wait(lambda: not known(site.service, "neu@masociete.example"), "its end in the mirror")
    site.service.wait(lambda: "neu@" not in generated.read_text("utf-8"), "its end in the map")
    assert reached(site, "neu@masociete.example") == ["neu@masociete.example"]


def test_stopped_altogether_everybody_is_told_to_come_again(site: Installation) -> None:
    site.service.stop()
    try:
        with site.session() as session:
            assert session.mail(STRANGER).code == 451 or session.rcpt(OPEN).code == 451
    finally:
        site.service.start()
    assert reached(site) == sorted([BOB, JEAN])
