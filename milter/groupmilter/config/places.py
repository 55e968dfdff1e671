"""Where other programs are reached, read from one line of the configuration each: sockets, servers, stores.

What this version can't serve yet (IMAP hold mailbox, PostgreSQL) is refused and says so, rather than accepted
and ignored. A password inside a URL is refused: URLs end in logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import BeforeValidator, ValidationInfo

from groupmilter.config.fields import host_and_port, is_loopback


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the milter listens: ``unix`` with a path, ``inet`` or ``inet6`` with host and port, ``fd``
    inherited.

    :param port: the TCP port; for ``fd`` the number of the descriptor.
    """

    kind: str
    path: Path = Path()
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        """Return libmilter's spelling (smfi_setconn), with ``fd:N`` as Debian's libmilter takes it."""
        if self.kind == "unix":
            return f"unix:{self.path}"
        return f"fd:{self.port}" if self.kind == "fd" else f"{self.kind}:{self.port}@{self.host}"


def _listen(value: object) -> Listen:
    kind, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind == "unix" and rest.startswith("/"):
        return Listen(kind, path=Path(rest))
    if kind == "fd" and rest.isascii() and rest.isdigit() and 3 <= int(rest[:6]) < 65_536:
        return Listen(kind, port=int(rest))
    port, at, host = rest.partition("@")
    if kind in {"inet", "inet6"} and at:
        host, number = host_and_port(f"{host}:{port}")
        return Listen(kind, host=host, port=number)
    raise ValueError("wants unix:/path, inet:port@host, inet6:port@host or fd:number")


class Tls(StrEnum):
    """How a connection to the directory is protected."""

    NONE = "none"
    START_TLS = "start-tls"
    LDAPS = "ldaps"


@dataclass(frozen=True, slots=True)
class Server:
    """One place to read the directory from.

    :param kind: ``ldap``, ``ldaps``, ``ldapi`` (``path`` is the socket) or ``ldif`` (``path`` is the file).
    """

    url: str
    kind: str
    host: str = ""
    port: int = 0
    path: Path = Path()

    def tls(self, start_tls: bool | None) -> Tls:
        """Return the protection used: LDAPS by scheme, else StartTLS unless switched off or on loopback."""
        if self.kind == "ldaps":
            return Tls.LDAPS
        if self.kind != "ldap":
            return Tls.NONE
        wanted = not is_loopback(self.host) if start_tls is None else start_tls
        return Tls.START_TLS if wanted else Tls.NONE


def _split(value: object, wants: str) -> SplitResult:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        _ = parts.port
    except ValueError as error:
        raise ValueError(wants) from error
    if parts.password is not None:
        raise ValueError("holds a password; a URL ends in logs, so use a file or the environment")
    return parts


def _server(value: object, info: ValidationInfo) -> Server:
    wants = "wants ldaps://host, ldap://host:port, ldapi:///path or ldif:/path"
    parts = _split(value, wants)
    path = Path(unquote(parts.path))
    if parts.scheme == "ldif" and parts.path and not parts.netloc:
        folder = info.context.get("folder", Path()) if isinstance(info.context, dict) else Path()
        return Server(str(value), "ldif", path=Path(folder) / path)
    if parts.scheme == "ldapi" and unquote(parts.netloc) + parts.path not in {"", "/"}:
        return Server(str(value), "ldapi", path=Path(unquote(parts.netloc) + unquote(parts.path)))
    plain = not (parts.query or parts.fragment or parts.username) and parts.path in {"", "/"}
    if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname or not plain:
        raise ValueError(wants)
    port = parts.port or (636 if parts.scheme == "ldaps" else 389)
    return Server(str(value), parts.scheme, host=parts.hostname, port=port)


def _maildir(value: object) -> Path:
    scheme, _, path = value.partition(":") if isinstance(value, str) else ("", "", "")
    if scheme in {"imap", "imaps"}:
        raise ValueError("IMAP is not yet available; use maildir:/path")
    if scheme != "maildir" or not path.startswith("/"):
        raise ValueError("wants maildir:/path")
    return Path(path)


def _sqlite(value: object) -> Path:
    parts = _split(value, "wants sqlite:////path")
    if parts.scheme.startswith("postgresql"):
        raise ValueError("PostgreSQL is not yet available; use sqlite:////path")
    if parts.scheme != "sqlite" or not parts.path.startswith("//") or parts.query:
        raise ValueError("wants sqlite:////path, with four slashes: the path is absolute")
    return Path(parts.path[1:])


def _on_loopback(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("wants host:port")
    host, _ = host_and_port(value)
    if not is_loopback(host):
        raise ValueError("wants a loopback address such as 127.0.0.1:8025; a reverse proxy brings TLS")
    return value


def _web_address(value: object) -> str:
    parts = _split(value, "wants https://host, without a path")
    plain = not (parts.query or parts.fragment or parts.username) and parts.path in {"", "/"}
    if parts.scheme not in {"https", "http"} or not parts.hostname or not plain:
        raise ValueError("wants https://host, without a path")
    return f"{parts.scheme}://{parts.netloc}"


ListenAt = Annotated[Listen, BeforeValidator(_listen)]
ServerUrl = Annotated[Server, BeforeValidator(_server)]
Maildir = Annotated[Path, BeforeValidator(_maildir)]
SqliteUrl = Annotated[Path, BeforeValidator(_sqlite)]
OnLoopback = Annotated[str, BeforeValidator(_on_loopback)]
WebAddress = Annotated[str, BeforeValidator(_web_address)]
