"""What may stand in a case file, as pydantic models; `cases` makes values of them. docs/commands.md lists it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from groupmilter.config.fields import Domain, Domains, FilePath, Files, Line, Lines, Listing, Octets
from groupmilter.config.model import TrustedCertificate, TrustedNetwork
from groupmilter.config.validation import STRICT
from groupmilter.mail.reply import reply


def _client(value: object) -> str:
    try:
        return str(ip_address(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise ValueError("wants an IP address such as 203.0.113.9") from error


def _null_sender(value: object) -> object:
    return "" if value == "<>" else value


def _somebody(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("wants at least one recipient")
    return value


def _status(digit: str) -> AfterValidator:
    def check(value: str) -> str:
        if reply(value).smtp[0] != digit:
            raise ValueError(f"wants a status such as '{digit}50 {digit}.7.1'")
        return value

    return AfterValidator(check)


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _time(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError("wants a time such as 2026-03-02T09:30:00+01:00") from error
    if moment.tzinfo is None:
        raise ValueError("wants an offset from UTC, such as +01:00 or Z")
    return moment


class Stage(StrEnum):
    """When a client hears an answer: for one recipient, or for the whole message."""

    RCPT = "rcpt"
    END = "end"


Texts = Annotated[tuple[Annotated[str, BeforeValidator(_text)], ...], Listing]


class _Section(BaseModel):
    model_config = STRICT


class ExpectationEntry(_Section):
    """What is to become of a recipient: one of refuse, defer, pass; or deliver and hold, with notify."""

    refuse: Annotated[str, _status("5")] | None = None
    defer: Annotated[str, _status("4")] | None = None
    passed: Annotated[bool | None, Field(alias="pass")] = None
    at: Annotated[Stage, Field(strict=False)] | None = None
    deliver: Annotated[tuple[str, ...], Listing] | None = None
    hold: Annotated[tuple[str, ...], Listing] | None = None
    notify: Annotated[str, _status("5")] | None = None

    @model_validator(mode="after")
    def _one(self) -> ExpectationEntry:
        final = [value for value in (self.refuse, self.defer, self.passed) if value]
        reached = any(value is not None for value in (self.deliver, self.hold, self.notify))
        if len(final) + reached != 1:
            raise ValueError("wants exactly one of refuse, defer, pass: true, or deliver, hold and notify")
        if self.at is not None and reached:
            raise ValueError("at: belongs to refuse or defer")
        return self


class MessageEntry(_Section):
    """One message."""

    client: Annotated[str, BeforeValidator(_client)] | None = None
    login: Line | None = None
    certificate: Line | None = None
    issuer: Line | None = None
    dmarc_pass: Domains = ()
    spf_pass: Domains = ()
    dns_fails: Domains = ()
    mail_from: Annotated[str, BeforeValidator(_null_sender)]
    author: Annotated[tuple[str, ...], Listing] | None = None
    to: Annotated[tuple[str, ...], Listing, AfterValidator(_somebody)]
    size: Octets | None = None
    declared_size: bool = True
    headers: dict[str, Texts] = {}
    time: Annotated[datetime | None, BeforeValidator(_time)] = None


class ListedMessage(MessageEntry):
    """One of several messages, with what is expected of it."""

    expect: dict[str, ExpectationEntry]


class CaseEntry(_Section):
    """One case."""

    name: Line
    directory: FilePath | None = None
    policy: Lines | None = None
    group_policies: Files = ()
    networks: Annotated[tuple[TrustedNetwork, ...], Listing] | None = None
    certificates: Annotated[tuple[TrustedCertificate, ...], Listing] | None = None
    own_domains: Domains = ()
    service_domain: Domain | None = None
    message: MessageEntry | None = None
    messages: Annotated[tuple[ListedMessage, ...], Listing] = ()
    expect: dict[str, ExpectationEntry] | None = None

    @model_validator(mode="after")
    def _either(self) -> CaseEntry:
        if (self.message is None) is (not self.messages):
            raise ValueError("wants either message with expect, or messages with an expect each")
        if (self.message is None) is not (self.expect is None):
            raise ValueError("expect: belongs to message; each of several messages has its own")
        return self
