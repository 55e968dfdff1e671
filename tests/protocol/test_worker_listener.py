"""The listening socket: made, replaced when stale, inherited; and what a process counts as its connections."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from tests.support.ports import LOOPBACK, free_port

from groupmilter.config.places import Listen
from groupmilter.mta.drain import connections, descriptors
from groupmilter.mta.listener import inherited_listener, open_listener, open_unix


def test_a_unix_socket_has_its_mode_and_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    listener = open_listener(Listen("unix", path=path), mode=0o620)
    assert stat.S_IMODE(path.stat().st_mode) == 0o620
    assert listener.socket.getblocking() is False
    assert not os.get_inheritable(listener.fileno())
    listener.close()
    assert not path.exists()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = open_listener(Listen("unix", path=path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listener.close()


def test_a_socket_where_somebody_listens_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    first = open_listener(Listen("unix", path=path))
    with pytest.raises(OSError, match=f"unix:{path}: somebody listens there already"):
        open_listener(Listen("unix", path=path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    first.close()


def test_another_instances_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    first = open_listener(Listen("unix", path=path))
    path.unlink()
    second = open_unix(path, mode=0o600)
    first.close()
    assert path.is_socket()
    second.close()


def test_a_file_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    path.write_text("precious")
    with pytest.raises(OSError, match="is there, and is not a socket"):
        open_listener(Listen("unix", path=path))
    assert path.read_text() == "precious"


def test_a_group_that_does_not_exist(tmp_path: Path) -> None:
    before = descriptors()
    with pytest.raises(OSError, match="there is no group nosuchgroup"):
        open_listener(Listen("unix", path=tmp_path / "milter.sock"), group="nosuchgroup")
    assert descriptors() == before
    listener = open_listener(
        Listen("unix", path=tmp_path / "milter.sock")
    )  # what the attempt left is no hindrance
    listener.close()


@pytest.mark.parametrize(("kind", "host"), [("inet", LOOPBACK), ("inet6", "::1")])
def test_tcp_answers_without_delay(kind: str, host: str) -> None:
    port = free_port()
    listener = open_listener(Listen(kind, host=host, port=port))
    with socket.create_connection((host, port)):
        listener.socket.setblocking(True)
        accepted, _ = listener.socket.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    listener.close()


def test_a_port_in_use_is_named() -> None:
    port = free_port()
    listener = open_listener(Listen("inet", host=LOOPBACK, port=port))
    with pytest.raises(OSError, match=f"inet:{port}@{LOOPBACK}: Address already in use"):
        open_listener(Listen("inet", host=LOOPBACK, port=port))
    listener.close()


def test_a_descriptor_must_listen() -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        with pytest.raises(OSError, match="not a listening stream socket"):
            open_listener(Listen("fd", port=deaf.fileno()))
        assert deaf.getsockname() == ""


@pytest.mark.parametrize(
    "environment",
    [{}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": "8"}, {"LISTEN_FDS": "0", "LISTEN_PID": "7"}],
)
def test_nothing_is_inherited_that_is_not_meant_for_us(environment: dict[str, str]) -> None:
    assert inherited_listener(environment, pid=7) is None


def test_one_socket_is_inherited_and_no_more() -> None:
    with pytest.raises(OSError, match="systemd passed 2 sockets"):
        inherited_listener({"LISTEN_FDS": "2", "LISTEN_PID": "7"}, pid=7)


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_connections_count_from_accept_to_close(tmp_path: Path, kind: str) -> None:
    port = free_port()
    address = (
        Listen("unix", path=tmp_path / "s") if kind == "unix" else Listen("inet", host=LOOPBACK, port=port)
    )
    listener = open_listener(address)
    local = listener.socket.getsockname()
    with socket.socket(listener.socket.family) as client:
        client.connect(local)
        assert connections(local) == 0
        listener.socket.setblocking(True)
        accepted, _ = listener.socket.accept()
        assert connections(local) == 1
        accepted.close()
        assert connections(local) == 0
    listener.close()
