"""The options of the panel: where it listens, who administers, who may make groups, log-ins and sessions.

Fails like every section: a sentence with its line for what can't be read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from groupmilter.config.fields import Domains, Globs, Line, Lines, Listing, Seconds
from groupmilter.config.places import OnLoopback, WebAddress
from groupmilter.config.validation import STRICT

RESERVED = (
    "abuse", "admin", "administrator", "hostmaster", "mailer-daemon", "noc", "nobody", "postmaster", "root",
    "security", "ssladmin", "sysadmin", "usenet", "webmaster", "www",
)  # fmt: skip
"""What mail to a domain's keepers goes to (RFC 2142), and what certificate authorities write to."""


class Detail(StrEnum):
    """What a new group may be asked to have."""

    NAME = "name"
    DESCRIPTION = "description"
    MAIL_TIP = "mail_tip"
    MEMBERS = "members"
    OWNERS = "owners"


def _administrators(value: object) -> object:
    """One name is a list of one; a name alone stands for everything."""
    several = value if isinstance(value, list) else [] if value is None else [value]
    return tuple({"group": one} if isinstance(one, str) else one for one in several)


class _Section(BaseModel):
    model_config = STRICT


class Administrators(_Section):
    """A group whose members administer: everything, or what lies in some domains or below a name.

    :param group: DN of the group, or of one person.
    """

    group: Line
    domains: Domains = ()
    base: Line | None = None


class Create(_Section):
    """Who may make groups, and which. Administrators may, within what they administer, whatever stands here.

    :param who: ``administrators`` (nobody else), ``everybody``, or DNs of groups and persons.
    :param domains: none: the own domains. ``names``: for what stands left of the @; none: any.
    :param reserved: names that only administrators may give, as long as they are.
    :param required: fields that every new group must have.
    """

    who: Lines = ("administrators",)
    domains: Domains = ()
    names: Globs = ()
    reserved: Globs = RESERVED
    required: Annotated[tuple[Annotated[Detail, Field(strict=False)], ...], Listing] = ()

    @model_validator(mode="after")
    def _words(self) -> Create:
        unknown = [one for one in self.who if one not in {"administrators", "everybody"} and "=" not in one]
        if unknown:
            raise ValueError(f"who: wants administrators, everybody or DNs, not {unknown[0]}")
        return self


class Login(_Section):
    """How log-ins that fail are slowed down, and how long one that succeeded holds.

    :param tries, tries_by_address: failures, one after the other, before the next has to wait; by log-in name, and by
        client address.
    :param longest_wait: seconds. ``idle``, ``longest``: seconds that a session lives unused, and at all.
    """

    tries: Annotated[int, Field(ge=1, le=1000)] = 5
    tries_by_address: Annotated[int, Field(ge=1, le=100_000)] = 20
    longest_wait: Seconds = 300
    idle: Seconds = 3600
    longest: Seconds = 43_200


class Panel(_Section):
    """The pages: HTTP on loopback, which a reverse proxy brings to browsers by TLS.

    :param url: as browsers reach them; None: letters hold no link.
    :param administrators: the groups whose members administer.
    """

    listen: OnLoopback = "127.0.0.1:8025"
    url: WebAddress | None = None
    administrators: Annotated[tuple[Administrators, ...], BeforeValidator(_administrators)] = ()
    create: Create = Create()
    login: Login = Login()
