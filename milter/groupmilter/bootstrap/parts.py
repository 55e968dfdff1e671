"""The parts that a configuration names, one by one: keys, profile, mirror, map, ledger, hold mailbox.

Fails with `ConfigurationError` for what the administrator wrote, `LedgerUnavailable` for a ledger that can't be opened.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from groupmilter.authentication.trust import Trust, trusted_certificates, trusted_networks
from groupmilter.config.keys import KeyRing, create_keys, create_secret
from groupmilter.config.load import ConfigurationError, Problem, parse_yaml, read_text
from groupmilter.config.model import Format, MapType, SideStore
from groupmilter.config.reload import Configuration, load
from groupmilter.config.resources import Kind, resource
from groupmilter.directory.administration import Administration
from groupmilter.directory.ages import NEVER, Ages
from groupmilter.directory.generatedmap import GeneratedMap
from groupmilter.directory.inventory import synced_at
from groupmilter.directory.ldap_settings import LdapSettings
from groupmilter.directory.mirror import MirrorSettings
from groupmilter.directory.mirror_refusals import Limits
from groupmilter.directory.profile import Profile, ProfileError
from groupmilter.directory.snapshot import Reader
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Keys
from groupmilter.log import logger
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Maildir

FRESHNESS = 0.01
"""Seconds for which a worker doesn't ask again whether the mirror has changed: far below what anybody notices."""

_BESIDE = {SideStore.AUTO: None, SideStore.ALWAYS: True, SideStore.NEVER: False}


def ticket_keys(ring: KeyRing) -> Keys:
    """Return the configuration's keys as tickets take them."""
    return Keys({key.id: key.secret for key in ring.keys}, ring.current.id)


def with_keys(configuration: Configuration, log: FilteringBoundLogger) -> Configuration:
    """Return the configuration with a ticket key and a release secret, made and logged where there was none yet."""
    secret = configuration.site.service.release.secret_file
    if not secret.exists():
        with suppress(FileExistsError):
            create_secret(secret)
            log.info("release secret made", path=str(secret))
    if configuration.keys.keys:
        return configuration
    path = configuration.site.service.key_file
    try:
        create_keys(path, int(time.time()))
        log.info("ticket key made", path=str(path))
    except FileExistsError:
        log.debug("ticket key made by another process", path=str(path))
    return load(configuration.file)


def log_of(configuration: Configuration) -> FilteringBoundLogger:
    """Return the logger that was configured."""
    return logger(configuration.site.log.level.value, configuration.site.log.format is Format.JSON)


def trust(configuration: Configuration) -> Trust:
    """Return whom the configuration trusts for what."""
    site, settings = configuration.site, configuration.settings
    return Trust(
        trusted_networks(site.networks),
        settings.dmarc_is_internal,
        trusted_certificates(site.certificates),
        site.login_realms(),
        settings.own_domains,
        settings.recipient_delimiter,
    )


def profile(configuration: Configuration) -> Profile:
    """Return the directory profile: a shipped one by name, another by its path."""
    directory = configuration.site.directory
    name = directory.profile
    path = Path(name) if "/" in name else resource(Kind.PROFILES, f"{name}.yaml")
    content = parse_yaml(read_text(path), str(path))
    read_only = directory.url[0].kind == "ldif"
    try:
        return Profile.from_mapping(
            content, directory.login_attributes, _BESIDE[directory.side_store], read_only=read_only
        )
    except ProfileError as error:
        raise ConfigurationError((Problem(str(path), 0, "", str(error)),)) from error


def mirror_settings(configuration: Configuration) -> MirrorSettings:
    """Return what the mirror is made from."""
    settings, directory = configuration.settings, configuration.site.directory
    bounds = settings.bounds
    return MirrorSettings(
        profile(configuration),
        directory.base,
        settings.own_domains,
        directory.placeholder,
        Limits(bounds.members, bounds.depth, settings.max_size, bounds.message_size_limit),
        configuration.site.login_realms(),
    )


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The read side of the mirror, for one process (not to be carried over a fork)."""

    reader: Reader

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Give the directory as it is now; raises `DirectoryUnknown`."""
        return self.reader.snapshot(time.time())


def snapshots(configuration: Configuration, *, steady: bool = True) -> Snapshots:
    """Return where the configured mirror is read.

    :param steady: whether the directory never moves under a snapshot; the milter, which looks most, begins again.
    """
    site = configuration.site
    fingerprint = mirror_settings(configuration).fingerprint
    max_age = float(site.directory.max_age)
    return Snapshots(
        Reader(site.mirror, max_age, fingerprint=fingerprint, freshness=FRESHNESS, steady=steady)
    )


@contextmanager
def looking(configuration: Configuration) -> Iterator[Snapshot]:
    """Give one look at the mirror, whose connection is closed after it; raises `DirectoryUnknown`."""
    lookups = snapshots(configuration)
    try:
        with lookups.snapshot() as directory:
            yield directory
    finally:
        lookups.reader.close()


def mirror_ages(configuration: Configuration) -> Ages:
    """Return where it is recorded how old the mirror has been: beside the state, since a mirror may be deleted."""
    return Ages(configuration.site.state.with_suffix(".ages"))


def mirror_age(configuration: Configuration, now: float) -> float:
    """Return the mirror's age in seconds, `NEVER` where nobody can read it: what the milter goes by, too."""
    try:
        at = synced_at(configuration.site.mirror)
    except DirectoryUnknown:
        return NEVER
    return NEVER if at is None else max(0.0, now - at)


def ledger(configuration: Configuration, *, timeout: float = 5.0) -> Ledger:
    """Return the ledger, brought up to this version."""
    return Ledger.open(f"sqlite:///{configuration.site.state}", timeout=timeout)


def mailbox(configuration: Configuration) -> Maildir:
    """Return the hold mailbox."""
    return Maildir(configuration.site.hold_mailbox)


def address_map(configuration: Configuration) -> GeneratedMap:
    """Return the generated map that the MTA reads."""
    site = configuration.site
    kind = None if site.map.type is MapType.AUTO else site.map.type.value
    delimiters = configuration.settings.recipient_delimiter
    return GeneratedMap(site.map.path, kind, site.service.domain, delimiters)


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


def write_settings(configuration: Configuration) -> LdapSettings:
    """Return how the server that takes changes is reached, and as whom."""
    reading, write = ldap_settings(configuration), configuration.site.directory.write
    password = configuration.write_password
    own = write.bind_dn is not None and password is not None
    return replace(
        reading,
        urls=tuple(server.url for server in write.url) or reading.urls,
        bind_dn=(write.bind_dn or "") if own else reading.bind_dn,
        password=password.get_secret_value() if own and password is not None else reading.password,
    )


def administrations(configuration: Configuration) -> tuple[Administration, ...]:
    """Return who administers which groups."""
    return tuple(
        Administration(one.group, frozenset(one.domains), one.base or "")
        for one in configuration.site.panel.administrators
    )
