"""A milter that writes down every packet it gets: what an MTA really sends, octet by octet.

It speaks the milter protocol itself (no libmilter in between), on a TCP port of 127.0.0.1, one thread for
each connection. It answers "continue" to everything, unless `answers` has another reply for that very packet.

It fails with `TimeoutError` when the packets waited for do not come.
"""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.milter_protocol import NEVER_ANSWERED, NOT_ANSWERED, Packet, frame, read_packet

_DEADLINE = 150.0


@dataclass(kw_only=True)
class MilterRecorder:
    """The recorder as a context manager.

    `actions` and `protocol` are the masks it asks for (actions None: all that is offered; protocol 0: every
    callback, with a reply); `macros`: its choice of macros, stage number to names. `answers` maps a packet to
    the reply's octets (letter and text), for what shall not be "continue"; empty: the connection is closed.
    """

    actions: int | None = None
    protocol: int = 0
    macros: dict[int, str] = field(default_factory=dict)
    answers: dict[Packet, bytes] = field(default_factory=dict)
    _listener: socket.socket | None = field(default=None, init=False)
    _sessions: list[list[Packet]] = field(default_factory=list, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            # Closing alone would leave the thread in accept().
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return 0 if self._listener is None else int(self._listener.getsockname()[1])

    @property
    def sessions(self) -> list[list[Packet]]:
        """The packets of each connection so far, connections in the order in which they came."""
        with self._changed:
            return [list(session) for session in self._sessions]

    def wait_for(self, command: str, count: int = 1, seconds: float = _DEADLINE) -> list[list[Packet]]:
        """The sessions, as soon as `count` packets of that letter have come in all."""

        def enough() -> bool:
            return sum(packet.command == command for session in self._sessions for packet in session) >= count

        with self._changed:
            if not self._changed.wait_for(enough, seconds):
                raise TimeoutError(f"no {count} packets {command!r} in {seconds} s: {self._sessions}")
        return self.sessions

    def clear(self) -> None:
        """Forget what has been recorded; connections that are still open are recorded afresh no more."""
        with self._changed:
            self._sessions.clear()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # the listener was closed: the context has been left
                return
            threading.Thread(target=self._session, args=(connection,), daemon=True).start()

    def _session(self, connection: socket.socket) -> None:
        packets: list[Packet] = []
        with self._changed:
            self._sessions.append(packets)
        with connection, connection.makefile("rb") as stream:
            while (packet := read_packet(stream.read)) is not None:
                with self._changed:
                    packets.append(packet)
                    self._changed.notify_all()
                if not self._replies_to(packet):
                    continue
                if not (answer := self._reply(packet)):
                    return
                connection.sendall(frame(answer))

    def _replies_to(self, packet: Packet) -> bool:
        silent = self.protocol & NOT_ANSWERED.get(packet.command, 0)
        return packet.command not in NEVER_ANSWERED and not silent

    def _reply(self, packet: Packet) -> bytes:
        if packet.command == "O":
            return self._negotiation(packet)
        return self.answers.get(packet, b"c")

    def _negotiation(self, packet: Packet) -> bytes:
        version, offered, _ = struct.unpack("!III", packet.payload[:12])
        actions = offered if self.actions is None else self.actions
        requests = b"".join(
            struct.pack("!I", stage) + names.encode() + b"\0" for stage, names in self.macros.items()
        )
        return b"O" + struct.pack("!III", version, actions, self.protocol) + requests
