"""A case of a policy test as frozen values: the messages, and what is to become of each recipient (spec 5.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from groupmilter.authentication.identity import Connection, Proofs
from groupmilter.authentication.trust import Certificate, Network
from groupmilter.policy.disposition import Verdict

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""When a message is sent that doesn't say: a Monday, so that a calendar's answer doesn't depend on the day."""

_LINE = 72


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes, or is to become, of one recipient.

    :param refuse, defer: the status ("550 5.7.1") that the client hears, or empty.
    :param at: ``rcpt`` or ``end``; in an expectation, empty for either.
    :param deliver: canonical addresses that the recipient becomes; None where it isn't expanded.
    :param hold: canonical addresses of the groups whose moderators are asked.
    :param notify: the status that the sender is told of because the group, or one inside it, refused; or empty.
    :param passed: no group, none of our business.
    """

    refuse: str = ""
    defer: str = ""
    at: str = ""
    deliver: frozenset[str] = frozenset()
    hold: frozenset[str] = frozenset()
    notify: str = ""
    passed: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a client sends it.

    :param client: IP address; empty for local submission.
    :param sender: the envelope sender without brackets; empty for the null sender.
    :param recipients: as the client spells them, without brackets.
    :param size: octets of header fields and body, None where it doesn't matter.
    :param declared: whether SIZE= says so.
    :param fields: the header, in order.
    :param content: the whole message, where there is one: its octets with CRLF line ends. ``fields`` is its header.
    :param expected: by recipient; those not named may become anything.
    :param line: where the message stands in its file.
    :param certificate, issuer: of the TLS client certificate, verified; empty for none.
    """

    client: str
    login: str
    sender: str
    recipients: tuple[str, ...]
    size: int | None
    declared: bool
    fields: tuple[tuple[str, str], ...]
    proofs: Proofs = Proofs()
    time: datetime = NOON
    content: bytes | None = None
    expected: tuple[tuple[str, Outcome], ...] = ()
    line: int = 0
    certificate: str = ""
    issuer: str = ""

    @property
    def connection(self) -> Connection:
        """What the MTA says of the client."""
        return Connection(self.client, self.login, certificate=self.certificate, issuer=self.issuer)

    @property
    def declared_size(self) -> int | None:
        """The value of SIZE= (RFC 1870), None where it is not given."""
        return self.size if self.declared else None

    @property
    def header_octets(self) -> int:
        """Octets of all header fields with their line ends, without the empty line after them."""
        return sum(
            len(name) + len(value.encode("utf-8", "surrogateescape")) + 4 for name, value in self.fields
        )

    def body(self) -> bytes:
        """Return lines of text that bring the message to its size exactly."""
        wanted = 200 if self.size is None else max(self.size - self.header_octets, 0)
        line = b"x" * (_LINE - 2) + b"\r\n"
        whole = line * (wanted // _LINE)
        rest = wanted % _LINE
        return whole + b"x" * (rest - 2) + b"\r\n"[: min(rest, 2)] if rest else whole


@dataclass(frozen=True, slots=True)
class Case:
    """One case: a directory, policies and messages in order.

    :param file, line: where it stands.
    :param directory: an LDIF file; None for the configuration's own directory.
    :param policies: names or files over the shipped default; None for the configuration's own.
    :param group_policies: policy files that only groups naming them obey.
    :param networks, certificates: trusted ones; None for the configuration's own.
    :param own_domains, service_domain: empty for those that follow from the groups' addresses.
    """

    name: str
    file: Path
    line: int
    messages: tuple[Message, ...]
    directory: Path | None = None
    policies: tuple[str, ...] | None = None
    group_policies: tuple[Path, ...] = ()
    networks: tuple[Network, ...] | None = None
    certificates: tuple[Certificate, ...] | None = None
    own_domains: frozenset[str] = frozenset()
    service_domain: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What became of one recipient, with the verdict (and its trace) that it came from."""

    recipient: str
    outcome: Outcome
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Difference:
    """One recipient that became something else than was expected."""

    message: int
    expected: Outcome
    observed: Observed


@dataclass(frozen=True, slots=True)
class Result:
    """How a case went; it holds where there is no difference."""

    case: Case
    observed: tuple[tuple[Observed, ...], ...] = ()
    differences: tuple[Difference, ...] = field(default_factory=tuple)

    @property
    def holds(self) -> bool:
        """Whether every expectation was met."""
        return not self.differences
