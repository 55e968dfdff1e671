"""What goes in and out of the API about held mail, requests, the audit and the status."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from groupmilter.moderation.item import State
from groupmilter.panel.api.moments import seconds
from groupmilter.panel.api.problem import FieldError
from groupmilter.panel.api.shapes import STRICT, Line, Window

Words = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
Reason = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]

_NAME = r"^[a-z0-9]{10}$"
Name = Annotated[str, StringConstraints(pattern=_NAME)]
NamePath = Annotated[str, Path(pattern=_NAME, description="Its name: ten letters and digits.")]


def _read(written: str) -> str:
    """Return a time as it is written; ValueError where it is none."""
    seconds(written)
    return written


Moment = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$"
    ),
    AfterValidator(_read),
    Field(json_schema_extra={"format": "date-time"}),
]


class HeldFilter(Window):
    """Which messages."""

    state: Literal["waiting", "decided"] = "waiting"
    group: Line = Field("", description="Address of one group; empty for all.")
    claim: Literal["any", "mine", "unclaimed"] = Field(
        "any", description="`mine`: with which you are dealing. `unclaimed`: with which nobody is."
    )


class Held(BaseModel):
    """A message that waits for a decision, or waited."""

    name: str = Field(description="Ten letters and digits.")
    state: State
    group: str = Field(description="Its address when the message came.")
    author: str
    sender: str = Field(description="The envelope sender.")
    proven: str = Field(description="What proves the sender: a word such as `login`, `dkim`, `claimed`.")
    subject: str
    message_id: str
    size: int = Field(description="Octets.")
    why: str = Field(description="Why it is held: a word of the policy.")
    received: str | None = Field(description="RFC 3339, UTC.")
    expires: str | None
    decided: str | None
    decided_by: str
    way: str
    reason: str
    note: str = Field(description="Of a message that was put aside: why, in English, for administrators.")
    claimed_by: str = Field(description="Who is dealing with it; empty for nobody.")
    claimed: str | None = Field(description="Since when.")
    approvals_needed: int = Field(description="How many different persons have to approve.")
    approved_by: list[str] = Field(description="Who has approved, where that takes several.")
    approvals_missing: int = Field(description="How many approvals it still waits for.")


class Event(BaseModel):
    """Something that happened: a row of the audit."""

    id: int
    at: str | None = Field(description="RFC 3339, UTC.")
    action: str
    actor: str
    way: str
    origin: str
    item: str = Field(description="Name of the message; empty where it is about none.")
    group: str = Field(description="Its address then; empty where it is about none.")
    group_uuid: str = Field(
        description="Its `id`, which stays when the address changes; empty in rows that earlier versions wrote."
    )
    before: str
    after: str
    detail: str


class HeldStory(Held):
    """A message with everything that happened to it."""

    history: list[Event]


class HeldDecision(BaseModel):
    """What becomes of a held message."""

    model_config = STRICT

    decision: Literal["approve", "reject"]
    reason: Words = Field(
        "", description="For the sender of a rejected message.", examples=["Please shorten it."]
    )
    remember: bool = Field(
        default=False,
        description="From now on the sender needs no approval any more (`approve`), or is refused (`reject`). For the "
        "group's owners, whose token has the scope `write` too.",
    )


class HeldDecisions(BaseModel):
    """What becomes of several held messages."""

    model_config = STRICT

    names: list[Name] = Field(min_length=1, max_length=200, examples=[["k7q2m9xwpa"]])
    decision: Literal["approve", "reject"]
    reason: Words = Field("", description="For the senders of rejected messages.")


class HeldOutcome(Held):
    """A message, and whether the decision about it is yours."""

    happened: bool = Field(
        description="Whether your decision stands, or counts; else somebody has decided before, or you have counted."
    )


class HeldOutcomes(BaseModel):
    """What became of several held messages."""

    items: list[HeldOutcome]


class HeldDecided(Held):
    """A message, and what became of the wish to remember its sender."""

    remembered: bool = Field(description="Whether its sender is let through, or refused, from now on.")
    not_remembered: str | None = Field(
        description="Why he isn't, where that was wanted, in the language of Accept-Language; the decision stands."
    )


class AuditQuestion(BaseModel):
    """Which rows of the audit."""

    model_config = ConfigDict(extra="forbid")

    group: Line = Field("", description="UUID or address of a group; empty for all.")
    actor: Line = Field("", description="Part of the name of who did it.")
    action: Line = Field("", description="Such as `group-edit`.")
    since: Moment | None = Field(
        None, description="From this time on; RFC 3339.", examples=["2026-11-26T00:00:00Z"]
    )
    until: Moment | None = Field(None, description="Before this time; RFC 3339.")


class AuditFilter(AuditQuestion, Window):
    """Which rows of the audit, and which part of them."""


class Undoing(BaseModel):
    """Which changes are to be taken back."""

    model_config = STRICT

    rows: Annotated[list[Annotated[int, Field(ge=1, le=2**53)]], Field(min_length=1, max_length=200)] = Field(
        description="Their `id` in the audit; the newest goes back first.", examples=[[4711]]
    )


class Piece(BaseModel):
    """One field of a change."""

    field: str
    comes: list[str] = Field(description="Of a list: what comes back.")
    goes: list[str] = Field(description="Of a list: what goes again.")
    kept: list[str] = Field(description="Of a list: what somebody has moved since; it stays as it is.")
    was: str | int | bool | list[str] | None = Field(description="Before the change.")
    still: str = Field(
        description="A single value is still `so`, `back` already, or `otherwise`: then it stays."
    )


class Undo(BaseModel):
    """One change, and what taking it back does."""

    row: int
    group: str
    standing: str = Field(
        description="`ready`: it goes back, or went. Else why not: `nothing`, `gone`, `there`, `foreign`, `refused`, "
        "`unreadable`."
    )
    why: str = Field(
        description="A sentence for `foreign` and `refused`, in the language of Accept-Language; else empty."
    )
    pieces: list[Piece]
    problems: list[FieldError] = Field(description="What of it can't be had any more; the rest can.")


class Undos(BaseModel):
    """What taking changes back does, or did."""

    dry_run: bool = Field(description="Whether nothing was written: what would go back.")
    items: list[Undo]


class Queue(BaseModel):
    """What waits for a decision in one group."""

    group: str = Field(description="Its address.")
    messages: int
    oldest: str | None = Field(description="Since when the first of them waits; RFC 3339, UTC.")


class Letters(BaseModel):
    """Letters that haven't left yet."""

    waiting: int
    oldest: str | None = Field(description="When the one that waits longest was planned; RFC 3339, UTC.")
    failed: int = Field(description="How many were tried in vain.")


class Status(BaseModel):
    """How everything is."""

    groups: int = Field(description="With mail.")
    people: int
    generation: int = Field(description="Number of the mirror's last change.")
    synced: str | None = Field(description="When mirror and directory were last equal; RFC 3339, UTC.")
    age: int = Field(description="Seconds since then.")
    findings: dict[str, int] = Field(
        description="How often something is wrong, by kind; see `GET /findings`."
    )
    waiting: int = Field(description="Messages that wait for a decision, of groups that you decide about.")
    queue: list[Queue] = Field(description="The same by group, the one that waits longest first.")
    letters: Letters | None = Field(description="Null unless you administer everything.")


class AgeStretch(BaseModel):
    """How old the mirror was in some time."""

    model_config = ConfigDict(populate_by_name=True)

    since: str = Field(alias="from", description="When it begins; RFC 3339, UTC.")
    seconds: int = Field(description="How much of it has passed.")
    recorded: int = Field(description="For how many of these seconds the age is known.")
    too_old: int = Field(
        description="For how many it was past `max_age`, so that mail to groups was deferred."
    )
    highest: float | None = Field(
        description="Age in seconds; null where nothing is recorded, or where a mirror couldn't be read at all."
    )


class MirrorHistory(BaseModel):
    """How old the mirror has been."""

    max_age: int = Field(description="Seconds for which it is trusted.")
    day: list[AgeStretch] = Field(description="The last 24 hours, five minutes each.")
    month: list[AgeStretch] = Field(description="The last thirty days, six hours each.")


class DayShape(BaseModel):
    """One day of UTC."""

    date: str
    approved: int
    rejected: int
    expired: int
    waiting: int = Field(description="Messages that waited at its end; today: now.")
    most_waiting: int = Field(description="The most that waited at once.")


class Days(BaseModel):
    """The last thirty days, today the last."""

    items: list[DayShape]


class FindingFilter(Window):
    """Which findings."""

    kind: Line = Field("", description="Of one kind only.")


class Found(BaseModel):
    """Something that is wrong in the directory."""

    kind: str
    subject: str
    dn: str
    text: str = Field(description="A sentence for administrators, in the language of Accept-Language.")


class TraceQuestion(BaseModel):
    """Which mail."""

    model_config = ConfigDict(extra="forbid")

    what: Annotated[Line, StringConstraints(min_length=3, max_length=500)] = Field(
        description="A Message-ID, a queue id, or the name of a held message."
    )


class Traced(BaseModel):
    """What became of a mail at one group."""

    message: Held
    history: list[Event]
    left_as: list[str] = Field(description="Queue ids under which it went back to the mail server.")


class Trace(BaseModel):
    """What became of a mail."""

    items: list[Traced]


class Question(BaseModel):
    """May this sender write to the group?"""

    model_config = ConfigDict(extra="forbid")

    sender: Line = Field("", description="Envelope sender; yourself unless you own or administer the group.")
    proof: Literal["login", "dkim", "spf", "nothing"] = Field("login", description="What proves who it is.")
    size: Annotated[int, Field(ge=1, le=10**10)] | None = Field(None, description="Octets of the message.")


class Step(BaseModel):
    """One rule, and what it answered."""

    group: str = Field(description="Empty for a group that is none of your business.")
    rule: str
    answer: str
    because: str = Field(description="Only for groups that you own or administer.")


class Verdict(BaseModel):
    """What would become of the message."""

    verdict: str = Field(description="`expand`, `split`, `hold`, `refuse`, `report` or `defer`.")
    reply: str = Field(description="What the sender's mail server is told; empty where it is taken.")
    members: int | None = Field(description="How many get it; null where that isn't your business.")
    steps: list[Step]
