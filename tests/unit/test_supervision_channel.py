"""The channel's and systemd's messages over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from groupmilter.supervision import Channel, ControlError, Notifier, ask
from groupmilter.supervision.channel import receive, send


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Channel]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, Channel(theirs, grace=42.0)


def test_a_child_says_how_it_is(ends: tuple[socket.socket, Channel]) -> None:
    ours, channel = ends
    channel.ready()
    channel.alive({"sessions": 3})
    channel.draining()
    assert [receive(ours) for _ in range(3)] == [
        {"state": "ready"},
        {"state": "alive", "detail": {"sessions": 3}},
        {"state": "draining"},
    ]
    with pytest.raises(BlockingIOError):
        receive(ours)


def test_a_child_is_told_to_drain(ends: tuple[socket.socket, Channel]) -> None:
    ours, channel = ends
    assert channel.wait(0.0) is None
    send(ours, {"drain": 7})
    assert channel.wait(10.0) == 7.0
    assert channel.wait(0.0) is None


def test_a_child_without_a_supervisor_drains_once_with_its_own_time(
    ends: tuple[socket.socket, Channel],
) -> None:
    ours, channel = ends
    ours.close()
    assert channel.wait(10.0) == 42.0
    assert channel.wait(0.0) is None
    channel.alive()  # nobody hears it, and nothing breaks


def test_signs_of_life_that_nobody_reads_are_dropped(ends: tuple[socket.socket, Channel]) -> None:
    ours, channel = ends
    for _ in range(5000):
        channel.alive({"sessions": 1})
    assert receive(ours) == {"state": "alive", "detail": {"sessions": 1}}


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, abstract: bool) -> None:
    place = f"\0groupmilter-unit-{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(place)
        Notifier(place.replace("\0", "@")).tell("READY=1", "STATUS=well")
        assert systemd.recv(100) == b"READY=1\nSTATUS=well"


def test_nobody_is_told_without_systemd() -> None:
    Notifier.from_environment({}, 1).tell("READY=1")
    with pytest.raises(FileNotFoundError):
        Notifier("/nonexistent/notify").tell("READY=1")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_read_from_the_environment(environment: dict[str, str], seconds: float) -> None:
    assert Notifier.from_environment(environment, 7).watchdog == seconds


def test_a_control_socket_where_nobody_is(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"No such file or directory; is groupmilter running\?"):
        ask(tmp_path / "none", {"command": "status"})


def test_a_control_socket_that_says_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute"))
        mute.listen()
        with pytest.raises(ControlError, match="no answer within"):
            ask(tmp_path / "mute", {"command": "status"}, timeout=0.05)
