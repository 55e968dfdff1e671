"""What goes in and out of the API, field by field: strict where it comes in, documented in both directions.

Fields of groups are named as everywhere (specification 1.1, ``group export``); people are their addresses, or their DN
where they have none.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from groupmilter.directory.catalogue import Flag, MemberKind
from groupmilter.membership.roles import Role

STRICT = ConfigDict(strict=True, extra="forbid")
_LINE = r"^[^\x00-\x1f\x7f]*$"
_MOST = 500
"""Values, at most, of one list of a group in one call; members have a call of their own, which takes more."""

Line = Annotated[str, StringConstraints(max_length=1000, pattern=_LINE)]
Who = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_LINE)]
Address = Annotated[
    str,
    StringConstraints(min_length=3, max_length=320, pattern=_LINE),
    Field(json_schema_extra={"format": "email"}),
]
Language = Annotated[str, StringConstraints(max_length=35, pattern=r"^([a-z]{2,3}(-[a-z0-9]{2,8})*)?$")]
Many = Annotated[list[Who], Field(max_length=_MOST)]
Crowd = Annotated[list[Who], Field(max_length=10_000)]
Joining = Literal["open", "closed", "approval"]
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """Part of a list; the header `Link` (RFC 8288) leads to the parts around it."""

    items: list[Item]
    total: int = Field(description="How many the whole list has.", ge=0)
    offset: int = Field(description="How many come before these.", ge=0)
    limit: int = Field(description="How many one answer has at most.", ge=0)


class Window(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(extra="forbid")

    offset: int = Field(0, ge=0, le=10_000_000, description="How many to skip.")
    limit: int = Field(50, ge=1, le=500, description="How many to return at most.")


class Change(BaseModel):
    """What changed in one field: of a list, what left it and what came."""

    field: str
    before: str | int | bool | list[str] | None
    after: str | int | bool | list[str] | None


class GroupFilter(Window):
    """Which groups, and in what order."""

    q: Line = Field(
        "", description="Words, each in name, address, alias or description; without case and accents."
    )
    scope: Literal["all", "mine", "owned", "moderated", "joinable"] = Field(
        "all", description="`mine`: you are in them. `joinable`: you may join, or ask to."
    )
    flag: list[Flag] = Field([], description="What all of them are.", max_length=10)
    domain: list[Line] = Field([], description="Of the primary address: one of these.", max_length=50)
    sort: Literal["name", "address", "members"] = "name"
    descending: bool = False


class GroupLine(BaseModel):
    """A group in a list."""

    id: str
    address: str
    name: str
    members: int | None = Field(
        description="How many its lists name directly; null where that is hidden from you."
    )
    flags: list[Flag]


class MemberFilter(Window):
    """Which direct members of a group."""

    q: Line = Field("", description="Words, each in name, address or log-in.")
    kind: MemberKind | None = Field(None, description="Of one kind only.")


class Member(BaseModel):
    """A direct member of a group."""

    kind: MemberKind = Field(description="`left-out`: it gets no mail, for the `reason`.")
    group: bool = Field(description="Whether it is a group.")
    name: str
    address: str
    written: str = Field(description="What takes it out of the list; empty where you may not know.")
    named: bool = Field(description="Whether the group's own list names it; else a rule finds it.")
    reason: str | None = None


class PeopleFilter(Window):
    """Whom to look for."""

    q: Line = Field(description="Words, each in name, address or log-in.")
    groups: bool = Field(default=True, description="Groups too.")


class Somebody(BaseModel):
    """A person or a group that can be named."""

    group: bool
    name: str
    address: str
    dn: str


class MemberChange(BaseModel):
    """Who comes into a group, and who leaves it."""

    model_config = STRICT

    add: Crowd = Field(
        [], description="Persons, groups, outsiders' addresses.", examples=[["marie@example.org"]]
    )
    remove: Crowd = Field(
        [], description="By any of their addresses, or by DN.", examples=[["ben@example.org"]]
    )


class PreviewQuestion(BaseModel):
    """A rule for dynamic members: an LDAP URL, or criteria that all have to hold."""

    model_config = ConfigDict(extra="forbid")

    url: Line = Field("", description="LDAP URL (RFC 4516).")
    where: list[Line] = Field(
        [],
        description="A criterion: attribute, `=`, value; with `*` at its end, anything may follow.",
        examples=[["departmentNumber=sales", "title=Head*"]],
        max_length=10,
    )
    base: Line = Field("", description="DN of the branch in which criteria look; else everywhere.")
    below: bool = Field(default=True, description="Everywhere below it, not only right beneath.")
    limit: int = Field(20, ge=1, le=200, description="How many to return by name at most.")


class Preview(BaseModel):
    """Whom a rule finds."""

    url: str = Field(description="The rule as `member_urls` takes it.")
    count: int = Field(description="How many it finds.", ge=0)
    more: bool = Field(description="Whether it finds more than are counted.")
    first: list[Somebody] = Field(description="The first of them.")


class NewContact(BaseModel):
    """Somebody from outside who gets an entry of his own, and becomes a member."""

    model_config = STRICT

    name: Annotated[Line, StringConstraints(min_length=1)] = Field(
        description="As people call him.", examples=["Éva Weiß"]
    )
    address: Address = Field(
        description="Outside of the own domains, and nobody's so far.", examples=["eva@example.net"]
    )


class Unclear(BaseModel):
    """Something of an imported list that is left out."""

    written: str
    why: str = Field(description="A sentence for people.")


class Imported(BaseModel):
    """What an import came to."""

    dry_run: bool = Field(description="Whether nothing was written: what would have changed.")
    changes: list[Change]
    remarks: list[str]
    unclear: list[Unclear] = Field(description="What is left out; nobody is taken out of the group then.")


class ListChange(BaseModel):
    """What comes into a list and what leaves it; everything else stays, whoever else changes it meanwhile."""

    model_config = STRICT

    add: Many = Field([], examples=[["marie@example.org"]])
    remove: Many = Field([], examples=[["ben@example.org"]])


def _kind(value: object) -> str:
    return "as-list" if isinstance(value, list) else "as-change"


Listed = Annotated[
    Annotated[Many, Tag("as-list")] | Annotated[ListChange, Tag("as-change")], Discriminator(_kind)
]
"""What a list shall be, or what comes into it and leaves it."""


class GroupFields(BaseModel):
    """The fields of a group that can be set; null takes a value away, so that its default counts."""

    model_config = STRICT

    name: Line | None = Field(None, description="Display name.", examples=["Sales"])
    description: Line | None = Field(None, description="What the group is for.")
    aliases: Listed | None = Field(None, description="Further addresses.")
    enabled: bool | None = Field(None, description="Whether it takes mail at all.")
    owners: Listed | None = Field(None, description="Persons and groups.", examples=[["anna@example.org"]])
    member_urls: Listed | None = Field(None, description="Dynamic members: LDAP URLs (RFC 4516).")
    excluded: Listed | None = Field(None, description="Who is left out of the dynamic members.")
    join_policy: Joining | None = None
    leave_policy: Joining | None = None
    join_outsiders: bool | None = Field(None, description="Whether people outside of the directory may join.")
    require_authentication: bool | None = Field(None, description="Internal senders only.")
    external_senders: Listed | None = Field(
        None, description="Addresses, @domain, @.domain that may write too."
    )
    allowed: Listed | None = Field(None, description="Only these may write: persons, groups, patterns.")
    denied: Listed | None = Field(None, description="These may not write: persons, groups, patterns.")
    moderated: bool | None = Field(None, description="Whether messages wait for approval.")
    moderators: Listed | None = Field(None, description="Who approves; the owners where nobody is named.")
    bypass: Listed | None = Field(None, description="Whose messages need no approval.")
    covers_nested: bool | None = Field(None, description="One approval for nested groups too.")
    notify: Literal["always", "internal", "never"] | None = Field(
        None, description="Who learns of a rejection."
    )
    hold_hours: Annotated[int, Field(ge=1, le=999_999)] | None = Field(
        None, description="Hours a message waits."
    )
    approvals: Annotated[int, Field(ge=1, le=999_999)] | None = None
    max_size: Annotated[int, Field(ge=0, le=2**40)] | None = Field(
        None, description="Octets of the largest message."
    )
    send_as: Listed | None = None
    on_behalf: Listed | None = None
    bounces_to: Literal["auto", "sender", "owner", "nobody"] | None = None
    auto_replies: bool | None = None
    hidden_members: bool | None = Field(None, description="Whether only owners see the members.")
    hidden: bool | None = Field(None, description="Whether lists show it to nobody who isn't in it.")
    mail_tip: dict[Language, Line | None] | None = Field(
        None, description="What writers are shown, by language.", examples=[{"fr": "Réponse sous 48 h"}]
    )
    policy: Line | None = Field(None, description="The policy that holds; administrators set it.")


class GroupPatch(GroupFields):
    """What changes in a group: only what is named here."""

    address: Address | None = Field(None, description="Primary address.")
    members: Listed | None = Field(None, description="Persons, groups, outsiders' addresses.")


class NewGroup(GroupFields):
    """A group to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"address": "sales@example.org", "name": "Sales", "members": ["ben@example.org"]}]
        }
    )

    address: Address = Field(description="Primary address.")
    members: Many = Field([], description="Persons, groups, outsiders' addresses.")
    cn: Line = Field("", description="The name of its entry; else the address left of the @.")
    under: Line = Field("", description="DN of the entry below which it is made; else as configured.")


class Group(BaseModel):
    """A group. What only its owners and administrators see is absent for everybody else."""

    id: str = Field(description="UUID of its entry; stays, whatever else changes.")
    address: str
    aliases: list[str]
    name: str
    description: str
    mail_tip: dict[str, str]
    roles: list[Role] = Field(description="What you are to it.")
    enabled: bool
    owners: list[str]
    join_policy: Joining
    leave_policy: Joining
    join_outsiders: bool
    require_authentication: bool
    moderated: bool
    hidden: bool
    hidden_members: bool
    dn: str | None = None
    member_urls: list[str] | None = None
    excluded: list[str] | None = None
    external_senders: list[str] | None = None
    allowed: list[str] | None = None
    denied: list[str] | None = None
    moderators: list[str] | None = None
    bypass: list[str] | None = None
    covers_nested: bool | None = None
    notify: str | None = None
    hold_hours: int | None = None
    approvals: int | None = None
    max_size: int | None = None
    send_as: list[str] | None = None
    on_behalf: list[str] | None = None
    bounces_to: str | None = None
    auto_replies: bool | None = None
    policy: str | None = None


class Outcome(BaseModel):
    """What a change came to."""

    dry_run: bool = Field(description="Whether nothing was written: what would have changed.")
    changes: list[Change]
    remarks: list[str] = Field(
        description="What should be known besides, in the language of Accept-Language."
    )
    group: Group | None = Field(None, description="The group as it is now; null for one that isn't made yet.")


class ContactOutcome(Outcome):
    """What making a contact came to."""

    contact: str = Field(description="DN of the contact's entry.")


class Me(BaseModel):
    """Whom the token stands for, and what it is good for."""

    id: str
    name: str
    address: str
    language: str
    administers: bool = Field(description="Whether you administer some groups.")
    administers_everything: bool
    may_create: bool = Field(description="Whether you may make groups.")
    token: str = Field(description="The token's name.")
    scopes: list[str]
    expires: str | None = Field(description="RFC 3339, UTC; null for no end.")
