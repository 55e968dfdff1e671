"""What may stand in ``policies/*.yaml`` (specification 5.2), as pydantic models; `policies` makes settings of
it.

Every key is optional: a file overrides only what it says. Conditions and actions that later versions will
bring are known here already and refused with that reason, so that nobody takes them for misspelt.
docs/policies.md lists everything; a test compares.
"""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from groupmilter.config.fields import Globs, Hours, HoursOrNever, Later, Line, Listing, Octets, Seconds
from groupmilter.config.policy_fields import (
    Addresses,
    Chain,
    Clock,
    Contact,
    Days,
    EnhancedCode,
    FieldName,
    Language,
    RefusalCode,
    RuleName,
    SenderClasses,
    Situation,
    Strengths,
    TagName,
    Texts,
    Zone,
)
from groupmilter.config.validation import STRICT
from groupmilter.mail.reply import Reply, reply
from groupmilter.policy.settings import Expiry, ReplyCodes


class Again(StrEnum):
    """What becomes of a message that comes to the same group again."""

    HOLD = "hold"
    REFUSE = "refuse"
    ACCEPT = "accept"


class Past(StrEnum):
    """What becomes of a message past a rate limit."""

    DEFER = "defer"
    HOLD = "hold"
    REFUSE = "refuse"


class Per(StrEnum):
    """What a rate limit counts by."""

    GROUP = "group"
    SENDER = "sender"


def _bare(value: object) -> object:
    """Read ``then: hold`` as ``then: {hold: {}}``."""
    return {value: {}} if isinstance(value, str) and value in Then.model_fields else value


class _Section(BaseModel):
    model_config = STRICT


class CalendarWindow(_Section):
    """A window of the week; one whose end is not after its start runs over midnight."""

    model_config = STRICT | {"arbitrary_types_allowed": True}

    days: Days = ((0, 1, 2, 3, 4),)
    start: Clock = time(0, 0)
    end: Clock = time(0, 0)
    zone: Zone


class When(_Section):
    """The conditions of a rule; all that are given have to hold."""

    sender: SenderClasses | None = None
    strength: Strengths | None = None
    sender_domain: Globs | None = None
    size_over: Octets | None = None
    recipients_over: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    header: dict[FieldName, Annotated[tuple[Line, ...], Listing]] | None = None
    auto_submitted: bool | None = None
    bcc: bool | None = None
    calendar: CalendarWindow | None = None
    attachment: Later = None
    released_thread: Later = None

    @model_validator(mode="after")
    def _something(self) -> When:
        if any(value == () or value == {} for value in self.__dict__.values()):
            raise ValueError("an empty list never holds; leave the condition out")
        return self


class RefuseAction(_Section):
    """Refuse, with this code; without ``text`` the wording of ``site-rule`` is sent."""

    code: RefusalCode = 550
    enhanced: EnhancedCode = "5.7.1"
    text: Texts = {}

    def reply(self) -> Reply:
        """Return the reply without its text."""
        return reply(f"{self.code} {self.enhanced}")


class HoldAction(_Section):
    """Hold for approval; what isn't given comes from the group."""

    moderators: Addresses = ()
    hours: Hours | None = None
    approvals: Annotated[int, Field(ge=1, le=100)] | None = None


class AcceptAction(_Section):
    """Skip the remaining site rules; the built-in ones after them still apply."""


class TagAction(_Section):
    """Add a header field and go on with the next rule."""

    name: TagName
    value: Line
    over_signature: bool = False


class RateLimitAction(_Section):
    """Let at most so many messages through in any window of this length."""

    messages: Annotated[int, Field(ge=1, le=10_000_000)]
    per: Seconds
    by: Annotated[Per, Field(strict=False)] = Per.GROUP
    then: Annotated[Past, Field(strict=False)] = Past.DEFER


class Then(_Section):
    """What a rule has done: exactly one of these."""

    refuse: RefuseAction | None = None
    hold: HoldAction | None = None
    accept: AcceptAction | None = None
    tag: TagAction | None = None
    rate_limit: RateLimitAction | None = None

    @model_validator(mode="after")
    def _one(self) -> Then:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"wants exactly one of {', '.join(Then.model_fields)}")
        return self


class RuleEntry(_Section):
    """One rule of a site's own; without ``groups`` it concerns them all, without ``when`` every message."""

    name: RuleName
    groups: Globs = ()
    when: When = When()
    then: Annotated[Then, BeforeValidator(_bare)]


class TextsForEntry(_Section):
    """Another language, contact or wording for some groups."""

    groups: Annotated[Globs, Field(min_length=1)]
    language: Language | None = None
    contact: Contact | None = None
    texts: dict[Situation, Texts] = {}


class BoundsEntry(_Section):
    """Where an expansion stops."""

    depth: Annotated[int, Field(ge=1, le=1000)] | None = None
    members: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    in_place: Annotated[int, Field(ge=1, le=10_000_000)] | None = None


class ModerationEntry(_Section):
    """How held mail is looked after."""

    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    group_quota: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    quota: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    expiry: Annotated[Expiry, Field(strict=False)] | None = None
    reminder: HoursOrNever | None = None
    claim: Hours | None = None
    letters_per_hour: Annotated[int, Field(ge=1, le=10_000)] | None = None
    links: bool | None = None
    tell_held: bool | None = None
    largest_attachment: Octets | None = None


class BouncesEntry(_Section):
    """What follows from reports that members' mail failed."""

    suspend: bool | None = None
    suspend_after: Annotated[int, Field(ge=1, le=30)] | None = None
    window: Annotated[Seconds, Field(ge=86_400, le=30 * 86_400)] | None = None
    retry: HoursOrNever | None = None
    outside_reports: bool | None = None
    summary: bool | None = None

    @model_validator(mode="after")
    def _reachable(self) -> BouncesEntry:
        days = None if self.window is None else self.window // 86_400
        if days is not None and self.suspend_after is not None and self.suspend_after > days:
            raise ValueError("suspend_after: more days than the window has")
        return self


class RequestsEntry(_Section):
    """How requests to be in a group, or out of it, are looked after."""

    time: Annotated[Hours, Field(le=8_760)] | None = None
    reminder: HoursOrNever | None = None
    confirm_time: Annotated[Hours, Field(le=720)] | None = None
    confirmations_per_hour: Annotated[int, Field(ge=1, le=100)] | None = None


class RateEntry(_Section):
    """At most so many messages in any window of this length; 0 messages switches it off."""

    messages: Annotated[int, Field(ge=0, le=10_000_000)]
    per: Seconds


class StormEntry(_Section):
    """The storm guard of each group: any mail, and answers to its mail."""

    messages: RateEntry | None = None
    replies: RateEntry | None = None


class ReplayEntry(_Section):
    """What becomes of a message that comes again."""

    window: Seconds | None = None
    then: Annotated[Again, Field(strict=False)] | None = None


class PolicyFile(_Section):
    """One policy file."""

    chain: Chain | None = None
    reply_codes: Annotated[ReplyCodes, Field(strict=False)] | None = None
    language: Language | None = None
    contact: Contact | None = None
    max_size: Octets | None = None
    hold_time: Hours | None = None
    conceal_groups: bool | None = None
    dmarc_is_internal: bool | None = None
    list_headers: bool | None = None
    sender_gets_copy: bool | None = None
    bounds: BoundsEntry = BoundsEntry()
    storm: StormEntry = StormEntry()
    moderation: ModerationEntry = ModerationEntry()
    bounces: BouncesEntry = BouncesEntry()
    requests: RequestsEntry = RequestsEntry()
    replay: ReplayEntry = ReplayEntry()
    texts: dict[Situation, Texts] = {}
    texts_for: Annotated[tuple[TextsForEntry, ...], Listing] = ()
    rules: Annotated[tuple[RuleEntry, ...], Listing] = ()

    @model_validator(mode="after")
    def _once(self) -> PolicyFile:
        chain = self.chain or ()
        if len(set(chain)) != len(chain):
            raise ValueError("chain: a rule stands there twice")
        return self
