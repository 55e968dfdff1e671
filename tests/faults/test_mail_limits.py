"""No descriptors left, idle and slow clients: some are deferred, nothing crashes, and it passes."""

from __future__ import annotations

import resource
from contextlib import ExitStack

from tests.support.installation import Installation, recipients
from tests.support.load import Load
from tests.support.milter_client import MilterClient
from tests.support.milter_protocol import ProtocolError
from tests.support.office import BOB, JEAN, OFFICE, OPEN, identity, message
from tests.support.service import Service

FEW = 40


def test_without_descriptors_connections_wait_or_fail_and_afterwards_all_is_well() -> None:
    with Service(f"ldif:{OFFICE}") as service:
        workers = set(service.processes())
        for pid in workers:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW, FEW))
        with ExitStack() as idle:
            opened = sum(connects(service, idle) for _ in range(2 * FEW))
            assert 0 < opened < 2 * FEW
        service.wait(lambda: serves(service), "service again")
        assert serves(service, seconds=60)
        service.wait(service.settled, "all workers")


def connects(service: Service, idle: ExitStack) -> bool:
    """Open one more connection that stays idle; whether the milter took it."""
    try:
        client = idle.enter_context(MilterClient(service.milter, timeout=0.1))
    except (OSError, ProtocolError):
        return False
    idle.callback(client.drop)
    return True


def serves(service: Service, seconds: float = 2) -> bool:
    """Whether a new session gets its verdict."""
    try:
        with MilterClient(service.milter, timeout=seconds) as client:
            client.connect(ip="203.0.113.9")
            client.mail("x@outside.example")
            return client.rcpt("contact@masociete.example").smtp.startswith("550 5.7.1")
    except (OSError, ProtocolError):
        return False


def test_a_hundred_idle_sessions_are_in_nobody_s_way(site: Installation) -> None:
    with ExitStack() as idle:
        for _ in range(100):
            client = idle.enter_context(MilterClient(site.service.milter))
            client.connect()
            client.mail("x@outside.example")
        with Load(site) as load:
            load.wait_accepted(20)
    site.settle()
    load.nothing_was_lost()


def test_a_client_that_drips_its_message_keeps_nobody_waiting(site: Installation) -> None:
    slow, quick = identity(), identity()
    with site.session() as session:
        session.mail("x@outside.example")
        assert session.rcpt(OPEN).code == 250
        session.command("DATA")
        for number, line in enumerate(message(slow).splitlines(keepends=True)):
            session.send(line)
            assert site.send("x@outside.example", [OPEN], message(f"{quick}-{number}")).accepted
        session.send(b".\r\n")
        assert session.reply().code == 250
    site.settle()
    assert recipients(site.delivered(slow)) == sorted([BOB, JEAN])
    assert len(site.delivered(quick)) == len(message(slow).splitlines())
