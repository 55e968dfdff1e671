"""One LDAP connection: TCP, TLS, bind, and whole messages in both directions, each with a deadline that
holds.

Every wait is for the time that is left, so a server that drips octets can't stretch it. Connecting, TLS and
the bind have one deadline together. Certificates and host names are checked by OpenSSL during the handshake;
with StartTLS nothing but the request for it goes out in the clear. Fails with `Unreachable`, `Incomplete`
(what comes is not LDAP, or too large) and `Refused` (StartTLS or bind); the connection is of no use
afterwards.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from typing import Self
from urllib.parse import unquote, urlsplit

from groupmilter.config.fields import is_loopback
from groupmilter.directory.ldap_messages import (
    BOUND,
    EXTENDED,
    Message,
    bind_request,
    is_disconnection,
    message,
    result,
    size_of,
    start_tls_request,
)
from groupmilter.directory.ldap_settings import Incomplete, LdapSettings, ReadFailed, Refused, Unreachable

Clock = Callable[[], float]

_CHUNK = 256 * 1024
_SHORTEST_WAIT = 0.001
_PORTS = {"ldap": 389, "ldaps": 636}
# A peer that vanished without a word is noticed by the kernel too: seconds idle, seconds between probes,
# probes.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


def monotonic() -> float:
    """Return the clock that deadlines are counted by, in seconds."""
    return time.monotonic()


class LdapConnection:
    """An open, bound connection. For one thread at a time."""

    def __init__(self, url: str, channel: socket.socket, settings: LdapSettings, clock: Clock) -> None:
        self.url = url
        self._channel = channel
        self._settings = settings
        self._clock = clock
        self._buffer = bytearray()
        self._last_number = 0
        self._waited = 0.0

    @classmethod
    def open(cls, url: str, settings: LdapSettings, clock: Clock = monotonic) -> Self:
        """Connect to one URL, secure the connection as the settings say, and bind."""
        until = clock() + settings.connect_timeout
        connection = cls.unbound(url, settings, clock)
        try:
            connection._bind(until)
        except BaseException:
            connection.close()
            raise
        return connection

    @classmethod
    def unbound(cls, url: str, settings: LdapSettings, clock: Clock = monotonic) -> Self:
        """Connect to one URL and secure the connection as the settings say; nobody is bound to it yet."""
        until = clock() + settings.connect_timeout
        scheme, host, port = address_of(url)
        try:
            channel = _connected(scheme, host, port, settings.connect_timeout)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{url}: {error}") from error
        connection = cls(url, channel, settings, clock)
        try:
            connection._secure(scheme, host, until)
        except BaseException:
            connection.close()
            raise
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection at once; the server abandons what still runs on it (RFC 4511 section 5.3)."""
        self._channel.close()

    def number(self) -> int:
        """Return a message id that this connection has not used."""
        self._last_number += 1
        return self._last_number

    def send(self, octets: bytes) -> None:
        """Send one encoded message."""
        try:
            self._channel.settimeout(self._settings.operation_timeout)
            self._channel.sendall(octets)
        except OSError as error:
            raise Unreachable(f"{self.url}: sending failed: {error}") from error

    def receive(self, seconds: float) -> Message | None:
        """Return the next message, None where no whole one came within the seconds.

        A message that has begun must be whole within `operation_timeout`, counted over all calls.
        """
        until = self._clock() + seconds
        while True:
            octets = self._cut()
            if octets is not None:
                self._waited = 0.0
                received = message(octets)
                if is_disconnection(received):
                    raise Unreachable(f"{self.url}: the server says goodbye")
                return received
            if not self._fill(until):
                return None

    def expect(self, number: int, until: float, what: str) -> Message:
        """Return the next message that answers request `number`; `Unreachable` past the deadline."""
        while True:
            received = self.receive(until - self._clock())
            if received is None:
                raise Unreachable(f"{self.url}: no answer in time ({what})")
            if received.number == number:
                return received

    def _cut(self) -> bytes | None:
        """Take the first whole message out of the buffer."""
        size = size_of(self._buffer)
        if size is None:
            return None
        if size > self._settings.max_message:
            raise Incomplete(f"{self.url}: a message of {size} octets is over the limit")
        if len(self._buffer) < size:
            return None
        with memoryview(self._buffer) as view:
            octets = bytes(view[:size])
        del self._buffer[:size]
        return octets

    def _fill(self, until: float) -> bool:
        """Wait for more octets until a point in time; tell whether some came."""
        began = self._clock()
        chunk = self._chunk(max(until - began, _SHORTEST_WAIT))
        if self._buffer:
            self._waited += self._clock() - began
            if self._waited > self._settings.operation_timeout:
                raise Unreachable(f"{self.url}: a message did not end in time")
        if chunk is None:
            return False
        if not chunk:
            raise Unreachable(f"{self.url}: the server closed the connection")
        self._buffer += chunk
        return True

    def _chunk(self, seconds: float) -> bytes | None:
        try:
            self._channel.settimeout(min(seconds, self._settings.operation_timeout))
            return self._channel.recv(_CHUNK)
        except TimeoutError:
            return None
        except OSError as error:
            raise Unreachable(f"{self.url}: {error}") from error

    def _secure(self, scheme: str, host: str, until: float) -> None:
        if scheme == "ldap" and self._starts_tls(host):
            number = self.number()
            self.send(start_tls_request(number))
            self._succeed(number, EXTENDED, until, "StartTLS")
            if self._buffer:
                raise Incomplete(f"{self.url}: unencrypted octets after the answer to StartTLS")
            self._encrypt(host, until)
        elif scheme == "ldaps":
            self._encrypt(host, until)

    def _starts_tls(self, host: str) -> bool:
        wanted = self._settings.start_tls
        return not is_loopback(host) if wanted is None else wanted

    def _encrypt(self, host: str, until: float) -> None:
        try:
            context = tls_context(self._settings)
            # Python applies this timeout to the handshake as a whole.
            self._channel.settimeout(max(until - self._clock(), _SHORTEST_WAIT))
            self._channel = context.wrap_socket(self._channel, server_hostname=host)
        except (OSError, ValueError) as error:
            raise Unreachable(f"{self.url}: no TLS: {error}") from error

    def _bind(self, until: float) -> None:
        settings = self._settings
        if settings.bind_dn and not settings.password:
            # RFC 4513 section 5.1.2: servers take this for an anonymous bind and say success.
            raise ReadFailed(f"{self.url}: a bind DN without a password")
        number = self.number()
        self.send(bind_request(number, settings.bind_dn, settings.password))
        self._succeed(number, BOUND, until, "bind")

    def _succeed(self, number: int, tag: int, until: float, what: str) -> None:
        answer = self.expect(number, until, what)
        if answer.tag != tag:
            raise Incomplete(f"{self.url}: a wrong answer to {what}")
        final = result(answer.body)
        if final.code != 0:
            raise Refused(f"{self.url}: {what}", final.code, final.text)


def address_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host (for ``ldapi`` the socket's path) and port; `ReadFailed` where the URL names no
    server.
    """
    try:
        parts = urlsplit(url)
        port = parts.port if parts.scheme in _PORTS else 0
    except ValueError as error:
        raise ReadFailed(f"{url}: {error}") from error
    path = unquote(parts.netloc + parts.path)
    if parts.scheme == "ldapi" and path.strip("/"):
        return parts.scheme, path, 0
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ReadFailed(f"{url}: ldap://host, ldaps://host or ldapi:///path expected")
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def tls_context(settings: LdapSettings) -> ssl.SSLContext:
    """Return what TLS connections are made with; the certificate is checked unless the settings say no."""
    context = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _connected(scheme: str, host: str, port: int, seconds: float) -> socket.socket:
    return _local(host, seconds) if scheme == "ldapi" else _remote(host, port, seconds)


def _local(path: str, seconds: float) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.settimeout(seconds)
        channel.connect(path)
    except BaseException:
        channel.close()
        raise
    return channel


def _remote(host: str, port: int, seconds: float) -> socket.socket:
    channel = socket.create_connection((host, port), timeout=seconds)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        channel.setsockopt(socket.IPPROTO_TCP, option, value)
    return channel
