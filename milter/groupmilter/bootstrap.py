"""The only place where parts are wired: a configuration in, running roles out.

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
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from structlog.typing import FilteringBoundLogger

from groupmilter.authentication.identity import Trust, trusted_networks
from groupmilter.config.keys import KeyRing, create_keys
from groupmilter.config.load import ConfigurationError, Problem, parse_yaml, read_text
from groupmilter.config.model import Format, MapType, Mode
from groupmilter.config.places import Server
from groupmilter.config.reload import Configuration, load, reload
from groupmilter.config.resources import Kind, resource
from groupmilter.directory.addressmap import MapError
from groupmilter.directory.generatedmap import GeneratedMap
from groupmilter.directory.ldap_settings import LdapSettings
from groupmilter.directory.mirror import Mirror, MirrorSettings
from groupmilter.directory.mirror_schema import identity
from groupmilter.directory.profile import Profile, ProfileError
from groupmilter.directory.snapshot import Reader
from groupmilter.directory.synchroniser import Surroundings, Synchroniser
from groupmilter.directory.synchroniser_settings import Log, Status, SyncSettings
from groupmilter.groups.directory import Directory
from groupmilter.groups.ticket import Keys
from groupmilter.log import logger
from groupmilter.mta.collector import Site
from groupmilter.mta.counters import Counters, CountsNow
from groupmilter.mta.listener import Listener, inherited_listener, open_listener, open_unix
from groupmilter.mta.session import Front
from groupmilter.mta.worker import Sessions, run_worker
from groupmilter.supervision.channel import Channel
from groupmilter.supervision.notify import Notifier
from groupmilter.supervision.role import Accepted, Refused, Role
from groupmilter.supervision.supervisor import Supervisor

_STALL = 5.0
"""Seconds of silence after which a worker is replaced: with the 20 s of a hanging callback below Postfix's 30 s."""

FRESHNESS = 0.01
"""Seconds for which a worker doesn't ask again whether the mirror has changed: far below what anybody notices."""

ROLES = ("milter", "directory")
"""What ``serve`` runs, in the order of starting."""


def ticket_keys(ring: KeyRing) -> Keys:
    """Return the configuration's keys as tickets take them."""
    return Keys({key.id: key.secret for key in ring.keys}, ring.current.id)


def with_keys(configuration: Configuration, log: FilteringBoundLogger) -> Configuration:
    """Return the configuration with a ticket key, made and logged where there was none yet."""
    if configuration.keys.keys:
        return configuration
    path = configuration.site.service.key_file
    try:
        create_keys(path)
        log.info("ticket key made", path=str(path))
    except FileExistsError:
        log.debug("ticket key made by another process", path=str(path))
    return load(configuration.file)


def log_of(configuration: Configuration) -> FilteringBoundLogger:
    """Return the logger that was configured."""
    return logger(configuration.site.log.level.value, configuration.site.log.format is Format.JSON)


def trust(configuration: Configuration) -> Trust:
    """Return whom the configuration trusts for what."""
    networks = trusted_networks(configuration.site.networks)
    return Trust(networks, configuration.settings.dmarc_is_internal)


def profile(configuration: Configuration) -> Profile:
    """Return the directory profile: a shipped one by name, another by its path."""
    name = configuration.site.directory.profile
    path = Path(name) if "/" in name else resource(Kind.PROFILES, f"{name}.yaml")
    try:
        return Profile.from_mapping(parse_yaml(read_text(path), str(path)))
    except ProfileError as error:
        raise ConfigurationError((Problem(str(path), 0, "", str(error)),)) from error


def mirror_settings(configuration: Configuration) -> MirrorSettings:
    """Return what the mirror is made from."""
    settings, directory = configuration.settings, configuration.site.directory
    return MirrorSettings(
        profile(configuration),
        directory.base,
        settings.own_domains,
        directory.placeholder,
        settings.bounds.members,
        settings.bounds.depth,
    )


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The read side of the mirror, for one process (not to be carried over a fork)."""

    reader: Reader

    def snapshot(self) -> AbstractContextManager[Directory]:
        """Give the directory as it is now; raises `DirectoryUnknown`."""
        return self.reader.snapshot(time.time())


def snapshots(configuration: Configuration) -> Snapshots:
    """Return where the configured mirror is read."""
    site = configuration.site
    fingerprint = mirror_settings(configuration).fingerprint
    max_age = float(site.directory.max_age)
    return Snapshots(Reader(site.mirror, max_age, fingerprint=fingerprint, freshness=FRESHNESS))


def address_map(configuration: Configuration) -> GeneratedMap:
    """Return the generated map that the MTA reads."""
    site = configuration.site
    kind = None if site.map.type is MapType.AUTO else site.map.type.value
    return GeneratedMap(site.map.path, kind, site.service.domain)


def site(configuration: Configuration, counters: Counters) -> Site:
    """Return what stays the same from message to message, for one process."""
    generated = address_map(configuration)
    return Site(
        settings=configuration.settings,
        snapshots=snapshots(configuration),
        keys=ticket_keys(configuration.keys),
        trust=trust(configuration),
        may_be_group=_Fallback(
            generated, configuration.settings.own_domains, configuration.site.service.domain
        ),
        counts=lambda: CountsNow(counters, time.time()),
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
    )
    # structlog's own type names the event as a keyword too, which no caller uses.
    around = Surroundings(cast(Log, log), time.time, time.monotonic, random.random, on_applied)
    first: Server = directory.url[0]
    if first.kind == "ldif":
        return Synchroniser.of_ldif(first.path, directory.base, mirror, settings, around)
    return Synchroniser.of_ldap(ldap_settings(configuration), mirror, settings, around)


def ldap_settings(configuration: Configuration) -> LdapSettings:
    """Return how the LDAP server is reached."""
    directory = configuration.site.directory
    return LdapSettings(
        urls=tuple(server.url for server in directory.url),
        base=directory.base,
        bind_dn=directory.bind_dn or "",
        password=configuration.password.get_secret_value() if configuration.password else "",
        start_tls=directory.start_tls,
        ca_file=directory.ca_file,
        verify=directory.verify,
        page_size=directory.page_size,
        connect_timeout=float(directory.timeout),
    )


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
        written = generated.write(mirror.group_addresses())
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

    def run(self) -> int:
        """Open the sockets and supervise."""
        path = control_path(self.configuration, self.names)
        control = Listener(open_unix(path, mode=0o600), path)
        try:
            self.listener = self._listener() if "milter" in self.names else None
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

    def _listener(self) -> Listener:
        inherited = inherited_listener(os.environ, os.getpid())
        site = self.configuration.site
        return inherited or open_listener(site.listen, mode=site.socket.mode, group=site.socket.group)


def _fixed(configuration: Configuration) -> set[tuple[str, str]]:
    """Return the options that a running service can't change."""
    site = configuration.site
    return {("listen", str(site.listen)), ("socket", str(site.socket)), ("control", str(site.control))}


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
            site(self.configuration, self.counters),
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
