"""The corpus with a real MTA: slapd with a case's directory, the service, the MTA beside it; one of each at a time.

    with Sites(cases, install).entered() as sites:
        site = sites.get(setting)

Fails as what it starts fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from tests.support.certificates import Authority
from tests.support.corpus import Services, Setting
from tests.support.postfix_files import Tls
from tests.support.service import Service
from tests.support.slapd import Slapd
from tests.support.slapd_configuration import Settings

from groupmilter.mail.address import domain_of
from groupmilter.rehearsal.case import Case
from groupmilter.rehearsal.cases import plain

MODULES = ("back_mdb", "syncprov", "ppolicy")
"""ppolicy: for its attributes alone, such as the one that says that an account is locked."""

Site = TypeVar("Site")


@dataclass
class Sites(Generic[Site]):
    """The installations of the corpus. `install`: makes one beside a service, with the MTA's own domains and TLS."""

    cases: Sequence[Case]
    install: Callable[[Service, Sequence[str], Tls], AbstractContextManager[Site]]
    current: Site | None = None
    services: Services = field(init=False)

    def __post_init__(self) -> None:
        self.services = Services(self._directory, self._around)

    @contextmanager
    def entered(self) -> Iterator[Self]:
        """Stop everything at the end."""
        with self.services:
            yield self

    def get(self, wanted: Setting) -> Site:
        """The installation for a setting."""
        self.services.get(wanted)
        assert self.current is not None
        return self.current

    def _directory(self, wanted: Setting, stack: ExitStack) -> str:
        settings = Settings(suffix=wanted.base, modules=MODULES)
        return stack.enter_context(Slapd(settings, [wanted.directory])).uri

    def _around(self, service: Service, wanted: Setting, stack: ExitStack) -> None:
        domains = {domain_of(plain(to)) for case in self.cases for m in case.messages for to in m.recipients}
        local = sorted((domains | wanted.own_domains) - {wanted.service_domain, ""})
        authority = Authority(service.folder / "authority").create()
        server = authority.issue("mx.masociete.example")
        tls = Tls(server.certificate, server.key, authority.certificate)
        self.current = stack.enter_context(self.install(service, local, tls))
