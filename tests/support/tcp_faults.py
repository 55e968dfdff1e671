"""A loopback TCP proxy that spoils connections: late, drop by drop, cut, reset, or swallowed.

    with FaultyProxy(slapd.port) as proxy:
        proxy.fault = Fault(cut_after=10_000)
        ... connect to proxy.port ...

The fault concerns what the server sends; it can be changed while connections are open, for the octets to come. `cut`
ends all open connections at once. Fails with OSError where no port is free.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK

_CHUNK = 65_536
_ABORT = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the octets from the server.

    :param latency: seconds before each chunk; with `drip` before each octet.
    :param drip: one octet at a time.
    :param cut_after: octets of one connection after which it is closed; None for never.
    :param reset: close with RST instead of FIN.
    :param black_hole: everything is read and nothing passed on.
    """

    latency: float = 0.0
    drip: bool = False
    cut_after: int | None = None
    reset: bool = False
    black_hole: bool = False


@dataclass(slots=True)
class FaultyProxy:
    """The proxy in front of one port of this machine; `connections` counts those it took."""

    target: int
    fault: Fault = field(default_factory=Fault)
    port: int = 0
    connections: int = 0
    passed: int = 0
    _listener: socket.socket | None = None
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        listener = socket.create_server((LOOPBACK, 0))
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._start(self._accept, listener)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            _end(self._listener)
        self.cut()
        for thread in list(self._threads):
            thread.join(10)
        self.cut()

    @property
    def uri(self) -> str:
        """The address for plain LDAP."""
        return f"ldap://{LOOPBACK}:{self.port}"

    def cut(self) -> None:
        """Close all open connections."""
        with self._lock:
            channels, self._open = self._open, set()
        for channel in channels:
            _end(channel)

    def _start(self, target: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                listener.close()
                return
            self.connections += 1
            try:
                server = socket.create_connection((LOOPBACK, self.target), timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            self._start(self._pass_on, client, server)
            self._start(self._spoil, server, client)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                sink.sendall(chunk)
        self._close(source, sink)

    def _spoil(self, source: socket.socket, sink: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                passed = self._deliver(sink, chunk, passed)
                if passed < 0:
                    break
        self._close(source, sink)

    def _deliver(self, sink: socket.socket, chunk: bytes, passed: int) -> int:
        """Pass a chunk on as the fault says; return the octets passed so far, -1 where the connection ends."""
        fault = self.fault
        if fault.black_hole:
            return passed
        room = len(chunk) if fault.cut_after is None else max(0, fault.cut_after - passed)
        whole = chunk[:room]
        for part in [whole[i : i + 1] for i in range(len(whole))] if fault.drip else [whole]:
            time.sleep(fault.latency)
            sink.sendall(part)
            self.passed += len(part)
        if room < len(chunk):
            if fault.reset:
                # The reset goes out with the last reference: wake the thread that reads from here.
                sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                sink.shutdown(socket.SHUT_RD)
            return -1
        return passed + len(chunk)

    def _close(self, *channels: socket.socket) -> None:
        with self._lock:
            self._open -= set(channels)
        for channel in channels:
            _end(channel)


def _end(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        if channel.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_ABORT)) != _ABORT:
            channel.shutdown(socket.SHUT_RDWR)
    channel.close()
