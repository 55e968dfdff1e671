"""Submitting to a listener of the MTA's that takes its time. The listener is played over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from groupmilter.moderation.submission import Door, Envelope, NotSubmitted, Submitter

ENVELOPE = Envelope("x@out.example", (("release@groups.own.example", ""),))
MESSAGE = b"Subject: slow\n\nBonjour\n"
PATIENCE = 2.0
ANSWERS = {
    "EHLO": b"250-mx.example\r\n250 AUTH PLAIN\r\n",
    "AUTH": b"235 2.7.0 welcome\r\n",
    "DATA": b"354 go on\r\n",
}


@contextmanager
def listener(slow_at: str, delay: threading.Event) -> Iterator[int]:
    """An SMTP server for one session that answers a command (``.`` for the final dot) only after a while."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, slow_at, delay), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        delay.set()


def _serve(server: socket.socket, slow_at: str, delay: threading.Event) -> None:
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
                delay.wait(2 * PATIENCE)
            stream.write(ANSWERS.get(word, b"250 2.0.0 Ok: queued as 4F2A0B3C5D\r\n"))
            stream.flush()


def test_the_answer_to_the_final_dot_is_waited_for_longer_than_any_other() -> None:
    with listener(".", threading.Event()) as port:
        submitter = Submitter(Door("127.0.0.1", port, "us", lambda: "secret", PATIENCE))
        assert submitter.submit(ENVELOPE, MESSAGE) == "4F2A0B3C5D", "given up, it would be delivered again"
        submitter.close()


def test_who_is_silent_before_it_is_given_up() -> None:
    with listener("RCPT", threading.Event()) as port:
        submitter = Submitter(Door("127.0.0.1", port, "us", lambda: "secret", PATIENCE))
        with pytest.raises(NotSubmitted) as silent:
            submitter.submit(ENVELOPE, MESSAGE)
        assert silent.value.code == 0
        assert "timed out" in str(silent.value)
