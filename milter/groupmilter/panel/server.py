"""Serving the panel: uvicorn in this process, under the supervisor's channel.

uvicorn runs in a thread, so it leaves signals alone; orders come over the channel. A sign of life is given only while
its event loop turns. Connections that ask for nothing are closed. Fails with OSError where the address can't be had.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from groupmilter.supervision.channel import Channel

_CONNECTIONS = 200
_HEADER_OCTETS = 16 * 1024
_SILENCE = 10.0
"""Seconds within which a connection has to bring a whole request's head."""
_KEEP_ALIVE = 5
_START = 30.0
_STUCK = 5.0
"""Seconds without a turn of the event loop after which no sign of life is given."""


class Patient(H11Protocol):
    """HTTP/1.1 with an end of patience: no new request within `_SILENCE` seconds closes the connection."""

    silence = _SILENCE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self.loop.call_later(self.silence, self._look, None)

    def _look(self, before: object) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is before and (before is None or self.cycle.response_complete):
            self.transport.close()
        else:
            self.loop.call_later(self.silence, self._look, self.cycle)


class Pulse:
    """When uvicorn's event loop last turned, seconds of the monotonic clock."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    async def beat(self) -> None:
        """Note that it turns now."""
        self.last = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether it has turned lately."""
        return time.monotonic() - self.last < _STUCK


def serve(app: FastAPI, host: str, port: int, channel: Channel) -> int:
    """Serve until told to drain; return the exit code."""
    listener = listening(host, port)
    pulse = Pulse()
    server = uvicorn.Server(_settings(app, pulse))
    thread = threading.Thread(target=server.run, args=([listener],), name="panel", daemon=True)
    thread.start()
    if not _started(server, thread):
        return os.EX_TEMPFAIL
    channel.ready()
    grace = _watched(server, thread, pulse, channel)
    if grace is None:
        return os.EX_TEMPFAIL
    channel.draining()
    server.should_exit = True
    thread.join(max(0.0, grace))
    if thread.is_alive():
        server.force_exit = True
        thread.join(1.0)
    return 0


def listening(host: str, port: int) -> socket.socket:
    """Return a listening socket; OSError where the address can't be had."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
        listener.settimeout(0)
    except BaseException:
        listener.close()
        raise
    return listener


def _settings(app: FastAPI, pulse: Pulse) -> uvicorn.Config:
    settings: dict[str, Any] = {
        "http": Patient,
        "ws": "none",
        "loop": "asyncio",
        "lifespan": "off",
        "interface": "asgi3",
        "log_config": None,
        "log_level": "critical",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "date_header": True,
        "limit_concurrency": _CONNECTIONS,
        "timeout_keep_alive": _KEEP_ALIVE,
        "h11_max_incomplete_event_size": _HEADER_OCTETS,
        "callback_notify": pulse.beat,
        "timeout_notify": 1,
    }
    return uvicorn.Config(app, **settings)


def _started(server: uvicorn.Server, thread: threading.Thread) -> bool:
    until = time.monotonic() + _START
    while not server.started and thread.is_alive() and time.monotonic() < until:
        thread.join(0.02)
    return server.started


def _watched(
    server: uvicorn.Server, thread: threading.Thread, pulse: Pulse, channel: Channel
) -> float | None:
    """Give signs of life until the order to drain; return its seconds, None where the server has ended by itself."""
    while thread.is_alive():
        grace = channel.wait(1.0)
        if grace is not None:
            return grace
        if pulse.alive:
            state = server.server_state
            channel.alive({"requests": state.total_requests, "connections": len(state.connections)})
    return None
