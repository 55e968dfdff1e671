"""A small SMTP client that times the acceptance of one message: from RCPT to the 250 after the final dot.

`SmtpRefused` carries the server's answer when it is not the one wanted.
"""

import socket
import time

_DEADLINE = 600.0
_BODY = ("x" * 70 + "\r\n") * 29


class SmtpRefused(RuntimeError):
    """The server's answer wasn't the wanted one."""


class Session:
    """One SMTP session, as a context manager; several messages may be sent in it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _DEADLINE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> "Session":
        self._expect("220")
        self._say("EHLO client.example.net", "250")
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self._socket.sendall(b"QUIT\r\n")
        finally:
            self._lines.close()
            self._socket.close()

    def seconds(self, sender: str, recipient: str) -> float:
        """Send a message of 2 KB; the time from RCPT to its acceptance."""
        self._say(f"MAIL FROM:<{sender}>", "250")
        started = time.monotonic()
        self._say(f"RCPT TO:<{recipient}>", "250")
        self._say("DATA", "354")
        self._say(f"{_headers(sender, recipient)}\r\n{_BODY}.", "250")
        return time.monotonic() - started

    def _say(self, text: str, wanted: str) -> None:
        self._socket.sendall(f"{text}\r\n".encode())
        self._expect(wanted)

    def _expect(self, wanted: str) -> None:
        while True:
            line = self._lines.readline().decode(errors="replace")
            if not line.startswith(wanted):
                raise SmtpRefused(f"{line.strip() or 'connection closed'} instead of {wanted}")
            if line[3:4] != "-":
                return


def _headers(sender: str, recipient: str) -> str:
    return (
        f"From: Some Body <{sender}>\r\nTo: <{recipient}>\r\nSubject: timing\r\n"
        f"Date: Sun, 22 Nov 2026 06:00:00 +0000\r\nMessage-ID: <{time.monotonic_ns()}@client.example.net>\r\n"
    )
