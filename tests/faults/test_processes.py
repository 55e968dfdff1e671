"""Processes that are killed, hang, are replaced or lose their parent: what the MTA notices of it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.milter_client import MilterClient
from tests.support.ports import LOOPBACK, free_port
from tests.support.supervised import (
    DEADLINE,
    PROGRAM,
    Supervised,
    answerer,
    eventually,
    is_ours,
    supervised,
    who,
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Supervised]:
    with supervised(tmp_path) as found:
        yield found


def test_two_workers_share_one_socket(running: Supervised) -> None:
    workers = running.children()
    assert len(workers) == 2
    seen: set[int] = set()

    def both() -> bool:
        seen.add(answerer(running.address)[1])
        return seen == workers

    assert eventually(both, "both workers answer")


def test_a_drain_lets_an_open_session_finish_while_new_ones_go_to_the_new_worker(running: Supervised) -> None:
    with MilterClient(running.address) as client:
        client.connect()
        old = who(client)
        running.write(tag="second")
        assert running.ask("reload") == {"ok": True, "generation": 2}
        new = running.settle(generation=2)
        assert {answerer(running.address) for _ in range(20)} <= {("second", pid) for pid in new}
        assert who(client) == old
        assert old[1] in running.children(stage="draining")
    eventually(lambda: not is_ours(old[1]), "the old worker ends with its last session")
    assert "killing" not in running.events()


def test_a_connection_that_has_not_spoken_yet_is_not_lost_by_a_drain(tmp_path: Path) -> None:
    with supervised(tmp_path, workers=1) as running, socket.socket(socket.AF_UNIX) as silent:
        (old,) = running.children()
        silent.connect(str(tmp_path / "milter.sock"))
        assert answerer(running.address)[1] == old  # so it has accepted the earlier one, too
        running.ask("replace")
        running.settle(generation=2)
        eventually(lambda: old in running.children(stage="draining"), "draining")
        negotiation = b"\0\0\0\x0dO" + (6).to_bytes(4, "big") + (0x1FF).to_bytes(4, "big") + bytes(4)
        silent.sendall(negotiation)
        silent.settimeout(DEADLINE)
        assert silent.recv(5)[4:] == b"O"
        assert is_ours(old)
        silent.shutdown(socket.SHUT_RDWR)
        eventually(lambda: not is_ours(old), "the old worker ends with its last connection")


@pytest.mark.parametrize("kind", ["unix", "inet"])
@pytest.mark.parametrize("replacement", [False, True], ids=["fd", "without-fd"])
def test_replacing_under_load_loses_no_connection(tmp_path: Path, kind: str, replacement: bool) -> None:
    listen: dict[str, object] = {"kind": "unix", "place": str(tmp_path / "milter.sock")}
    if kind == "inet":
        listen = {"kind": "inet", "place": LOOPBACK, "port": free_port()}
    with supervised(tmp_path, listen=listen, replacement=replacement) as running:
        answers: list[tuple[str, int]] = []
        failures: list[BaseException] = []

        def load() -> None:
            try:
                answers.extend(answerer(running.address) for _ in range(100))
            except (OSError, AssertionError, ValueError) as error:
                failures.append(error)

        callers = [threading.Thread(target=load) for _ in range(2)]
        for caller in callers:
            caller.start()
        for generation in range(2, 7):
            running.write(tag=f"tag{generation}")
            assert running.ask("reload")["ok"]
            running.settle(generation)
        for caller in callers:
            caller.join()
        assert failures == []
        assert len(answers) == 200
        assert answerer(running.address)[0] == "tag6"
        eventually(lambda: not running.children(stage="draining"), "drained")
        assert not {"killing", "ended unexpectedly"} & set(running.events())


def test_a_killed_worker_is_replaced(running: Supervised) -> None:
    victim = min(running.children())
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(running.children() - {victim}) == 2, "two workers again")
    assert victim not in running.children()
    assert answerer(running.address)[0] == "first"
    (line,) = [line for line in running.log() if line["event"] == "ended unexpectedly"]
    assert (line["pid"], line["code"]) == (victim, -signal.SIGKILL)


def test_a_worker_that_is_told_to_end_by_hand_leaves_the_socket_to_the_others(running: Supervised) -> None:
    victim = min(running.children())
    os.kill(victim, signal.SIGTERM)  # libmilter's own stop, which removes its socket's path if it knows one
    with MilterClient(running.address) as client:
        client.connect()
        eventually(lambda: len(running.children() - {victim}) == 2, "two workers again")
    assert answerer(running.address)[1] in running.children()


def test_workers_drain_and_end_when_the_supervisor_is_killed(running: Supervised) -> None:
    with MilterClient(running.address) as client:
        client.connect()
        _, busy = who(client)
        (idle,) = running.children() - {busy}
        running.signal(signal.SIGKILL)
        running.ended()
        eventually(lambda: not is_ours(idle), "the idle worker ends")
        assert who(client)[1] == busy
    eventually(lambda: not is_ours(busy), "the busy worker ends after its session")
    with supervised(running.folder) as again:  # stale sockets are no hindrance
        assert answerer(again.address)[0] == "first"


def test_term_lets_open_sessions_finish_and_takes_no_new_ones(running: Supervised) -> None:
    with MilterClient(running.address) as client:
        client.connect()
        who(client)
        running.signal(signal.SIGTERM)
        eventually(lambda: running.ask("status")["stopping"], "stopping")
        eventually(lambda: not (running.folder / "milter.sock").exists(), "socket gone")
        assert who(client)[0] == "first"
    assert running.ended() == 0
    assert not any(is_ours(pid) for pid in running.started())
    assert "killing" not in running.events()


def test_sessions_that_do_not_end_are_cut_after_the_time_for_a_stop(tmp_path: Path) -> None:
    with supervised(tmp_path, stop=0.5) as running, MilterClient(running.address) as client:
        client.connect()
        who(client)
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        assert "cutting sessions, their time is over" in running.events()
        with pytest.raises(OSError, match=r"closed|reset|pipe"):
            who(client)
        client.drop()


def test_a_second_term_kills(running: Supervised) -> None:
    with MilterClient(running.address) as client:
        client.connect()
        who(client)
        running.signal(signal.SIGTERM)
        eventually(lambda: "stopping" in running.events(), "stopping")
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        client.drop()
    assert "killing" in running.events()


def test_ctrl_c_reaches_the_supervisor_only(running: Supervised) -> None:
    with MilterClient(running.address) as client:
        client.connect()
        who(client)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
        eventually(lambda: "stopping" in running.events(), "stopping")
        assert who(client)[0] == "first"
    assert running.ended() == 0
    assert not {"ended unexpectedly", "killing"} & set(running.events())


def test_hup_with_a_bad_configuration_keeps_the_old_one(running: Supervised) -> None:
    before = running.children()
    (running.folder / "settings.json").write_text("no JSON")
    running.signal(signal.SIGHUP)
    eventually(lambda: any(e.startswith("reload refused") for e in running.events()), "refused")
    assert running.ask("status")["generation"] == 1
    assert running.children() == before
    answer = running.ask("reload")
    assert answer["ok"] is False
    assert "Expecting value" in answer["errors"][0]
    assert answerer(running.address)[0] == "first"


def test_hup_with_a_good_configuration_puts_it_in_force(running: Supervised) -> None:
    running.write(tag="second", workers=3)
    running.signal(signal.SIGHUP)
    assert len(running.settle(generation=2)) == 3
    assert answerer(running.address)[0] == "second"


def test_a_configuration_whose_workers_do_not_start_leaves_the_old_ones_at_work(running: Supervised) -> None:
    before = running.children()
    running.write(tag="second", crash=True)
    assert running.ask("reload")["ok"]
    eventually(lambda: running.events().count("ended unexpectedly") >= 3, "three attempts")
    assert running.children() == before
    assert answerer(running.address)[0] == "first"
    running.write(tag="third", crash=False)
    assert running.ask("reload")["ok"]
    running.settle(generation=3)
    assert answerer(running.address)[0] == "third"


def test_a_worker_with_a_hanging_callback_is_replaced_and_its_other_sessions_go_on(tmp_path: Path) -> None:
    with (
        supervised(tmp_path, workers=1, drain=4.0, stall=3.0) as running,
        MilterClient(running.address) as other,
    ):
        other.connect()
        _, stuck = who(other)
        with MilterClient(running.address) as hung:
            hung.connect()
            waiting = threading.Thread(target=_mail_that_hangs, args=(hung,))
            waiting.start()
            eventually(lambda: stuck in running.children(stage="draining"), "its time begins")
            assert who(other)[1] == stuck
            assert running.settle().isdisjoint({stuck})
            assert answerer(running.address)[1] != stuck
            eventually(lambda: not is_ours(stuck), "the stuck worker ends when its time is over")
            waiting.join()
            hung.drop()
        other.drop()
        assert "callback hangs" in running.events()


def _mail_that_hangs(client: MilterClient) -> None:
    with pytest.raises(OSError, match=r"closed|reset|pipe"):
        client.mail("hang@example.org")


def test_a_frozen_worker_is_killed_and_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path, workers=1, stall=3.0, acknowledge=3.0) as running:
        (frozen,) = running.children()
        os.kill(frozen, signal.SIGSTOP)
        eventually(lambda: running.children() - {frozen}, "a new worker")
        eventually(lambda: not is_ours(frozen), "the frozen one is gone")
        assert "killing" in running.events()
        assert answerer(running.address)[1] in running.children()


def test_other_roles_do_not_hold_the_listening_socket_nor_other_channels(tmp_path: Path) -> None:
    with supervised(tmp_path, idle=True) as running:
        (idle,) = running.children(role="idle")
        inherited = _open_in(idle)
        assert sum(name.startswith("socket:") for name in inherited) == 1
        for generation in range(2, 5):
            running.ask("replace")
            running.settle(generation)
        eventually(lambda: not running.children(role="idle", stage="draining"), "drained")
        (last,) = running.children(role="idle")
        assert len(_open_in(last)) == len(inherited)


def _open_in(pid: int) -> list[str]:
    """What a process has open, but for folders: it looks into one every now and then, as we do here."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += [str(link.readlink())] if not link.is_dir() else []
    return found


def test_nothing_is_left_open_or_dead_in_the_supervisor_after_replacements(running: Supervised) -> None:
    def descriptors() -> int:
        return len(list(Path(f"/proc/{running.pid}/fd").iterdir()))

    before = descriptors()
    for generation in range(2, 6):
        running.ask("replace", role="milter")
        running.settle(generation)
    eventually(lambda: descriptors() <= before, "no more descriptors than before")
    eventually(lambda: _children_of(running.pid) == running.children(), "no zombie, and nobody forgotten")


def _children_of(pid: int) -> set[int]:
    """Return the children that the kernel knows, dead ones that nobody waited for among them."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_a_second_instance_does_not_take_the_socket_away(running: Supervised, tmp_path: Path) -> None:
    other = Supervised(tmp_path / "other", running.settings | {"control": str(tmp_path / "c2")}, {})
    other.folder.mkdir()
    other.start()
    assert other.ended() == 1
    assert "somebody listens there already" in (other.folder / "log").read_text()
    assert answerer(running.address)[0] == "first"


def test_a_socket_from_systemd_survives_and_bridges_a_restart(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(tmp_path / "milter.sock"))
        given.listen()
        running = Supervised(tmp_path, {}, {"LISTEN_FDS": "1"})
        _start_activated(running, given)
        try:
            running.settle()
            assert answerer(running.address)[0] == "first"
            running.signal(signal.SIGTERM)
            assert running.ended() == 0
            with MilterClientInBackground(running.address) as waiting:
                running.write(tag="second")
                _start_activated(running, given)
                assert waiting.answer()[0] == "second"
        finally:
            running.kill()


def _start_activated(running: Supervised, given: socket.socket) -> None:
    """Start as systemd does: the socket is descriptor 3, LISTEN_PID is the process itself."""
    number = given.fileno()
    become = (
        f"import os, sys; os.dup2({number}, 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    running.start(program=[sys.executable, "-c", become, *PROGRAM], pass_fds=(number,))


class MilterClientInBackground:
    """A client that connects now and may have to wait for its answer."""

    def __init__(self, address: str) -> None:
        self._answers: list[tuple[str, int]] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(answerer(address)))

    def __enter__(self) -> MilterClientInBackground:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(DEADLINE)

    def answer(self) -> tuple[str, int]:
        """Return the answer, as `answerer` does."""
        self._thread.join(DEADLINE)
        return self._answers[0]


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_what_goes_on(tmp_path: Path, abstract: bool) -> None:
    place = f"\0groupmilter-{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(place)
        systemd.settimeout(DEADLINE)
        environment = {"NOTIFY_SOCKET": place.replace("\0", "@"), "WATCHDOG_USEC": "3000000"}
        with supervised(tmp_path, environment) as running:
            assert "READY=1" in _heard(systemd, "READY=1")
            assert "STATUS=milter 2/2" in _heard(systemd, "WATCHDOG=1")
            running.signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in _heard(systemd, "RELOADING=1")
            assert _heard(systemd, "READY=1")
            running.signal(signal.SIGTERM)
            assert _heard(systemd, "STOPPING=1")
            assert running.ended() == 0


def _heard(systemd: socket.socket, line: str) -> str:
    while line not in (message := systemd.recv(4096).decode()).split("\n"):
        pass
    return message
