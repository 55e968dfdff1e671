"""Submitting to a listener of the MTA's that takes its time. The listener is played over a real socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from groupmilter.moderation.submission import Door, Envelope, NotSubmitted, Submitter

ENVELOPE = Envelope("x@out.example", (("release@groups.own.example", ""),))
MESSAGE = b"Subject: slow\n\nBonjour\n"
PATIENCE = 2.0
"""Seconds after which an answer that never comes has not come."""
GENEROUS = 150.0
ANSWERS = {
    "EHLO": b"250-mx.example\r\n250 AUTH PLAIN\r\n",
    "AUTH": b"235 2.7.0 welcome\r\n",
    "DATA": b"354 go on\r\n",
}


@contextmanager
def listener(slow_at: str, wait: Callable[[], object]) -> Iterator[int]:
    """An SMTP server for one session that waits for something before it answers a command (``.``: the final dot)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, slow_at, wait), daemon=True).start()
        yield server.getsockname()[1]


def _serve(server: socket.socket, slow_at: str, wait: Callable[[], object]) -> None:
    connection = server.accept()[0]
    with connection, connection.makefile("rwb") as stream:
        stream.write(b"220 mx.example ESMTP\r\n")
        stream.flush()
        in_data = False
        for line in stream:
            said = line.decode("ascii").strip()
            word = said.partition(" ")[0].upper()
            if in_data and said != ".":
                continue
            in_data = word == "DATA"
            if word == slow_at:
                wait()
            stream.write(ANSWERS.get(word, b"250 2.0.0 Ok: queued as 4F2A0B3C5D\r\n"))
            stream.flush()


def test_the_answer_to_the_final_dot_is_waited_for_longer_than_any_other() -> None:
    """Looked at while it waits, for nobody knows how slow this machine is: RFC 5321 says ten minutes."""
    patience = list[float | None]()

    def look() -> None:
        deadline = time.monotonic() + GENEROUS
        while (seconds := waiting()) == GENEROUS and time.monotonic() < deadline:
            time.sleep(0.01)
        patience.append(seconds)

    def waiting() -> float | None:
        session = submitter._session
        assert session is not None
        assert session.sock is not None
        return session.sock.gettimeout()

    with listener(".", look) as port:
        submitter = Submitter(Door("127.0.0.1", port, "us", lambda: "secret", GENEROUS))
        assert submitter.submit(ENVELOPE, MESSAGE) == "4F2A0B3C5D"
        assert patience == [600.0], "given up earlier, it would be delivered again"
        assert waiting() == GENEROUS, "and as before for all that comes then"
        submitter.close()


def test_who_is_silent_before_it_is_given_up() -> None:
    ended = threading.Event()
    with listener("RCPT", ended.wait) as port:
        submitter = Submitter(Door("127.0.0.1", port, "us", lambda: "secret", PATIENCE))
        with pytest.raises(NotSubmitted) as silent:
            submitter.submit(ENVELOPE, MESSAGE)
        assert silent.value.code == 0
        assert "timed out" in str(silent.value)
    ended.set()
