"""The corpus of cases (tests/cases) for the heights above the pure core: what a case asks of a running service,
the pure run of the same case, and what both may be compared by.

Tickets differ from run to run by time and nonce, so they are compared opened: kind, group, sender, strength.
Fails with `ConfigurationError` for a case file that can't be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.service import Service

from groupmilter.authentication.trust import Certificate, Network
from groupmilter.groups.ticket import Keys, Ticket, unseal
from groupmilter.mail import action
from groupmilter.mta.counters import Counters
from groupmilter.mta.site import Site
from groupmilter.policy.disposition import Split
from groupmilter.policy.plan import Mint, plan
from groupmilter.rehearsal.case import Case, Message
from groupmilter.rehearsal.cases import ITS_OWN, read_files
from groupmilter.rehearsal.memory import Memory
from groupmilter.rehearsal.run import Transcript, play
from groupmilter.rehearsal.stage import Stage

ROOT = Path(__file__).resolve().parents[1] / "cases"
_NO_TICKET = "no ticket"


def corpus() -> tuple[Case, ...]:
    """Every case of tests/cases, those together that want the same service.

    What lies in a folder `policies` is for the cases to name.
    """
    cases = read_files(sorted(file for file in ROOT.rglob("*.yaml") if file.parent.name != "policies"))
    return tuple(sorted(cases, key=_wants))


def _wants(case: Case) -> tuple[str, ...]:
    foundation = (str(case.directory), str(sorted(case.own_domains)), case.service_domain)
    return (
        *foundation,
        str(case.policies),
        str(case.group_policies),
        str(case.networks),
        str(case.certificates),
    )


def name_of(case: Case) -> str:
    """The case's name with its file's, for test reports."""
    return f"{case.file.relative_to(ROOT).with_suffix('')}: {case.name}"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a case asks of a service; cases with the same foundation share one, and the rest is reloaded."""

    directory: Path
    own_domains: frozenset[str]
    service_domain: str
    policies: tuple[str, ...]
    group_policies: tuple[Path, ...]
    networks: tuple[Network, ...]
    certificates: tuple[Certificate, ...]

    @property
    def foundation(self) -> tuple[Path, frozenset[str], str]:
        """What a running service can't change."""
        return self.directory, self.own_domains, self.service_domain

    @property
    def base(self) -> str:
        """The suffix: the DN of the directory file's first entry."""
        lines = self.directory.read_text("utf-8").splitlines()
        return next(line[3:].strip() for line in lines if line.startswith("dn:"))

    @property
    def options(self) -> dict[str, Any]:
        """The options of config.yaml."""
        options: dict[str, Any] = {"own_domains": sorted(self.own_domains), "directory": {"max_age": "365d"}}
        options["policies"] = [*self.policies]
        options["group_policies"] = [str(path) for path in self.group_policies]
        options["networks"] = [_network(network) for network in self.networks]
        options["certificates"] = [_certificate(one) for one in self.certificates]
        return options

    def service(self, url: str) -> Service:
        """A service for these cases, reading its directory from `url`."""
        return Service(url, self.base, self.service_domain, self.options, staged=True, desk=False)


def _network(network: Network) -> dict[str, Any]:
    rights = "person" if network.person else "authenticated"
    net = "local" if network.net is None else str(network.net)
    return {"net": net, "speaks_for": sorted(network.speaks_for), "rights": rights}


def _certificate(certificate: Certificate) -> dict[str, Any]:
    names = ("subject", "issuer", "login", "address")
    said: dict[str, Any] = {name: getattr(certificate, name) for name in names if getattr(certificate, name)}
    if certificate.speaks_for:
        rights = "person" if certificate.person else "authenticated"
        said |= {"speaks_for": sorted(certificate.speaks_for), "rights": rights}
    return said


def setting(case: Case, site: Site) -> Setting:
    """What a case asks for; `site` is what the pure core decides it with."""
    if case.directory is None:
        raise ValueError(f"{case.file}:{case.line}: a case of the corpus brings its own directory")
    settings = site.settings
    return Setting(
        case.directory.resolve(), settings.own_domains, settings.service_domain, case.policies or (),
        case.group_policies, site.trust.networks, site.trust.certificates,
    )  # fmt: skip


@dataclass
class Services:
    """Started services, one at a time: another foundation stops the one before. A context manager.

    `url` gives (and may start) a service's directory, `around` what stands around the service.
    """

    url: Callable[[Setting, ExitStack], str] = lambda setting, _: f"ldif:{setting.directory}"
    around: Callable[[Service, Setting, ExitStack], None] = lambda *_: None
    _open: ExitStack = field(default_factory=ExitStack)
    _current: tuple[Setting, Service] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def get(self, wanted: Setting) -> Service:
        """The service for a setting."""
        current = self._current
        if current is None or current[0].foundation != wanted.foundation:
            service = self._started(wanted)
        else:
            service = current[1]
            if current[0] != wanted:
                service.reload(wanted.options)
        self._current = wanted, service
        return service

    def _started(self, wanted: Setting) -> Service:
        self._current = None
        self._open.close()
        service = self._open.enter_context(wanted.service(self.url(wanted, self._open)))
        self.around(service, wanted, self._open)
        return service


@dataclass(frozen=True, slots=True)
class Pure:
    """What the pure core makes of a message: the transcript, and the actions in their order."""

    message: Message
    transcript: Transcript
    actions: tuple[action.Action, ...]

    @property
    def delivered(self) -> frozenset[str]:
        """Everybody whom the accepted message reaches through a group, at once."""
        return frozenset().union(*(seen.outcome.deliver for seen in self.transcript.observed)) - self.later

    @property
    def later(self) -> frozenset[str]:
        """Those among them whose copy goes by the desk."""
        copies = (s for s in self.transcript.observed if isinstance(s.verdict.disposition, Split))
        return frozenset().union(*(copy.outcome.deliver for copy in copies))

    @property
    def held(self) -> frozenset[str]:
        """The groups whose moderators are asked."""
        return frozenset().union(*(seen.outcome.hold for seen in self.transcript.observed))


def pure(case: Case, stage: Stage, keys: Keys) -> Iterator[Pure]:
    """Play a case in the pure core, sealing with these keys."""
    site = replace(stage.site(case), keys=keys)
    counters, memory = Counters(1 << 12), Memory()
    for message in case.messages:
        transcript = play(message, site, counters, memory=memory)
        actions: tuple[action.Action, ...] = ()
        if (
            transcript.decision is not None
            and transcript.facts is not None
            and not transcript.decision.answer
        ):
            mint = Mint(keys, int(message.time.timestamp()), 0)
            actions = plan(transcript.decision, transcript.facts, site.settings, mint)
        yield Pure(message, transcript, actions)


def stage_for(service: Service, message: Message, number: int) -> None:
    """Make the service see the message's proofs and time; `number` keeps one case's counters from another's."""
    proofs = message.proofs
    ahead = timedelta(days=30 * number).total_seconds()
    service.stage(proofs.dkim, proofs.spf, message.time, ahead, doubt=proofs.dkim_doubt)


def octets(message: Message, identity: str = "") -> bytes:
    """The message as a client sends it; `identity`, if given, becomes its Message-ID or stands beside the case's."""
    said = any(name == "Message-ID" and not value.endswith(f"@{ITS_OWN}>") for name, value in message.fields)
    fields = [
        (name, f"<{identity}>" if identity and not said and name == "Message-ID" else value)
        for name, value in message.fields
    ]
    fields += [("X-Case", identity)] if said and identity else []
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in fields)
    return head + b"\r\n" + message.body()


def parameters(message: Message) -> tuple[str, ...]:
    """The parameters of MAIL FROM."""
    size = () if message.declared_size is None else (f"SIZE={message.declared_size}",)
    plain = all(text.isascii() for text in (message.sender, *message.recipients))
    return size if plain else (*size, "SMTPUTF8")


def opened(address: str, keys: Keys) -> Ticket | None:
    """The ticket that an address of the service domain carries, without what differs from run to run."""
    _, _, sealed = address.rpartition("@")[0].partition("+")
    ticket = unseal(sealed, keys)
    return None if ticket is None else replace(ticket, time=0, nonce=0)


def comparable(actions: Iterable[action.Action], keys: Keys, service_domain: str) -> list[tuple[str, ...]]:
    """Actions as values to compare: tickets opened, and one spelling deleted with and without brackets only once."""
    at_the_mta = (one for one in actions if not isinstance(one, action.LeaveOut))
    values = ((type(one).__name__, *_comparable(one, keys, service_domain)) for one in at_the_mta)
    return list(dict.fromkeys(values))


def _comparable(one: action.Action, keys: Keys, service_domain: str) -> tuple[str, ...]:
    match one:
        case action.AddRecipient(address, parameters_):
            return _named(address, keys, service_domain), parameters_
        case action.ChangeSender(address):
            return (_named(address, keys, service_domain),)
        case action.DeleteRecipient(address):
            return (address.removeprefix("<").removesuffix(">"),)
        case action.AddHeader(name, value) | action.InsertHeader(name, value):
            return name, value
        case action.DeleteHeader(name, index):
            return name, str(index)
        case action.LeaveOut(ticket, addresses):
            return _named(f"hold+{ticket}@{service_domain}", keys, service_domain), *addresses


def _named(address: str, keys: Keys, service_domain: str) -> str:
    if not address.endswith(f"@{service_domain}"):
        return address
    return f"{address.partition('+')[0]} {opened(address, keys) or _NO_TICKET}"
