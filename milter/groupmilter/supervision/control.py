"""The control socket: one JSON object a line in, one JSON object a line out, over a Unix stream socket.

Commands: ``{"command": "status"}``, ``reload``, ``replace`` (with ``"role"``, or all), ``stop``. Answers have
``ok``; where it is false, ``errors`` is a list of text. Only root and the supervisor's own user are heard
(SO_PEERCRED, unix(7)), whatever the file's mode. A client that is slow, mute or talks too much is cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

_LARGEST = 65_536
_CREDENTIALS = struct.Struct("3i")

Answer = dict[str, object]


class ControlError(Exception):
    """The supervisor can't be reached or doesn't answer; the text is for the operator."""


class Client:
    """One connection to the control socket, in the supervisor.

    :param answer: carries a request out.
    :param until: monotonic second at which the connection is closed, whatever it waits for.
    """

    def __init__(
        self, connection: socket.socket, answer: Callable[[Mapping[str, object]], Answer], until: float
    ) -> None:
        self.connection = connection
        self.until = until
        self._answer = answer
        self._received = b""

    def receive(self) -> bool:
        """Read and answer what is there; False when the connection is over."""
        try:
            octets = self.connection.recv(_LARGEST)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._received += octets
        *lines, self._received = self._received.split(b"\n")
        whole = bool(octets) and len(self._received) <= _LARGEST
        return all(self._reply(line) for line in lines) and whole

    def _reply(self, line: bytes) -> bool:
        answer = self._answer_to(line)
        try:
            self.connection.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            return False
        return True

    def _answer_to(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return refusal("not JSON")
        if not isinstance(request, dict):
            return refusal("wants a JSON object")
        if not may_command(self.connection):
            return refusal("only root and the user of groupmilter may command")
        return self._answer(request)


def refusal(*errors: str) -> Answer:
    """Return the answer to a command that was not carried out."""
    return {"ok": False, "errors": list(errors)}


def may_command(connection: socket.socket) -> bool:
    """Say whether the other end is root or our own user."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(found)
    return user in {0, os.geteuid()}


def ask(path: Path, command: Mapping[str, object], timeout: float = 60.0) -> Answer:
    """Send one command to the supervisor that listens at ``path`` and return its answer.

    :param timeout: seconds for connecting, and again for each read.
    :raises ControlError: where nobody listens, we are not allowed to, or there is no answer.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(timeout)
            wire.connect(str(path))
            wire.sendall(json.dumps(dict(command)).encode() + b"\n")
            with wire.makefile("rb") as lines:
                answer = json.loads(lines.readline())
    except TimeoutError as error:
        raise ControlError(f"{path}: no answer within {timeout:g} s") from error
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror or error}; is groupmilter running?") from error
    except ValueError as error:
        raise ControlError(f"{path}: the connection ended without an answer") from error
    if not isinstance(answer, dict):
        raise ControlError(f"{path}: not an answer of groupmilter")
    return answer


def accept(listener: socket.socket) -> socket.socket | None:
    """Return the next connection, nonblocking; None where there is none after all."""
    with contextlib.suppress(OSError):
        connection, _ = listener.accept()
        connection.settimeout(0)
        return connection
    return None
