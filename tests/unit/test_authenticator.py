"""What the release listener is told about logins: Dovecot's authentication protocol, over a real socket."""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from groupmilter.config.keys import create_secret, read_secret
from groupmilter.moderation.authenticator import Authenticator

LOGIN = "groupmilter-release"
SECONDS = 150.0


@dataclass
class Door:
    """A running authenticator."""

    path: Path
    secret: Path
    logged: LogCapture

    def connect(self) -> Smtpd:
        return Smtpd(self.path)

    def password(self) -> str:
        return read_secret(self.secret)


class Smtpd:
    """A client that says what Postfix's smtpd says (xsasl_dovecot_server.c)."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rb")
        self.socket.sendall(b"VERSION\t1\t0\nCPID\t4711\n")

    def greeting(self) -> list[str]:
        found: list[str] = []
        while not found or found[-1] != "DONE":
            found.append(self.line())
        return found

    def line(self) -> str:
        return self.lines.readline().decode().rstrip("\n")

    def ask(self, number: int, response: str | None, mechanism: str = "PLAIN") -> str:
        more = "" if response is None else f"\tresp={response}"
        self.say(f"AUTH\t{number}\t{mechanism}\tservice=smtp\tnologin\tlip=127.0.0.1\trip=127.0.0.1{more}\n")
        return self.line()

    def say(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def cut_off(self) -> bool:
        try:
            return self.line() == ""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


def plain(password: str, login: str = LOGIN, speaks_for: str = "") -> str:
    return b64encode(f"{speaks_for}\0{login}\0{password}".encode()).decode()


@pytest.fixture(name="door")
def _door(tmp_path: Path) -> Iterator[Door]:
    secret = tmp_path / "release.secret"
    create_secret(secret)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "sock"))
    listener.listen()
    stop = threading.Event()
    logged = LogCapture()
    log = structlog.wrap_logger(
        None, processors=[logged], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    answering = Authenticator(listener, LOGIN, lambda: read_secret(secret), log)
    thread = threading.Thread(target=answering.run, args=(stop,))
    thread.start()
    yield Door(tmp_path / "sock", secret, logged)
    stop.set()
    thread.join(SECONDS)
    listener.close()
    assert not thread.is_alive()


@pytest.fixture(name="smtpd")
def _smtpd(door: Door) -> Iterator[Smtpd]:
    client = door.connect()
    client.greeting()
    yield client
    client.close()


def test_the_greeting_offers_plain_and_nothing_else(door: Door) -> None:
    client = door.connect()
    lines = client.greeting()
    client.close()
    assert lines[0] == "VERSION\t1\t1"
    assert [line for line in lines if line.startswith("MECH")] == ["MECH\tPLAIN\tplaintext"]


def test_our_password_is_good_and_the_login_named(door: Door, smtpd: Smtpd) -> None:
    assert smtpd.ask(1, plain(door.password())) == f"OK\t1\tuser={LOGIN}"
    assert smtpd.ask(2, plain(door.password(), speaks_for=LOGIN)) == f"OK\t2\tuser={LOGIN}"


def test_a_response_may_come_when_asked_for(door: Door, smtpd: Smtpd) -> None:
    assert smtpd.ask(1, None) == "CONT\t1\t"
    smtpd.say(f"CONT\t1\t{plain(door.password())}\n")
    assert smtpd.line() == f"OK\t1\tuser={LOGIN}"


@pytest.mark.parametrize(
    "response",
    ["", "=", "%%%", plain(""), plain("wrong"), b64encode(b"\0\0").decode(), b64encode(b"\0\0\0\0").decode()],
)
def test_anything_else_is_refused(smtpd: Smtpd, response: str) -> None:
    assert smtpd.ask(1, response) == "FAIL\t1"


def test_nobody_else_gets_in_with_our_password(door: Door, smtpd: Smtpd) -> None:
    assert smtpd.ask(1, plain(door.password(), "root")) == "FAIL\t1"
    assert smtpd.ask(2, plain(door.password(), LOGIN, "root")) == "FAIL\t2"
    assert smtpd.ask(3, plain(door.password()), "LOGIN").startswith("FAIL\t3")


def test_an_answer_to_no_question_of_ours_opens_nothing(door: Door, smtpd: Smtpd) -> None:
    smtpd.say(f"CONT\t9\t{plain(door.password())}\n")
    assert smtpd.ask(10, plain(door.password())) == f"OK\t10\tuser={LOGIN}"


def test_a_new_password_holds_at_once(door: Door, smtpd: Smtpd) -> None:
    before = door.password()
    door.secret.unlink()
    create_secret(door.secret)
    assert smtpd.ask(1, plain(before)) == "FAIL\t1"
    assert smtpd.ask(2, plain(door.password())) == f"OK\t2\tuser={LOGIN}"


def test_without_a_password_nobody_gets_in(door: Door, smtpd: Smtpd) -> None:
    known = door.password()
    door.secret.unlink()
    assert smtpd.ask(1, plain(known)) == "FAIL\t1"
    door.secret.touch(0o600)
    assert smtpd.ask(2, plain("")) == "FAIL\t2"
    door.secret.chmod(0o644)
    assert smtpd.ask(3, plain(known)) == "FAIL\t3"


def test_a_password_is_in_no_line_of_the_log(door: Door, smtpd: Smtpd) -> None:
    smtpd.ask(1, plain("hush"))
    smtpd.ask(2, plain(door.password(), "root"))
    logged = str(door.logged.entries)
    assert logged.count("login refused") == 2
    assert "hush" not in logged
    assert door.password() not in logged


def test_lines_may_come_in_pieces(door: Door, smtpd: Smtpd) -> None:
    question = f"AUTH\t1\tPLAIN\tservice=smtp\tresp={plain(door.password())}\n"
    for octet in question:
        smtpd.say(octet)
    assert smtpd.line() == f"OK\t1\tuser={LOGIN}"


def test_who_never_ends_a_line_is_cut_off_and_others_go_on(door: Door, smtpd: Smtpd) -> None:
    endless = door.connect()
    endless.greeting()
    endless.say("x" * 20_000)
    assert endless.cut_off()
    endless.close()
    assert smtpd.ask(1, plain(door.password())).startswith("OK")


def test_many_ask_at_once(door: Door) -> None:
    clients = [door.connect() for _ in range(100)]
    for client in clients:
        client.greeting()
    assert {client.ask(1, plain(door.password())) for client in clients} == {f"OK\t1\tuser={LOGIN}"}
    for client in clients:
        client.close()
