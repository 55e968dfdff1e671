"""The control socket of a running supervisor: nonsense, stopping, and who is heard."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.supervised import DEADLINE, Supervised, eventually, supervised

from groupmilter.supervision import ControlError, ask


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Supervised]:
    with supervised(tmp_path) as found:
        yield found


def test_the_control_socket_answers_nonsense_with_errors(running: Supervised) -> None:
    assert running.ask("dance")["errors"] == ["wants a command: status, reload, replace or stop"]
    assert running.ask("replace", role="panel")["errors"] == ["there is no role panel; there are milter"]
    with socket.socket(socket.AF_UNIX) as raw, raw.makefile("rb") as lines:
        raw.settimeout(DEADLINE)
        raw.connect(str(running.folder / "control.sock"))
        raw.sendall(b"nonsense\n[1]\n" + b'{"command": "status"}\n')
        answers = [lines.readline() for _ in range(3)]
        assert [b'"ok": false' in answer for answer in answers] == [True, True, False]
        with suppress(ConnectionError):  # cut off before all is said, where it is read that soon
            raw.sendall(b"x" * 200_000)
        assert eventually(lambda: _is_cut(raw), "a client that talks too much is cut off")
    assert len(running.children()) == 2


def _is_cut(raw: socket.socket) -> bool:
    try:
        return raw.recv(100) == b""
    except ConnectionError:
        return True


def test_the_control_socket_stops(running: Supervised) -> None:
    assert running.ask("stop") == {"ok": True}
    assert running.ended() == 0
    with pytest.raises(ControlError, match="is groupmilter running"):
        running.ask("status")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_the_control_socket_hears_only_root_and_its_own_user(running: Supervised) -> None:
    control = running.folder / "control.sock"
    for folder in (control, *list(control.parents)[:-2]):
        folder.chmod(0o777)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        try:
            os.write(writer, str(ask(control, {"command": "stop"})).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        assert "only root and the user of groupmilter may command" in answer.read()
    assert running.ask("status")["stopping"] is False
