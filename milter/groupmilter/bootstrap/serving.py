"""The roles that ``serve`` runs, each from its configuration, under one supervisor.

Fails with `ConfigurationError` for what the administrator wrote, `MirrorError` or OSError for what the host lacks.
"""

from __future__ import annotations

import gc
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from structlog.typing import FilteringBoundLogger

from groupmilter.bootstrap.desk import moderating
from groupmilter.bootstrap.panel import panelling
from groupmilter.bootstrap.parts import (
    address_map,
    ldap_settings,
    log_of,
    mirror_settings,
    profile,
    snapshots,
    ticket_keys,
    trust,
    with_keys,
)
from groupmilter.bootstrap.proving import prover
from groupmilter.bootstrap.side import Beside
from groupmilter.bootstrap.state import state_of
from groupmilter.config.model import Mode
from groupmilter.config.places import Listen, Server
from groupmilter.config.reload import Configuration, load, reload
from groupmilter.directory.addressmap import MapError
from groupmilter.directory.generatedmap import GeneratedMap
from groupmilter.directory.mirror import Mirror
from groupmilter.directory.mirror_schema import identity
from groupmilter.directory.synchroniser import Surroundings, Synchroniser
from groupmilter.directory.synchroniser_settings import Log, Status, SyncSettings
from groupmilter.mta.counters import Counters, CountsNow
from groupmilter.mta.listener import Listener, inherited_listener, open_listener, open_unix
from groupmilter.mta.session import Front
from groupmilter.mta.site import Site
from groupmilter.mta.worker import Sessions, run_worker
from groupmilter.supervision.channel import Channel
from groupmilter.supervision.notify import Notifier
from groupmilter.supervision.role import Accepted, Refused, Role
from groupmilter.supervision.supervisor import Supervisor

_STALL = 5.0
"""Seconds of silence after which a worker is replaced: with the 20 s of a hanging callback below Postfix's 30 s."""

ROLES = ("milter", "directory", "desk", "panel")
"""What ``serve`` runs, in the order of starting."""


def site(configuration: Configuration, counters: Counters, log: FilteringBoundLogger) -> Site:
    """Return what stays the same from message to message, for one process."""
    generated = address_map(configuration)
    state = state_of(configuration, log)
    proving = prover(configuration)
    return Site(
        settings=configuration.settings,
        snapshots=snapshots(configuration, steady=False),
        keys=ticket_keys(configuration.keys),
        trust=trust(configuration),
        prove=proving.prove,
        forged=proving.forged,
        largest_proven=configuration.site.authentication.largest,
        may_be_group=_Fallback(
            generated, configuration.settings.own_domains, configuration.site.service.domain
        ),
        counts=lambda: CountsNow(counters, time.time()),
        waiting=state.waiting,
        suspended=state.suspended,
        release=state.release,
        seen=state.seen,
        remember=state.remember,
        leave_out=state.leave_out,
        audit=state.audit,
    )


@dataclass(frozen=True, slots=True)
class _Fallback:
    """Which addresses may be groups' while the mirror can't tell: the generated map's, else all of own domains."""

    generated: GeneratedMap
    own_domains: frozenset[str]
    service_domain: str

    def __call__(self, address: str) -> bool:
        domain = address.rpartition("@")[2]
        if domain == self.service_domain:
            return True
        known = self.generated.addresses()
        return domain in self.own_domains if known is None else address in known


def synchroniser(
    configuration: Configuration, mirror: Mirror, log: FilteringBoundLogger, on_applied: Callable[[int], None]
) -> Synchroniser:
    """Return what keeps the mirror equal to the configured directory."""
    directory = configuration.site.directory
    profiled = profile(configuration)
    settings = SyncSettings(
        profiled.filter(),
        profiled.attributes(),
        mode=directory.sync,
        poll=float(directory.poll),
        reload=float(directory.reload),
        uuid=profiled.uuid_attribute,
    )
    # structlog's own type names the event as a keyword too, which no caller uses.
    beside = Beside(configuration) if profiled.beside else None
    around = Surroundings(cast(Log, log), time.time, time.monotonic, random.random, on_applied, beside)
    first: Server = directory.url[0]
    if first.kind == "ldif":
        return Synchroniser.of_ldif(first.path, directory.base, mirror, settings, around)
    return Synchroniser.of_ldap(ldap_settings(configuration), mirror, settings, around)


@dataclass(slots=True)
class _Following:
    """The synchroniser's process: one thread follows the directory, this one answers to the supervisor."""

    configuration: Configuration
    log: FilteringBoundLogger

    def run(self, channel: Channel) -> int:
        """Keep the mirror and the generated map until told to drain; return the exit code.

        A mirror that somebody has deleted would be written to where nobody reads: this process then ends, and
        the one that the supervisor starts in its place makes it anew.
        """
        path = self.configuration.site.mirror
        mirror = Mirror.open(path, mirror_settings(self.configuration))
        made = identity(path)
        generated = address_map(self.configuration)
        followed = synchroniser(
            self.configuration, mirror, self.log, lambda _: write_map(generated, mirror, self.log)
        )
        stop = threading.Event()
        thread = threading.Thread(target=followed.run, args=(stop,), name="synchroniser", daemon=True)
        thread.start()
        channel.ready()
        while thread.is_alive() and channel.wait(1.0) is None:
            if not _same(path, made):
                self.log.error("mirror deleted; it is made anew", path=str(path))
                return os.EX_TEMPFAIL
            channel.alive(_detail(followed.status()))
        channel.draining()
        stop.set()
        thread.join(10.0)
        mirror.close()
        return 0


def _same(path: Path, made: tuple[int, int]) -> bool:
    try:
        return identity(path) == made
    except FileNotFoundError:
        return False


def _detail(status: Status) -> dict[str, int | float | str]:
    detail: dict[str, int | float | str] = {
        "mode": status.mode,
        "source": status.source,
        "error": status.error,
    }
    detail |= {"generation": status.generation, "connected": int(status.connected)}
    return detail if status.age is None else detail | {"age": round(status.age, 1)}


def write_map(generated: GeneratedMap, mirror: Mirror, log: FilteringBoundLogger) -> None:
    """Bring the generated map up to the mirror; what is wrong with it is logged, and the old map stays."""
    try:
        written = generated.write(mirror.group_addresses(), mirror.extended_addresses())
    except (MapError, OSError) as error:
        log.error("map not written", path=str(generated.path), why=str(error))
        return
    if written.changed:
        log.info("map written", path=str(generated.path), addresses=written.count)


def control_path(configuration: Configuration, names: tuple[str, ...] = ROLES) -> Path:
    """Return where commands are heard: one socket for all roles, or one for each that runs on its own."""
    path = configuration.site.control
    return path if names == ROLES else path.with_name(f"{path.stem}-{'-'.join(names)}{path.suffix}")


@dataclass(slots=True)
class _Serving:
    """What one ``serve`` holds on to while configurations come and go."""

    path: Path
    names: tuple[str, ...]
    log: FilteringBoundLogger
    counters: Counters
    configuration: Configuration
    listener: Listener | None = None
    logins: Listener | None = None

    def run(self) -> int:
        """Open the sockets and supervise."""
        path = control_path(self.configuration, self.names)
        control = Listener(open_unix(path, mode=0o600), path)
        try:
            self.listener = self._listener() if "milter" in self.names else None
            self.logins = self._logins() if "desk" in self.names else None
            supervisor = Supervisor(
                self.roles(self.configuration),
                self.reload,
                self.log,
                control=control.socket,
                notifier=Notifier.from_environment(os.environ, os.getpid()),
                on_stop=self.close,
            )
            return supervisor.run()
        finally:
            self.close()
            if self.logins is not None:
                self.logins.close()
            control.close()

    def close(self) -> None:
        """Stop listening: the MTA then tempfails instead of waiting for nobody."""
        if self.listener is not None:
            self.listener.close()

    def roles(self, configuration: Configuration) -> tuple[Role, ...]:
        """Return what runs under a configuration."""
        roles = []
        if self.listener is not None:
            worker = _Milter(configuration, self.counters, self.listener, self.log)
            count, descriptors = configuration.site.worker_count, frozenset({self.listener.fileno()})
            roles.append(Role("milter", count, worker.run, descriptors, stall_after=_STALL))
        if "directory" in self.names:
            following = _Following(configuration, self.log)
            roles.append(Role("directory", 1, following.run, alone=True, drain_within=30.0))
        if self.logins is not None:
            desk = moderating(configuration, self.logins.socket, self.log)
            needs = frozenset({self.logins.fileno()})
            roles.append(Role("desk", 1, desk, needs, alone=True, stall_after=0, drain_within=30.0))
        if "panel" in self.names:
            panel = panelling(configuration, self.log)
            roles.append(Role("panel", 1, panel, alone=True, drain_within=10.0))
        return tuple(roles)

    def reload(self) -> Accepted | Refused:
        """Read the configuration anew; with any error everything stays as it is."""
        fresh, problems = reload(self.configuration, self.path)
        if problems:
            return Refused(tuple(map(str, problems)))
        fixed = _fixed(self.configuration) ^ _fixed(fresh)
        if fixed:
            names = ", ".join(sorted({name for name, _ in fixed}))
            return Refused((f"{self.path}: {names}: changed; that needs a restart",))
        self.configuration = with_keys(fresh, self.log)
        return Accepted(self.roles(self.configuration))

    def _logins(self) -> Listener:
        """Open the socket at which the MTA asks about logins; held here, it outlives each desk."""
        site = self.configuration.site
        where = Listen("unix", path=site.release_socket)
        return open_listener(where, mode=site.socket.mode, group=site.socket.group)

    def _listener(self) -> Listener:
        inherited = inherited_listener(os.environ, os.getpid())
        site = self.configuration.site
        return inherited or open_listener(site.listen, mode=site.socket.mode, group=site.socket.group)


def _fixed(configuration: Configuration) -> set[tuple[str, str]]:
    """Return the options that a running service can't change."""
    site = configuration.site
    return {
        ("listen", str(site.listen)),
        ("socket", str(site.socket)),
        ("control", str(site.control)),
        ("service.release.socket", str(site.release_socket)),
    }


@dataclass(frozen=True, slots=True)
class _Milter:
    """One milter worker's process."""

    configuration: Configuration
    counters: Counters
    listener: Listener
    log: FilteringBoundLogger

    def run(self, channel: Channel) -> int:
        """Serve the MTA until drained."""
        configured = self.configuration.site
        front = Front(
            site(self.configuration, self.counters, self.log),
            self.log,
            self.counters,
            tcp=self.listener.socket.family != socket.AF_UNIX,
            observe=configured.mode is Mode.OBSERVE,
        )
        # What was made until now lives as long as the process: no need to walk it at each collection.
        gc.freeze()
        sessions = Sessions(front.register, front.open_sessions, front.oldest_callback_age)
        return run_worker(channel, self.listener, sessions, self.log)


def serve(path: Path, names: tuple[str, ...] = ROLES) -> int:
    """Run roles under one supervisor until told to stop; return the exit code.

    :param path: of the configuration, read again on each reload.
    :raises ConfigurationError: for a bad configuration.
    :raises OSError: where a socket can't be opened.
    """
    first = load(path)
    log = log_of(first)
    return _Serving(path, names, log, Counters(), with_keys(first, log)).run()
