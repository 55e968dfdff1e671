"""Where cases are played: each directory file loaded once into a mirror in a temporary folder, each policy read once.

Fails with `ConfigurationError` for bad policies and for a directory file that is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from groupmilter.authentication.trust import Certificate, Network, Trust
from groupmilter.config.load import ConfigurationError, Problem, parse_yaml, read_text
from groupmilter.config.policies import read_policies
from groupmilter.config.resources import Kind, resource
from groupmilter.directory.entry import Put
from groupmilter.directory.ldif import LdifError, read_file
from groupmilter.directory.mirror import Mirror, MirrorSettings
from groupmilter.directory.profile import Profile
from groupmilter.directory.side_store import NOTHING, SideValues, merged
from groupmilter.directory.snapshot import Reader
from groupmilter.groups.directory import Directory
from groupmilter.groups.ticket import Keys
from groupmilter.mail.address import canonical, domain_of
from groupmilter.mta.site import Site, Snapshots
from groupmilter.policy.settings import Settings
from groupmilter.rehearsal.case import Case

KEYS = Keys({0: b"rehearsals never reach any mail server"}, 0)
"""What seals in a rehearsal, where no ticket ever leaves the process."""

_LOADED = 0.0
_NOTHING_BESIDE: Mapping[str, SideValues] = {}
_Wanted = tuple[frozenset[str], str, tuple[str, ...], tuple[Path, ...]]


@dataclass(frozen=True, slots=True)
class Base:
    """What cases are played with where they say nothing else: the shipped default, or a site's configuration.

    :param settings: before any policy that a case names.
    :param site: the configured site, whose policies, networks and directory serve cases that name none; None
        where only the shipped default is known.
    """

    settings: Settings = Settings()
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class FixedSnapshots:
    """A mirror that never grows old."""

    reader: Reader

    def snapshot(self) -> AbstractContextManager[Directory]:
        """Open a snapshot."""
        return self.reader.snapshot(_LOADED)


@dataclass(frozen=True, slots=True)
class Played:
    """One directory file: its mirror, and the domains of its groups."""

    path: Path
    snapshots: Snapshots
    domains: frozenset[str]


@dataclass
class Stage:
    """Gives each case its `Site`; a context manager, since mirrors are files for its time."""

    base: Base = Base()
    _mirrors: dict[tuple[Path, frozenset[str]], Played] = field(default_factory=dict)
    _settings: dict[_Wanted, Settings] = field(default_factory=dict)
    _readers: list[Reader] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Make the folder."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the mirrors and remove them."""
        for reader in self._readers:
            reader.close()
        self._folder.cleanup()

    @cached_property
    def _folder(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="groupmilter-rehearsal-")

    @cached_property
    def _profile(self) -> Profile:
        file = resource(Kind.PROFILES, "native.yaml")
        return Profile.from_mapping(parse_yaml(read_text(file), str(file)))

    def site(self, case: Case) -> Site:
        """Return what a case is decided with.

        :raises ConfigurationError: where its directory or a policy of it is not usable.
        """
        configured = self.base.site
        if case.directory is None:
            if configured is None:
                raise _bad(case, "directory", "is required, unless a configuration is given with --config")
            domains, snapshots = configured.settings.own_domains, configured.snapshots
        else:
            played = self._played(case.directory, case.own_domains)
            domains, snapshots = played.domains, played.snapshots
        settings = self._settings_of(case, domains)
        return Site(settings, snapshots, KEYS, self._trust(case, settings))

    def _trust(self, case: Case, settings: Settings) -> Trust:
        configured = self.base.site.trust if self.base.site else Trust()
        given = case.directory is not None
        return Trust(
            self._networks(case),
            settings.dmarc_is_internal,
            self._certificates(case),
            _realms(settings.own_domains) if given else configured.login_realms,
            settings.own_domains,
            settings.recipient_delimiter,
        )

    def _certificates(self, case: Case) -> tuple[Certificate, ...]:
        if case.certificates is not None:
            return case.certificates
        return self.base.site.trust.certificates if self.base.site else ()

    def _networks(self, case: Case) -> tuple[Network, ...]:
        if case.networks is not None:
            return case.networks
        return self.base.site.trust.networks if self.base.site else ()

    def _settings_of(self, case: Case, domains: frozenset[str]) -> Settings:
        configured = self.base.site.settings if self.base.site else None
        whole = configured is not None and case.policies is None and not case.group_policies
        service = case.service_domain or self.base.settings.service_domain or _service_domain(domains)
        if configured is not None and whole:
            return replace(configured, own_domains=domains, service_domain=service)
        wanted = (domains, service, case.policies or (), case.group_policies)
        if wanted not in self._settings:
            base = replace(self.base.settings, own_domains=domains, service_domain=service)
            self._settings[wanted] = read_policies(base, *wanted[2:], case.file.parent)
        return self._settings[wanted]

    def _played(self, file: Path, domains: frozenset[str]) -> Played:
        key = (file, domains)
        if key not in self._mirrors:
            self._mirrors[key] = self._load(file, domains)
        return self._mirrors[key]

    def _load(self, file: Path, domains: frozenset[str]) -> Played:
        with _as_configuration(file):
            own = domains or frozenset(self._group_domains(file))
        return self.loaded(file, MirrorSettings(self._profile, "", own, login_realms=_realms(own)))

    def loaded(
        self, file: Path, settings: MirrorSettings, beside: Mapping[str, SideValues] = _NOTHING_BESIDE
    ) -> Played:
        """Return a directory file's mirror, made from these settings.

        :param beside: what the side store has for its entries, by UUID.
        :raises ConfigurationError: where it can't be read.
        """
        path = Path(self._folder.name) / f"mirror-{len(self._readers)}.db"
        mirror = Mirror.open(path, settings)
        try:
            with _as_configuration(file):
                entries = read_file(file, settings.base)
                puts = (Put(merged(entry, beside.get(entry.uuid, NOTHING))) for entry in entries)
                mirror.apply(puts, now=_LOADED)
        finally:
            mirror.close()
        reader = Reader(path, max_age=float("inf"))
        self._readers.append(reader)
        return Played(path, FixedSnapshots(reader), settings.own_domains)

    def _group_domains(self, file: Path) -> Iterator[str]:
        """Yield the domains of the groups' primary addresses: a group is the organisation's own."""
        for entry in read_file(file):
            record = self._profile.read(entry)
            written = record.texts("address")[:1] if record is not None and record.group else ()
            yield from (domain_of(address) for text in written if (address := canonical(text)) is not None)


def _realms(own: frozenset[str]) -> frozenset[str]:
    """Return the realms of logins that make no difference where nothing is configured (`config.model.Site`)."""
    return own if len(own) == 1 else frozenset()


def _service_domain(domains: frozenset[str]) -> str:
    return f"groups.{min(domains)}" if domains else "groups.example"


def _bad(case: Case, path: str, text: str) -> ConfigurationError:
    return ConfigurationError((Problem(str(case.file), case.line, path, text),))


@contextmanager
def _as_configuration(file: Path) -> Iterator[None]:
    try:
        yield
    except LdifError as error:
        place, _, text = str(error).removeprefix(f"{file}:").partition(":")
        line = int(place) if place.isdigit() else 0
        raise ConfigurationError(
            (Problem(str(file), line, "", (text if line else place).strip()),)
        ) from error
