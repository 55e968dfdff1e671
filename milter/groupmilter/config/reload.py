"""The whole configuration as one value: read completely, checked completely, then used as it is or not at
all.

A connection keeps the `Configuration` it began with. `reload` gives a new one or, with everything that is
wrong, the old one: a bad file never changes a running milter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from groupmilter.config.keys import KeyRing, private, read_keys
from groupmilter.config.load import ConfigurationError, Document, Problem, read_document, read_text
from groupmilter.config.model import Directory, Site, Write
from groupmilter.config.policies import read_policies
from groupmilter.config.validation import validate
from groupmilter.policy.settings import Bounds, Settings

DEFAULT_PATH = Path("/etc/groupmilter/config.yaml")
PASSWORD = "GROUPMILTER_DIRECTORY_PASSWORD"  # noqa: S105 - the name of a variable, not its value
WRITE_PASSWORD = "GROUPMILTER_DIRECTORY_WRITE_PASSWORD"  # noqa: S105 - likewise


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that was configured, as one snapshot.

    :param settings: for decisions; ``own_domains`` as far as the configuration tells (`Site.domains`).
    :param keys: the ticket keys; empty where their file has still to be made (`keys.create_keys`).
    :param password: of ``directory.bind_dn``; None for an anonymous bind. ``write_password``: of
        ``directory.write.bind_dn``; None where there is none of its own.
    """

    file: Path
    site: Site
    settings: Settings
    keys: KeyRing
    password: SecretStr | None = None
    write_password: SecretStr | None = None


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Configuration:
    """Return the configuration that a file describes, with its policies, keys and password.

    :raises ConfigurationError: with everything wrong, in whichever file.
    """
    document = read_document(read_text(path), str(path))
    site = validate(Site, document, path.parent)
    problems: list[Problem] = []
    settings, keys, password, write = Settings(), KeyRing(), None, None
    try:
        settings = read_policies(base_settings(site), site.policies, site.group_policies, path.parent)
    except ConfigurationError as error:
        problems.extend(error.errors)
    try:
        keys = read_keys(site.service.key_file)
    except ConfigurationError as error:
        problems.extend(error.errors)
    try:
        password = _password(
            site.directory, document, ("directory",), environment.get(PASSWORD, ""), PASSWORD
        )
    except ConfigurationError as error:
        problems.extend(error.errors)
    try:
        given = environment.get(WRITE_PASSWORD, "")
        write = _password(site.directory.write, document, ("directory", "write"), given, WRITE_PASSWORD)
    except ConfigurationError as error:
        problems.extend(error.errors)
    if problems:
        raise ConfigurationError(tuple(problems))
    return Configuration(path, site, settings, keys, password, write)


def reload(
    current: Configuration, path: Path, environment: Mapping[str, str] = os.environ
) -> tuple[Configuration, tuple[Problem, ...]]:
    """Return the new configuration and no problems, or the current one and everything wrong with the new."""
    try:
        return load(path, environment), ()
    except ConfigurationError as error:
        return current, error.errors


def base_settings(site: Site) -> Settings:
    """Return what decisions need from ``config.yaml`` itself, before any policy."""
    return Settings(
        own_domains=site.domains(),
        service_domain=site.service.domain,
        recipient_delimiter=site.mta.recipient_delimiter,
        bounds=Bounds(message_size_limit=site.mta.message_size_limit),
    )


def _password(
    account: Directory | Write, document: Document, at: tuple[str, ...], given: str, variable: str
) -> SecretStr | None:
    """Return a bind password from its file, else the environment's; an empty one would bind as nobody."""
    if account.bind_dn is None:
        return None
    if account.password_file is not None:
        private(account.password_file)
        secret = read_text(account.password_file).rstrip("\r\n")
        source = str(account.password_file)
    else:
        secret, source = given, variable
    if not secret:
        said = f"needs a password, and {source} gives none"
        raise ConfigurationError((document.problem((*at, "bind_dn"), said),))
    return SecretStr(secret)
