"""Messages on paper: a directory of Python values, and one message put to the live collector, without any MTA.

office = Office()
jean = office.person("jean", login="jean")
office.group("contact", jean)
letter = office.letter("jean@own.example", login="jean")
letter.to("contact@own.example")
facts, decision = letter.end()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.support.paper import Paper

from groupmilter.authentication.evidence import Evidence, supposed
from groupmilter.authentication.identity import Connection, Proofs
from groupmilter.authentication.trust import Certificate, Network, Trust
from groupmilter.groups.directory import Directory
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node, Person
from groupmilter.groups.ticket import Keys
from groupmilter.mail.action import Action, AddRecipient
from groupmilter.mail.address import Address, path
from groupmilter.mta.collector import Collector
from groupmilter.mta.site import Site
from groupmilter.policy.disposition import Decision, Deferred, Disposition, Expanded, Refused, Verdict
from groupmilter.policy.facts import Count, Facts
from groupmilter.policy.plan import Mint, plan
from groupmilter.policy.settings import Settings

OWN = "own.example"
SERVICE = "groups.own.example"
KEYS = Keys({1: b"k" * 32}, 1)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday."""


@dataclass
class Office:
    """A directory on paper with the settings under which messages to it are decided."""

    settings: Settings = Settings(own_domains=frozenset({OWN}), service_domain=SERVICE)
    networks: tuple[Network, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    paper: Paper = field(default_factory=Paper)
    failing: list[Exception] = field(default_factory=list)
    counts: Mapping[Count, int] | None = field(default_factory=dict)
    may_be_group: frozenset[str] = frozenset()
    proofs: Proofs = Proofs()
    forged: tuple[int, ...] = ()
    opened: int = 0
    proven: int = 0
    _number: int = 0

    def person(self, name: str, *aliases: str, login: str = "", **fields: object) -> Person:
        """Add a person ``name@own.example``."""
        made = self.paper.add_person(self._next(), *(_full(a) for a in (name, *aliases)), login=login)
        changed = replace(made, **untyped(fields))
        self.paper.people[made.node] = changed
        return changed

    def group(self, name: str, *members: Group | Person | str, **fields: object) -> Group:
        """Add a group ``name@own.example`` that anybody may write to, unless ``fields`` say else."""
        number = self._next()
        address = _full(name) if name else ""
        whole = untyped({"address": address, "require_authentication": False} | fields)
        made = Group(node=Node(number), uuid=f"uuid-{number}", dn=f"cn={name or number}", **whole)
        return self.paper.add_group(made, *members)

    def rewrite(self, group: Group, **fields: object) -> Group:
        """Change a group's row."""
        self.paper.groups[group.node] = replace(group, **untyped(fields))
        return self.paper.groups[group.node]

    def letter(
        self,
        sender: str,
        *,
        login: str = "",
        client: str = "192.0.2.1",
        size: int | None = None,
        certificate: str = "",
        issuer: str = "",
    ) -> Letter:
        """Begin a message; ``client`` empty is local submission."""
        argument = f"<{sender}>"
        address = path(argument, self.settings.own_domains) or Address(argument, sender)
        return Letter(
            self,
            Collector(
                self.site, Connection(client, login, certificate=certificate, issuer=issuer), address, size
            ),
        )

    @property
    def site(self) -> Site:
        return Site(
            self.settings,
            self,
            KEYS,
            Trust(
                self.networks,
                self.settings.dmarc_is_internal,
                self.certificates,
                frozenset({OWN}),
                self.settings.own_domains,
                self.settings.recipient_delimiter,
            ),
            prove=self.prove,
            forged=lambda *_: self.forged,
            may_be_group=lambda address: address in self.may_be_group,
            counts=lambda: self.counts,
            clock=lambda: NOON,
        )

    def prove(self, evidence: Evidence) -> Proofs:
        """Prove what the test supposes; it counts how often."""
        self.proven += 1
        return supposed(evidence, self.proofs)

    @contextmanager
    def snapshot(self) -> Iterator[Directory]:
        """Open the directory; the next exception of ``failing`` comes instead."""
        self.opened += 1
        if self.failing:
            raise self.failing.pop(0)
        yield self.paper

    def _next(self) -> int:
        self._number += 1
        return self._number


@dataclass
class Letter:
    """One message on its way into the collector."""

    office: Office
    collector: Collector

    def rcpt(self, recipient: str, notify: str = "", resolved: str | None = None) -> Verdict:
        """Say RCPT TO; a recipient that isn't refused stays, as does any of local submission."""
        argument = recipient if recipient.startswith("<") else f"<{recipient}>"
        verdict = self.collector.recipient(argument, resolved, notify)
        refused = isinstance(verdict.disposition, Refused | Deferred)
        if not refused or not self.collector.connection.client:
            self.collector.accept(verdict.recipient)
        return verdict

    def to(self, *recipients: str) -> Letter:
        """Say RCPT TO for each, all of which have to be taken."""
        for recipient in recipients:
            verdict = self.rcpt(recipient)
            assert not isinstance(verdict.disposition, Refused | Deferred), verdict
        return self

    def end(self, **headers: str | list[str]) -> tuple[Facts, Decision]:
        """Send the header (``auto_submitted`` is Auto-Submitted; From as the sender unless given), and decide."""
        fields = {"from": self.collector.sender.canonical} | headers
        for name, values in fields.items():
            for value in [values] if isinstance(values, str) else values:
                self.collector.header(name.replace("_", "-"), b" " + value.encode("utf-8", "surrogateescape"))
        return self.collector.end()

    def decided(self, **headers: str | list[str]) -> list[Disposition]:
        """Return what becomes of each recipient; the message as a whole has to be accepted."""
        _, decision = self.end(**headers)
        assert decision.answer is None, decision.answer
        return [verdict.disposition for verdict in decision.verdicts]

    def answered(self, **headers: str | list[str]) -> str:
        """Return the status that refuses or defers the message, empty where it is accepted."""
        _, decision = self.end(**headers)
        return decision.answer.status if decision.answer else ""

    def planned(self, **headers: str | list[str]) -> tuple[Action, ...]:
        """Return the actions for a message that has to be accepted."""
        facts, decision = self.end(**headers)
        assert decision.answer is None, decision.answer
        return plan(decision, facts, self.office.settings, Mint(KEYS, 1_700_000_000, 7))


def receivers(disposition: Disposition) -> list[str]:
    """Return whom an expanded recipient becomes."""
    assert isinstance(disposition, Expanded), disposition
    return [member.address for member in disposition.expansion.members]


def added(actions: tuple[Action, ...]) -> list[str]:
    """Return the addresses that a plan adds."""
    return [action.address for action in actions if isinstance(action, AddRecipient)]


def status(verdict: Verdict) -> str:
    """Return the status of a refusal or deferral, empty for any other verdict."""
    disposition = verdict.disposition
    return disposition.reply.status if isinstance(disposition, Refused | Deferred) else ""


def replied(verdict: Verdict) -> str:
    """Return the whole reply of a refusal or deferral."""
    disposition = verdict.disposition
    assert isinstance(disposition, Refused | Deferred), disposition
    return str(disposition.reply)


def untyped(fields: Mapping[str, object]) -> dict[str, Any]:
    """Return keyword arguments of a test for a constructor that wants each of its own type."""
    return dict(fields)


def _full(name: str) -> str:
    return name if "@" in name else f"{name}@{OWN}"
