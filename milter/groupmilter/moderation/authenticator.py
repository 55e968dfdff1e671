"""Telling Postfix whether who logs in on the release listener is us.

The listener asks over a Unix socket in Dovecot's authentication protocol, which every Postfix speaks: so the password
stands in one file only, ours, and nothing has to be installed or kept in step. A client that talks nonsense is cut
off; a password file that can't be read lets nobody in, and is logged. Sources: Dovecot's authentication protocol,
version 1; SASL_README; RFC 4616 (PLAIN).
"""

from __future__ import annotations

import binascii
import hmac
import os
import secrets
import selectors
import socket
import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.config.load import ConfigurationError

_LONGEST = 8192
_MOST_CLIENTS = 200
_LOOK = 0.5
_MECHANISM = "PLAIN"


@dataclass(slots=True)
class _Client:
    """One smtpd process; it stays connected for as long as it lives.

    :param asked: requests whose credential is still to come.
    """

    connection: socket.socket
    asked: set[str]
    unread: bytes = b""


class Authenticator:
    """Answers one login and its password.

    :param listener: a listening Unix socket that only the MTA may connect to.
    :param secret: reads the password; asked anew each time, so that a new one holds at once.
    """

    def __init__(
        self, listener: socket.socket, login: str, secret: Callable[[], str], log: FilteringBoundLogger
    ) -> None:
        self._listener = listener
        self._login = login
        self._secret = secret
        self._log = log
        self._selector = selectors.DefaultSelector()
        self._clients: set[socket.socket] = set()

    def run(self, stop: threading.Event) -> None:
        """Answer until told to stop."""
        self._listener.settimeout(0)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        while not stop.is_set():
            for key, _ in self._selector.select(_LOOK):
                if key.data is None:
                    self._accept()
                else:
                    self._receive(key.data)
        for connection in tuple(self._clients):
            self._dismiss(connection)
        self._selector.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # Gone again, or nothing left to accept with: the client sees no answer and tries again.
            return
        if len(self._clients) >= _MOST_CLIENTS:
            connection.close()
            return
        connection.settimeout(0)
        self._clients.add(connection)
        self._selector.register(connection, selectors.EVENT_READ, _Client(connection, set()))
        self._send(connection, *_greeting())

    def _receive(self, client: _Client) -> None:
        try:
            octets = client.connection.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        *lines, client.unread = (client.unread + octets).split(b"\n")
        if not octets or len(client.unread) > _LONGEST:
            self._dismiss(client.connection)
            return
        for line in lines:
            answer = self._answer(client, line.decode("utf-8", "replace").split("\t"))
            if answer:
                self._send(client.connection, answer)

    def _answer(self, client: _Client, words: list[str]) -> str:
        """Return the line that answers one of the client's; empty where it wants none."""
        match words:
            case ["AUTH", number, mechanism, *parameters]:
                response = next((p.partition("=")[2] for p in parameters if p.startswith("resp=")), None)
                if mechanism.upper() != _MECHANISM:
                    return f"FAIL\t{number}\treason=Unsupported mechanism"
                if response is None and len(client.asked) < _MOST_CLIENTS:
                    client.asked.add(number)
                    return f"CONT\t{number}\t"
                return self._judge(number, response or "")
            case ["CONT", number, response] if number in client.asked:
                client.asked.discard(number)
                return self._judge(number, response)
        return ""

    def _judge(self, number: str, response: str) -> str:
        if self._good(response):
            return f"OK\t{number}\tuser={self._login}"
        self._log.warning("login refused at the release listener")
        return f"FAIL\t{number}"

    def _good(self, response: str) -> bool:
        try:
            given = b64decode(response, validate=True).split(b"\0")
            secret = self._secret()
        except (binascii.Error, ValueError):
            return False
        except ConfigurationError as error:
            self._log.error("no password for the release listener", why=str(error))
            return False
        name = self._login.encode()
        if len(given) != 3 or given[0] not in (b"", name) or not secret:
            return False
        known = hmac.compare_digest(given[1], name)
        return hmac.compare_digest(given[2], secret.encode()) and known

    def _send(self, connection: socket.socket, *lines: str) -> None:
        """Send lines; who doesn't take a few octets is cut off."""
        octets = "".join(f"{line}\n" for line in lines).encode()
        try:
            sent = connection.send(octets)
        except OSError:
            sent = 0
        if sent < len(octets):
            self._dismiss(connection)

    def _dismiss(self, connection: socket.socket) -> None:
        if connection in self._clients:
            self._clients.discard(connection)
            self._selector.unregister(connection)
            connection.close()


def _greeting() -> tuple[str, ...]:
    return (
        "VERSION\t1\t1",
        f"MECH\t{_MECHANISM}\tplaintext",
        f"SPID\t{os.getpid()}",
        f"CUID\t{secrets.randbits(31)}",
        f"COOKIE\t{secrets.token_hex(16)}",
        "DONE",
    )
