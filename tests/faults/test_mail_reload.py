"""Reloads while mail goes through: good ones lose nothing, bad ones change nothing and say what is wrong."""

from __future__ import annotations

import os
import signal
import time
from functools import partial

import pytest
from tests.support.installation import Installation, recipients
from tests.support.load import Load
from tests.support.office import BOB, CONTACT, JEAN, OPEN, identity, message
from tests.support.service import Service

STRANGER = "x@outside.example"
BAD = {
    "no YAML": "listen: [unix:",
    "a key twice": "service: {domain: a.example}\nservice: {domain: b.example}\n",
    "an alias bomb": "a: &a [1, 2]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "nested too deeply": "a: " + "[" * 3000,
    "an unknown key": "sevrice: {domain: groups.example}\n",
    "a wrong type": "workers: many\n",
    "nothing": "",
    "no mapping": "- one\n- two\n",
    "no UTF-8": "listen: \udcff\n",
}


def reloaded(service: Service, before: int) -> bool:
    """Whether one more reload has been accepted and carried out."""
    return len(service.lines("reload accepted")) > before and service.settled()


@pytest.mark.parametrize("way", ["SIGHUP", "control socket"])
def test_reloads_under_load_lose_nothing(site: Installation, way: str) -> None:
    service = site.service
    with Load(site) as load:
        load.wait_accepted(10)
        for _ in range(4):
            before = len(service.lines("reload accepted"))
            if way == "SIGHUP":
                os.kill(service.pid, signal.SIGHUP)
            else:
                assert service.ask("reload")["ok"]
            service.wait(partial(reloaded, service, before), "the reload")
            load.wait_accepted(10)
    site.settle()
    load.nothing_was_lost()
    assert not [shot for shot in load.shots if shot.end is None and any(r.code == 250 for r in shot.answers)]


def test_a_session_that_was_open_before_goes_on_after_a_reload(site: Installation) -> None:
    first, second = identity(), identity()
    with site.session() as session:
        assert session.transaction(STRANGER, [OPEN], message(first)).accepted
        session.mail(STRANGER)
        assert session.rcpt(OPEN).code == 250
        assert site.service.ask("reload")["ok"]
        assert session.content(message(second)).code == 250
        session.quit()
    site.service.wait(site.service.settled, "the new workers alone")
    site.settle()
    assert [recipients(site.delivered(mark)) for mark in (first, second)] == [sorted([BOB, JEAN])] * 2


@pytest.mark.parametrize("name", BAD)
def test_a_bad_configuration_changes_nothing(site: Installation, name: str) -> None:
    service = site.service
    pids = set(service.processes())
    good = service.path.read_bytes()
    service.path.write_bytes(BAD[name].encode("utf-8", "surrogateescape"))
    try:
        began = time.monotonic()
        answer = service.ask("reload")
        assert time.monotonic() - began < 20
    finally:
        service.path.write_bytes(good)
    assert not answer["ok"]
    assert str(service.path) in " ".join(answer["errors"])
    assert set(service.processes()) == pids
    mark = identity()
    assert site.send(STRANGER, [OPEN, CONTACT], message(mark)).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([BOB, JEAN])


def test_what_a_running_service_can_not_change_is_refused(site: Installation) -> None:
    service, before = site.service, site.service.options
    service.configure({**before, "listen": f"unix:{service.folder}/elsewhere.sock"})
    answer = service.ask("reload")
    service.configure(before)
    assert not answer["ok"]
    assert "listen" in " ".join(answer["errors"])


def test_all_that_is_wrong_is_said_at_once(site: Installation) -> None:
    service, before = site.service, site.service.options
    service.configure({**before, "workers": "many", "mode": "maybe", "sevrice": {}})
    answer = service.ask("reload")
    service.configure(before)
    said = " ".join(answer["errors"])
    assert all(name in said for name in ("workers", "mode", "sevrice"))


def test_observing_is_switched_on_and_off_by_reloads(site: Installation) -> None:
    """Observed, mail to a group's address is Postfix's alone: it waits where mail waits that got past us."""
    service, before = site.service, site.service.options
    mark = identity()
    service.reload({**before, "mode": "observe"})
    try:
        assert site.send(STRANGER, [CONTACT], message(mark)).accepted
        site.settle()
        [held] = site.held()
        assert b"\nDelivered-To: unprocessed@groups.masociete.example\n" in held
    finally:
        service.reload(before)
    assert site.delivered(mark) == []
    assert site.send(STRANGER, [CONTACT], message(mark)).recipients[0].code == 550
