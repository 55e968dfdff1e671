"""A DNS server on loopback that knows no name: the demonstration asks nothing of the world outside.

    with NameServer() as dns:
        f"{dns.host}:{dns.port}"

What is no question gets no answer. Fails with `OSError` where no port is to be had.
"""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType
from typing import Self

from dns.exception import DNSException
from dns.message import from_wire, make_response
from dns.rcode import NXDOMAIN


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        octets, socket = self.request
        try:
            response = make_response(from_wire(octets))
        except DNSException:
            return
        response.set_rcode(NXDOMAIN)
        socket.sendto(response.to_wire(), self.client_address)


class NameServer:
    """The server; a context manager, in a thread of its own meanwhile."""

    def __init__(self) -> None:
        """Take a free port."""
        self._server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), _Answer)
        self._thread = threading.Thread(target=self._server.serve_forever, name="dns", daemon=True)

    @property
    def host(self) -> str:
        """Its address."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
