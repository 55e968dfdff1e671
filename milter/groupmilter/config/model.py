"""The options of ``config.yaml`` (specification 5.1), each with a default that is safe.

The smallest working file names three things: ``directory.url``, ``directory.base``, ``service.domain``.
Unknown keys are refused. Secrets are never in the file itself: they come from a ``*_file`` or the
environment, and no value here holds one. docs/configuration.md lists every option; a test compares.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from groupmilter.config.authentication import Authentication, TrustedRelay
from groupmilter.config.fields import (
    Domain,
    Domains,
    FilePath,
    Files,
    Line,
    Lines,
    Listing,
    Mailbox,
    Octets,
    Place,
    Seconds,
)
from groupmilter.config.panel import Panel
from groupmilter.config.places import (
    Listen,
    ListenAt,
    Maildir,
    Server,
    ServerUrl,
    SqliteUrl,
    Tls,
)
from groupmilter.config.validation import STRICT
from groupmilter.mail.address import canonical_domain

_MILTER = Path("/var/spool/postfix/groupmilter/milter.sock")
_COMPONENT = re.compile(r"dc\s*=\s*([^,+\\]+)", re.IGNORECASE)


class Mode(StrEnum):
    """Whether decisions are carried out, or only logged."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Sync(StrEnum):
    """How the mirror follows the directory; ``auto`` takes the best that the server offers."""

    AUTO = "auto"
    PERSIST = "persist"
    POLL = "poll"
    RELOAD = "reload"


class SideStore(StrEnum):
    """Whether the side store holds what groups have no attribute for; ``auto``: where the profile says so."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class MapType(StrEnum):
    """The kind of lookup table that the generated map becomes; ``auto``: the first that Postfix knows."""

    AUTO = "auto"
    LMDB = "lmdb"
    HASH = "hash"
    CDB = "cdb"
    TEXT = "texthash"


class Rights(StrEnum):
    """What a trusted network proves: that a sender is authenticated, or which person he is."""

    AUTHENTICATED = "authenticated"
    PERSON = "person"


class Level(StrEnum):
    """The least important lines that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Format(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


def _workers(value: object) -> int:
    if value == "auto":
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 256:
        raise ValueError("wants auto or a number from 1 to 256")
    return value


def _file_mode(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"0?[0-7]{3}", value):
        raise ValueError('wants a file mode in quotes, such as "0660"')
    return int(value, 8)


class _Section(BaseModel):
    model_config = STRICT


class Socket(_Section):
    """Who may connect to a Unix socket that the milter made: the MTA's group.

    :param group: empty leaves the group of the process.
    """

    group: str = "postfix"
    mode: Annotated[int, BeforeValidator(_file_mode)] = 0o660


class GroupClass(StrEnum):
    """The structural class that new groups get."""

    NAMES = "groupOfNames"
    UNIQUE_NAMES = "groupOfUniqueNames"
    MEMBERS = "groupOfMembers"


class Write(_Section):
    """How groups are changed: the server that takes changes, the account that may make them, where new groups go.

    :param url: none: as ``directory.url``.
    :param bind_dn: None: the account that reads.
    :param as_person: whether the server is told on whose behalf it is asked to change (RFC 4370).
    :param groups: DN below which new groups are made; ``contacts``: external contacts.
    """

    url: Annotated[tuple[ServerUrl, ...], Listing] = ()
    bind_dn: Line | None = None
    password_file: FilePath | None = None
    as_person: bool = False
    groups: Line | None = None
    contacts: Line | None = None
    group_class: Annotated[GroupClass, Field(strict=False)] = GroupClass.NAMES

    @model_validator(mode="after")
    def _whole(self) -> Write:
        if any(server.kind == "ldif" for server in self.url):
            raise ValueError("url: an LDIF file takes no changes")
        if self.bind_dn is None and self.password_file is not None:
            raise ValueError("password_file: there is no bind_dn that it belongs to")
        return self


class Directory(_Section):
    """The LDAP server, or the LDIF file, and how it is read.

    :param url: one or several, tried in order.
    :param start_tls: None: yes, except on loopback, over ``ldaps`` or a local socket.
    :param login_attributes: instead of the profile's.
    :param login_realms: domains behind a login that make no difference; None: the own domain, where there is one.
    :param max_age, poll, reload, timeout: seconds.
    """

    url: Annotated[tuple[ServerUrl, ...], Listing, Field(min_length=1)]
    base: Line
    bind_dn: Line | None = None
    password_file: FilePath | None = None
    profile: Line = "native"
    start_tls: bool | None = None
    verify: bool = True
    ca_file: FilePath | None = None
    sync: Annotated[Sync, Field(strict=False)] = Sync.AUTO
    poll: Seconds = 30
    reload: Seconds = 900
    max_age: Seconds = 86_400
    timeout: Seconds = 10
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    placeholder: Line = "cn=placeholder"
    side_store: Annotated[SideStore, Field(strict=False)] = SideStore.AUTO
    login_attributes: Lines = ()
    write: Write = Write()
    login_realms: Domains | None = None

    @model_validator(mode="after")
    def _alike(self) -> Directory:
        kinds = {server.kind == "ldif" for server in self.url}
        if len(kinds) > 1 or (True in kinds and len(self.url) > 1):
            raise ValueError("url: one ldif: file stands alone")
        if self.bind_dn is None and self.password_file is not None:
            raise ValueError("password_file: there is no bind_dn that it belongs to")
        return self

    def tls(self, server: Server) -> Tls:
        """Return how the connection to one of the servers is protected."""
        return server.tls(self.start_tls)


class Release(_Section):
    """The MTA's listener on loopback that takes approved messages back, and the credential that it asks for.

    :param login: the name we authenticate with; ``secret_file`` holds the password, and is made when there is none.
    :param socket: where the MTA asks us whether a login is ours; see `Site.release_socket`.
    """

    host: Line = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 10_027
    daemon_name: Line = "groupmilter-release"
    login: Line = "groupmilter-release"
    secret_file: FilePath = Path("/var/lib/groupmilter/release.secret")
    socket: FilePath | None = None


class Service(_Section):
    """The domain of tickets and answers, and the key that seals them."""

    domain: Domain
    key_file: FilePath = Path("/var/lib/groupmilter/ticket.key")
    release: Release = Release()


class TrustedNetwork(_Section):
    """A network whose clients count as authenticated for the author domains that they speak for.

    :param net: None stands for ``local``: what this host's own programs submit without SMTP.
    """

    net: Place
    speaks_for: Domains = ()
    rights: Annotated[Rights, Field(strict=False)] = Rights.AUTHENTICATED


class TrustedCertificate(_Section):
    """A TLS client certificate, and who its holder is: somebody, or a host that speaks for domains.

    :param subject, issuer: as the MTA names them: Postfix by their common names, Sendmail by their whole names too.
    :param login, address: of a person, whose rights the holder has.
    :param speaks_for, rights: see `TrustedNetwork`.
    """

    subject: Line
    issuer: Line | None = None
    login: Line | None = None
    address: Mailbox | None = None
    speaks_for: Domains = ()
    rights: Annotated[Rights, Field(strict=False)] = Rights.AUTHENTICATED

    @model_validator(mode="after")
    def _one(self) -> TrustedCertificate:
        said = [name for name in ("login", "address", "speaks_for") if getattr(self, name)]
        if len(said) != 1:
            raise ValueError("wants exactly one of login, address or speaks_for")
        if "rights" in self.model_fields_set and not self.speaks_for:
            raise ValueError("rights: belongs to speaks_for; a person has them all")
        return self


class Mta(_Section):
    """What the MTA is set to, so that an expansion stays within it."""

    message_size_limit: Octets = 10_240_000
    recipient_delimiter: str = "+"


class GeneratedMap(_Section):
    """The lookup table of group and service addresses that is written for the MTA.

    :param type: the table's kind; ``path`` without the suffix that the kind adds.
    """

    type: Annotated[MapType, Field(strict=False)] = MapType.AUTO
    path: FilePath = Path("/var/lib/groupmilter/map/groups")


class Log(_Section):
    """What is logged, to standard error, and in which form."""

    level: Annotated[Level, Field(strict=False)] = Level.INFO
    format: Annotated[Format, Field(strict=False)] = Format.TEXT


class Site(_Section):
    """The whole of ``config.yaml``.

    :param workers: number of processes; 0 stands for ``auto`` (`worker_count`).
    :param own_domains: see `domains`.
    :param policies: policy files over the shipped default, in order; a bare name is one that is shipped.
    :param certificates: TLS clients that are known by the subject of their certificate.
    :param group_policies: policy files that only groups naming them (``dgPolicy``) obey.
    """

    listen: ListenAt = Listen("unix", path=_MILTER)
    socket: Socket = Socket()
    workers: Annotated[int, BeforeValidator(_workers)] = 0
    mode: Annotated[Mode, Field(strict=False)] = Mode.ENFORCE
    directory: Directory
    service: Service
    own_domains: Domains = ()
    hold_mailbox: Maildir = Path("/var/lib/groupmilter/hold")
    state: SqliteUrl = Path("/var/lib/groupmilter/state.db")
    mirror: FilePath = Path("/var/lib/groupmilter/mirror.db")
    map: GeneratedMap = GeneratedMap()
    control: FilePath = Path("/run/groupmilter/control.sock")
    networks: Annotated[tuple[TrustedNetwork, ...], Listing] = ()
    certificates: Annotated[tuple[TrustedCertificate, ...], Listing] = ()
    trusted_relays: Annotated[tuple[TrustedRelay, ...], Listing] = ()
    authentication: Authentication = Authentication()
    policies: Lines = ()
    group_policies: Files = ()
    mta: Mta = Mta()
    panel: Panel = Panel()
    log: Log = Log()

    @model_validator(mode="after")
    def _apart(self) -> Site:
        if self.service.domain in self.own_domains:
            raise ValueError("own_domains: holds service.domain, which is for tickets only")
        known = [(one.subject.casefold(), (one.issuer or "").casefold()) for one in self.certificates]
        if len(set(known)) != len(known):
            raise ValueError("certificates: one subject of one issuer stands there twice")
        return self

    @property
    def worker_count(self) -> int:
        """How many milter processes run: as configured, or one for each CPU that may be used."""
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def release_socket(self) -> Path:
        """Where the MTA asks about logins on the release listener: as configured, or beside the milter's socket."""
        beside = self.listen.path if self.listen.kind == "unix" else _MILTER
        return self.service.release.socket or beside.with_name("release.sock")

    def domains(self) -> frozenset[str]:
        """Return the organisation's domains as far as the configuration tells.

        ``own_domains`` where it is given, and nothing else then. Otherwise the domain that ``directory.base``
        spells in its ``dc`` components, and the domain above the service domain; a foreign domain is never
        guessed. One domain too few, and a group spelt in another case is not recognised there: Postfix's
        generated map then takes the message to the hold mailbox, so it reaches a human and nobody else.
        """
        if self.own_domains:
            return frozenset(self.own_domains)
        spelt = canonical_domain(".".join(part.strip() for part in _COMPONENT.findall(self.directory.base)))
        above = self.service.domain.partition(".")[2]
        return frozenset(domain for domain in (spelt, above) if domain and "." in domain)

    def login_realms(self) -> frozenset[str]:
        """Return the realms that make no difference: ``jean@example.org`` is ``jean``.

        Not guessed where the organisation has several domains: a name may be another person's in each of them.
        """
        if self.directory.login_realms is not None:
            return frozenset(self.directory.login_realms)
        own = self.domains()
        return own if len(own) == 1 else frozenset()
