"""Submitting to our own listener of the MTA: letters, and held messages that are released.

The octets go as they are: a line feed becomes CRLF, a leading dot is doubled, nothing else is touched (smtplib's own
``data`` would turn a lone CR into a line end and break signatures). After the final dot the answer decides: none
means that nobody knows, so the caller submits again; that is waited for as long as RFC 5321 section 4.5.3.2.6 says,
since whoever gives up earlier sends a message that is being delivered a second time. Sources: RFC 5321, RFC 1870,
RFC 3461, RFC 6152, RFC 6531.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_QUEUE_ID = re.compile(r"queued as (\S+)")
_FAILURES = (smtplib.SMTPException, OSError)
_FINAL_ANSWER = 600.0
"""Seconds to wait for the answer to the final dot: the milter may need minutes for a very large group."""


@dataclass(frozen=True, slots=True)
class Door:
    """The listener, and what it knows us by.

    :param timeout: seconds to wait for an answer to each command; for that to the final dot longer.
    """

    host: str
    port: int
    login: str
    secret: Callable[[], str]
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Envelope:
    """One transaction.

    :param sender: the return path, empty for the null one.
    :param recipients: each with its ESMTP parameters (``ORCPT=... NOTIFY=...``), or none.
    """

    sender: str
    recipients: Sequence[tuple[str, str]]
    smtputf8: bool = False


class NotSubmitted(Exception):
    """The MTA did not take it.

    :param code: of its reply; 0 where it could not be asked or did not answer.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}" if code else text)
        self.code = code

    @property
    def permanent(self) -> bool:
        """Whether trying again changes nothing."""
        return 500 <= self.code < 600


class Submitter:
    """One session at a time, kept open between messages; not for several threads."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._session: smtplib.SMTP | None = None

    def submit(self, envelope: Envelope, message: bytes) -> str:
        """Submit one message; return the MTA's queue id, or its reply where it names none.

        :raises NotSubmitted: where it was not taken, or nobody knows whether it was.
        """
        try:
            session = self._open()
            reply = self._transaction(session, envelope, message)
        except NotSubmitted:
            # Once a milter has failed in a session, Postfix defers everything else that the session brings.
            self.close()
            raise
        except _FAILURES as error:
            self.close()
            raise NotSubmitted(*_said(error)) from error
        found = _QUEUE_ID.search(reply)
        return found[1] if found else reply

    def greet(self) -> None:
        """Log in and say goodbye: whether the MTA would take anything from us.

        :raises NotSubmitted: where it wouldn't.
        """
        try:
            self._open().quit()
        except _FAILURES as error:
            raise NotSubmitted(*_said(error)) from error
        finally:
            self.close()

    def close(self) -> None:
        """End the session, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _open(self) -> smtplib.SMTP:
        session = self._session
        if session is not None:
            with contextlib.suppress(*_FAILURES):
                if session.noop()[0] == 250:
                    return session
            self.close()
        door = self._door
        session = self._session = smtplib.SMTP(
            door.host, door.port, local_hostname="localhost", timeout=door.timeout
        )
        session.ehlo()
        session.login(door.login, door.secret())
        return session

    def _transaction(self, session: smtplib.SMTP, envelope: Envelope, message: bytes) -> str:
        options = [f"SIZE={len(message) + message.count(10)}"]
        if session.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        if envelope.smtputf8:
            options.append("SMTPUTF8")
        _command(session, f"MAIL FROM:<{envelope.sender}> {' '.join(options)}")
        for address, parameters in envelope.recipients:
            _command(session, f"RCPT TO:<{address}> {parameters}".rstrip())
        _command(session, "DATA", 354)
        session.send(_dotted(message))
        code, text = self._final(session)
        if code != 250:
            raise NotSubmitted(code, _text(text))
        return _text(text)

    def _final(self, session: smtplib.SMTP) -> tuple[int, bytes]:
        connection = session.sock
        if connection is None:
            raise smtplib.SMTPServerDisconnected("the connection is lost")
        connection.settimeout(max(_FINAL_ANSWER, self._door.timeout))
        try:
            return session.getreply()
        finally:
            connection.settimeout(self._door.timeout)


def _command(session: smtplib.SMTP, line: str, wanted: int = 250) -> None:
    if "\r" in line or "\n" in line:
        raise NotSubmitted(501, "a line end in an address")
    session.send(line.encode("utf-8", "surrogateescape") + b"\r\n")
    code, text = session.getreply()
    if code != wanted:
        raise NotSubmitted(code, _text(text))


def _dotted(message: bytes) -> bytes:
    """Return the message as DATA carries it, final dot included (RFC 5321 section 4.5.2)."""
    lines = message.removesuffix(b"\n").split(b"\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b"\r\n.\r\n"


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace").replace("\n", " ")


def _said(error: Exception) -> tuple[int, str]:
    if isinstance(error, smtplib.SMTPResponseException):
        refuses = isinstance(error, smtplib.SMTPAuthenticationError)
        said = error.smtp_error if isinstance(error.smtp_error, str) else _text(error.smtp_error)
        what = "the MTA refuses our credential" if refuses else "the release listener"
        return 0, f"{what}: {error.smtp_code} {said}"
    return 0, f"the release listener: {error}"
