"""The socket on which the MTA reaches the milter: made here, or inherited from systemd.

All workers share it, so it is nonblocking: two of them wake for one connection, and the late one must go on
instead of sleeping in accept(2) (libmilter takes EAGAIN for "nothing there"). Fails with OSError, and the text
names the address: somebody else listens, the path is something else than a socket, no right, no such group.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from grp import getgrnam
from pathlib import Path

from groupmilter.config.places import Listen

_FIRST_INHERITED = 3


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket.

    :param path: of the Unix socket, if we made it; removed by `close`.
    :param inode: device and inode of the path as we made it.
    """

    socket: socket.socket
    path: Path | None = None
    inode: tuple[int, int] = (0, 0)

    def fileno(self) -> int:
        """Return the descriptor, the same in every worker."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close this process' copy, and remove the path unless it has become another socket.

        A second call changes nothing: the inode's number may be another socket's by then.
        """
        if self.path is not None and self.fileno() >= 0 and _inode(self.path) == self.inode:
            self.path.unlink(missing_ok=True)
        self.socket.close()


def open_listener(address: Listen, *, mode: int = 0o660, group: str = "") -> Listener:
    """Return a listening socket at an address of the configuration.

    :param mode, group: of a Unix socket; an empty group leaves the directory's or the process' own.
    :raises OSError: see the module.
    """
    try:
        if address.kind == "unix":
            listener = open_unix(address.path, mode=mode, group=group)
            return Listener(listener, address.path, _inode(address.path))
        if address.kind == "fd":
            return Listener(_adopted(address.port))
        return Listener(_open_tcp(address))
    except OSError as error:
        raise OSError(error.errno, f"{address}: {error.strerror or error}") from error


def inherited_listener(environment: Mapping[str, str], pid: int) -> Listener | None:
    """Return the socket that systemd passed (sd_listen_fds(3)); None where it passed none to us.

    :raises OSError: where it passed several, or one that doesn't listen.
    """
    number = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(pid) or not number.isdigit() or number == "0":
        return None
    if number != "1":
        raise OSError(errno.EINVAL, f"systemd passed {number} sockets; groupmilter takes one")
    return Listener(_adopted(_FIRST_INHERITED))


def open_unix(path: Path, *, mode: int, group: str = "") -> socket.socket:
    """Return a Unix stream socket that listens at ``path``; a stale one there is replaced.

    :raises OSError: where somebody listens there, or the path is no socket.
    """
    with _locked(path.parent):
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            _bind_closed(listener, path)
            _give_to(path, group)
            path.chmod(mode)
            return _listening(listener)
        except OSError:
            listener.close()
            raise


def _open_tcp(address: Listen) -> socket.socket:
    """TCP_NODELAY is inherited by what is accepted; without it each reply waits 40 ms for an ACK."""
    family = socket.AF_INET6 if address.kind == "inet6" else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.host, address.port))
        return _listening(listener)
    except OSError:
        listener.close()
        raise


def _adopted(descriptor: int) -> socket.socket:
    found = socket.socket(fileno=descriptor)
    if found.type != socket.SOCK_STREAM or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.detach()
        raise OSError(errno.EINVAL, "not a listening stream socket")
    found.set_inheritable(False)
    return _listening(found)


def _listening(listener: socket.socket) -> socket.socket:
    if listener.family in {socket.AF_INET, socket.AF_INET6}:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.settimeout(0)
    listener.listen(socket.SOMAXCONN)
    return listener


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second instance out between the look at the path and the bind (flock(2) on the directory)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_stale(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise OSError(errno.EEXIST, "is there, and is not a socket")
    if not _nobody_answers(path):
        raise OSError(errno.EADDRINUSE, "somebody listens there already")
    path.unlink()


def _nobody_answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED


def _inode(path: Path) -> tuple[int, int]:
    """Return what tells this path's socket from another one made there later; zeros where there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def _bind_closed(listener: socket.socket, path: Path) -> None:
    """Bind so that nobody may connect until mode and group are set."""
    before = os.umask(0o777)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)


def _give_to(path: Path, group: str) -> None:
    if not group:
        return
    try:
        wanted = getgrnam(group).gr_gid
    except KeyError as error:
        raise OSError(errno.EINVAL, f"there is no group {group}") from error
    if path.stat().st_gid != wanted:
        os.chown(path, -1, wanted)
