"""What goes in and out of the API about members whose mail fails."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, Field

from groupmilter.panel.api.desk_shapes import Event, Reason
from groupmilter.panel.api.shapes import STRICT, Line, Window

AddressPath = Annotated[
    str,
    Path(
        min_length=3,
        max_length=320,
        pattern=r"^[^/\x00-\x1f\x7f]+$",
        description="A member's address.",
    ),
]


class FailingFilter(Window):
    """Which members."""

    group: Line = Field("", description="Address of one group; empty for all.")
    suspended: bool = Field(
        default=False, description="Only those who get no group mail, or get it on trial."
    )


class Failing(BaseModel):
    """A member whose mail fails, as far as it concerns groups that you administer."""

    address: str
    state: Literal["failing", "suspended", "trial"] = Field(
        description="`trial`: it gets mail again, and one failure suspends it."
    )
    messages: int = Field(description="How many failed within the policy's window.")
    days: int = Field(description="On how many days those were sent that speak against the address.")
    last: str | None = Field(description="When the last failure was counted; RFC 3339, UTC.")
    status: str = Field(description="Of the last failure (RFC 3463).")
    why: str = Field(description="The last failure in another server's words.")
    groups: list[str]
    since: str | None = Field(description="Since when it gets no group mail.")
    until: str | None = Field(description="When it is tried again; null for never by itself.")
    suspended_by: str


class Failure(BaseModel):
    """One failed delivery."""

    at: str | None = Field(description="When it was counted; RFC 3339, UTC.")
    sent: str | None
    group: str
    cause: str = Field(description="`permanent`, `temporary`, `message`, or `forgiven`.")
    status: str
    why: str


class FailingStory(Failing):
    """A member whose mail fails, with everything that failed."""

    failures: list[Failure] = Field(description="The newest first.")
    history: list[Event] = Field(description="How delivery was suspended and resumed.")


class Suspending(BaseModel):
    """Why an address gets no group mail."""

    model_config = STRICT

    reason: Reason = Field("", description="Kept in the ledger.", examples=["He asked for it."])
