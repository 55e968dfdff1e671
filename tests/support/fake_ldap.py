"""A scripted LDAP server on loopback, for the answers that a real slapd can't be brought to give.

A script gets each request but binds (which always succeed) and returns the encoded messages to send back, or None to
close the connection. Requests and answers are cut and built with the primitives of `ldap_messages`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK

from groupmilter.directory.ldap_messages import element, elements, message, size_of, tlv

BIND, UNBIND, SEARCH, ABANDON = 0x60, 0x42, 0x63, 0x50


@dataclass(frozen=True, slots=True)
class Request:
    """A request: message id, operation tag, the search's base and attributes, control values by OID."""

    number: int
    tag: int
    base: str = ""
    attributes: tuple[str, ...] = ()
    controls: dict[str, bytes] = field(default_factory=dict)


Script = Callable[[Request], Sequence[bytes] | None]


def answer(number: int, tag: int, body: bytes, controls: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """Encode one message."""
    whole = tlv(0x02, number.to_bytes(4, "big")) + tlv(tag, body)
    if controls:
        parts = [tlv(0x30, tlv(0x04, oid.encode()) + tlv(0x04, value)) for oid, value in controls]
        whole += tlv(0xA0, b"".join(parts))
    return tlv(0x30, whole)


def entry(
    number: int,
    dn: str,
    attributes: Mapping[str, Sequence[bytes]],
    controls: Sequence[tuple[str, bytes]] = (),
) -> bytes:
    """Encode a SearchResultEntry."""
    parts = b"".join(
        tlv(0x30, tlv(0x04, name.encode()) + tlv(0x31, b"".join(tlv(0x04, value) for value in values)))
        for name, values in attributes.items()
    )
    return answer(number, 0x64, tlv(0x04, dn.encode()) + tlv(0x30, parts), controls)


def done(number: int, code: int = 0, text: str = "", controls: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """Encode a SearchResultDone."""
    return answer(number, 0x65, _result(code, text), controls)


def page_end(number: int, cookie: bytes = b"", code: int = 0) -> bytes:
    """Encode a SearchResultDone with the paged results control."""
    value = tlv(0x30, tlv(0x02, b"\0") + tlv(0x04, cookie))
    return done(number, code, controls=[("1.2.840.113556.1.4.319", value)])


def _result(code: int, text: str) -> bytes:
    return tlv(0x0A, code.to_bytes(2, "big")) + tlv(0x04, b"") + tlv(0x04, text.encode())


@dataclass(slots=True)
class FakeLdap:
    """The server, as a context manager; `requests` are all it got but `binds`, which are counted."""

    script: Script
    requests: list[Request] = field(default_factory=list)
    binds: int = 0
    port: int = 0
    _listener: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self._thread(threading.Thread(target=self._accept, args=(self._listener,), daemon=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in [*([self._listener] if self._listener else []), *self._open]:
            _end(channel)
        for thread in list(self._threads):
            thread.join(10)

    @property
    def uri(self) -> str:
        """The address for plain LDAP."""
        return f"ldap://{LOOPBACK}:{self.port}"

    def _thread(self, thread: threading.Thread) -> None:
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._open.append(client)
                self._thread(threading.Thread(target=self._serve, args=(client,), daemon=True))
        listener.close()

    def _serve(self, client: socket.socket) -> None:
        octets = bytearray()
        with contextlib.suppress(OSError):
            while chunk := client.recv(65_536):
                octets += chunk
                while (size := size_of(octets)) is not None and len(octets) >= size:
                    whole = bytes(octets[:size])
                    del octets[:size]
                    if not self._answer(client, _request(whole)):
                        _end(client)
                        return
        _end(client)

    def _answer(self, client: socket.socket, request: Request) -> bool:
        if request.tag == BIND:
            self.binds += 1
            client.sendall(answer(request.number, 0x61, _result(0, "")))
            return True
        if request.tag in (UNBIND, ABANDON):
            return request.tag == ABANDON
        self.requests.append(request)
        answers = self.script(request)
        if answers is None:
            return False
        client.sendall(b"".join(answers))
        return True


def _request(octets: bytes) -> Request:
    cut = message(octets)
    if cut.tag != SEARCH:
        return Request(cut.number, cut.tag, controls=cut.controls)
    parts = [(start, end) for _, start, end in elements(cut.body, 0, len(cut.body))]
    _, start, end = element(cut.body, 0, len(cut.body))
    names = [cut.body[s:e].decode() for _, s, e in elements(cut.body, *parts[-1])]
    return Request(cut.number, cut.tag, cut.body[start:end].decode(), tuple(names), cut.controls)


def _end(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)
    channel.close()
