"""The panel's process: under the supervisor's channel, patient with nobody for ever, silent about itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from tests.panel.standin import Desk, Lines, Site, english, item, panel
from tests.support.ports import LOOPBACK, free_port

from groupmilter.panel import server
from groupmilter.panel.app import Surroundings, create_app
from groupmilter.panel.server import Patient, listening, serve
from groupmilter.panel.typed import word
from groupmilter.supervision.channel import Channel, receive, send


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def site(desk: Desk) -> Iterator[Site]:
    with panel(desk) as running:
        yield running


def raw(site: Site, octets: bytes) -> bytes:
    """Send octets and read until the other side closes."""
    with socket.create_connection((LOOPBACK, site.port), timeout=60) as connection:
        connection.sendall(octets)
        return rest(connection)


def rest(connection: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65_536):
            got += chunk
    return got


def test_signs_of_life_and_drain(site: Site) -> None:
    site.ask("/healthz")
    message = receive_soon(site.channel)
    assert message["state"] == "alive"
    detail = message["detail"]
    assert isinstance(detail, dict)
    assert set(detail) == {"requests", "connections"}
    send(site.channel, {"drain": 5.0})
    while (message := receive_soon(site.channel))["state"] == "alive":
        pass
    assert message["state"] == "draining"


def receive_soon(channel: socket.socket) -> dict[str, object]:
    channel.settimeout(60)
    channel.recv(1, socket.MSG_PEEK)
    message = receive(channel)
    assert message is not None
    return message


def test_a_dead_supervisor_ends_the_panel(desk: Desk) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    app = create_app(desk, Surroundings(english, Lines()))
    codes: list[int] = []
    thread = threading.Thread(
        target=lambda: codes.append(serve(app, LOOPBACK, free_port(), Channel(theirs, 5.0)))
    )
    with theirs:
        thread.start()
        assert receive_soon(ours) == {"state": "ready"}
        ours.close()
        thread.join(60)
    assert codes == [0]


def test_signals_stay_with_whoever_has_them(desk: Desk) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with panel(desk) as site:
        assert site.ask("/healthz").status == 200
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_an_address_that_is_taken_is_an_error(site: Site) -> None:
    with pytest.raises(OSError, match="in use"):
        listening(LOOPBACK, site.port)


def test_a_request_under_way_is_finished_before_the_end(desk: Desk) -> None:
    held = desk.put(item())
    token = desk.token(held)
    body = f"decision=approve&word={word(token, 'en')}".encode()
    head = (
        f"POST /decide/{token} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n"
    ).encode()
    with panel(desk) as site, socket.create_connection((LOOPBACK, site.port), timeout=60) as connection:
        connection.sendall(head)
        connection.sendall(body[:5])
        site.ask("/healthz")
        send(site.channel, {"drain": 120.0})
        while receive_soon(site.channel)["state"] != "draining":
            pass
        connection.sendall(body[5:])
        assert b"200 OK" in rest(connection)
    assert len(desk.decided) == 1


@pytest.mark.parametrize("begun", [b"", b"GET /hea", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_connection_that_asks_nothing_is_closed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(Patient, "silence", 0.2)
    with panel(desk) as site:
        assert raw(site, begun) == b""
        # Nobody has to be that quick from here on.
        monkeypatch.undo()
        assert site.ask("/healthz").status == 200


def test_a_trickle_after_an_answer_is_closed_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is: its first look comes when the answer is there."""
    looked_at: list[Patient] = []
    made = Patient.connection_made

    def noted(self: Patient, transport: asyncio.Transport) -> None:
        looked_at.append(self)
        made(self, transport)

    monkeypatch.setattr(Patient, "silence", 3600.0)
    monkeypatch.setattr(Patient, "connection_made", noted)
    with panel(desk) as site, socket.create_connection((LOOPBACK, site.port), timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /again")
        got = b""
        while not got.endswith(b"ok\n"):
            got += connection.recv(65_536)
        monkeypatch.setattr(Patient, "silence", 0.05)
        looked_at[0].loop.call_soon_threadsafe(looked_at[0]._look, None)
        assert rest(connection) == b""
    assert got.count(b"200 OK") == 1


def test_a_body_that_does_not_come_is_not_waited_for(desk: Desk) -> None:
    token = desk.token(desk.put(item()))
    head = (
        f"POST /decide/{token} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\nConnection: close\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\ndecision=app"
    ).encode()
    with panel(desk, body_seconds=0.2) as site:
        assert b" 408 " in raw(site, head)
    assert desk.decided == []


def test_a_body_without_a_length_is_bounded(site: Site, desk: Desk) -> None:
    token = desk.token(desk.put(item()))
    head = (
        f"POST /decide/{token} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    ).encode()
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    got = raw(site, head + chunk * 20 + b"0\r\n\r\n")
    assert b" 413 " in got
    assert b"That is too much" in got


def test_a_head_is_bounded(site: Site) -> None:
    octets = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000
    assert raw(site, octets).startswith(b"HTTP/1.1 400 ")
    assert site.ask("/healthz").status == 200


def test_connections_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS", 3)
    monkeypatch.setattr(Patient, "silence", 3600.0)
    with panel(desk) as site, contextlib.ExitStack() as stack:
        for _ in range(3):
            idle = stack.enter_context(socket.create_connection((LOOPBACK, site.port), timeout=60))
            idle.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert site.ask("/healthz").status == 503


def test_nothing_is_written_where_tokens_could_be_read(
    desk: Desk, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    token = desk.token(desk.put(item()))
    with panel(desk) as site:
        site.ask(f"/decide/{token}")
        site.post(f"/decide/{token}", decision="approve", word="wrong")
        site.ask(f"/decide/{token}/more")
        raw(site, f"GET /decide/{token} nonsense\r\n\r\n".encode())
        desk.failure = RuntimeError("x")
        site.ask(f"/decide/{token}")
        lines = str(site.log.lines)
    captured = capfd.readouterr()
    assert token not in captured.out + captured.err + caplog.text + lines
    assert "page failed" in lines


def test_an_ended_event_loop_gives_no_sign_of_life() -> None:
    pulse = server.Pulse()
    pulse.last = time.monotonic() + 600.0
    assert pulse.alive
    pulse.last = time.monotonic() - 6.0
    assert not pulse.alive


def test_a_forked_role_serves_and_ends(desk: Desk) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    token, port = desk.token(desk.put(item())), free_port()
    child = os.fork()
    if child == 0:
        ours.close()
        code = 70
        with contextlib.suppress(BaseException):
            code = serve(
                create_app(desk, Surroundings(english, Lines())), LOOPBACK, port, Channel(theirs, 5.0)
            )
        os._exit(code)
    theirs.close()
    with ours:
        assert receive_soon(ours) == {"state": "ready"}
        running = Site(Lines(), port, ours, [])
        assert running.ask(f"/decide/{token}").status == 200
        send(ours, {"drain": 5.0})
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
