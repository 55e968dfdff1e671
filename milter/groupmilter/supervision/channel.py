"""The channel between the supervisor and one child: a socket pair of whole messages (unix(7), SOCK_SEQPACKET).

It is the only control there is: libmilter keeps HUP, TERM and INT for itself. A closed channel means that the
other side is dead. Sending never blocks: a sign of life that finds no room is dropped, which is right, since
the reader is late and there are older ones before it.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Mapping

_LARGEST = 65_536

Detail = Mapping[str, int | float | str]


class Channel:
    """The child's end.

    :param grace: seconds that the child gives itself when the supervisor is gone.
    """

    def __init__(self, connection: socket.socket, grace: float) -> None:
        self._connection = connection
        self._grace = grace
        self._orphaned = False

    def ready(self) -> None:
        """Say that this process does its work from now on."""
        send(self._connection, {"state": "ready"})

    def alive(self, detail: Detail | None = None) -> None:
        """Give a sign of life, with figures for ``status``."""
        send(self._connection, {"state": "alive", "detail": dict(detail or {})})

    def draining(self) -> None:
        """Acknowledge that nothing new is begun any more."""
        send(self._connection, {"state": "draining"})

    def wait(self, timeout: float) -> float | None:
        """Wait up to ``timeout`` seconds for the order to drain.

        :returns: the seconds left for it, or None while the work goes on. May come again with fewer seconds.
            A dead supervisor is the order to drain, given once.
        """
        if self._orphaned:
            time.sleep(timeout)
            return None
        if not _readable(self._connection, timeout):
            return None
        order = receive(self._connection)
        if order is None:
            self._orphaned = True
            return self._grace
        grace = order.get("drain")
        return float(grace) if isinstance(grace, int | float) else None


def send(connection: socket.socket, message: Mapping[str, object]) -> None:
    """Send one message; a full or dead channel drops it (the reader's end tells of a death)."""
    try:
        connection.send(json.dumps(message).encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except (BlockingIOError, BrokenPipeError, ConnectionError):
        return


def receive(connection: socket.socket) -> dict[str, object] | None:
    """Return the next message, None at the end of the channel.

    :raises BlockingIOError: where there is none now.
    """
    try:
        octets = connection.recv(_LARGEST, socket.MSG_DONTWAIT)
    except ConnectionError:
        return None
    if not octets:
        return None
    message = json.loads(octets)
    return message if isinstance(message, dict) else {}


def _readable(connection: socket.socket, timeout: float) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout) * 1000))
