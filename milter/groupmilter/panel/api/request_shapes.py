"""What goes in and out of the API about joining and leaving."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from groupmilter.moderation.request import Stage, Wanted
from groupmilter.panel.api.desk_shapes import Reason
from groupmilter.panel.api.shapes import STRICT, Window


class Wish(BaseModel):
    """A wish to be in a group, or out of it."""

    model_config = STRICT

    reason: Reason = Field(
        "", description="For its owners, in your own words.", examples=["I work with them now."]
    )


class Offer(BaseModel):
    """What joining, or leaving, would come to."""

    verdict: Literal["at-once", "ask", "refused"] = Field(description="`ask`: its owners decide.")
    why: str | None = Field(description="Of a refusal: a sentence for people.")
    through: list[str] = Field(
        description="The groups by which you are in it, as far as you may know of them."
    )
    waiting: str | None = Field(description="Name of your own request that waits for a decision.")


class Offers(BaseModel):
    """What somebody can do about being in a group."""

    member: bool
    join: Offer
    leave: Offer


class RequestFilter(Window):
    """Which requests."""

    whose: Literal["deciding", "mine"] = Field(
        "deciding", description="`deciding`: that wait for you. `mine`: your own, whatever became of them."
    )


class Asking(BaseModel):
    """A request to join or to leave a group."""

    name: str = Field(description="Ten letters and digits.")
    kind: Wanted
    stage: Stage
    group: str = Field(description="Its address when it was asked.")
    who: str = Field(description="Name of who asks, else his address.")
    address: str
    reason: str
    asked: str | None = Field(description="RFC 3339, UTC.")
    expires: str | None
    decided: str | None
    decided_by: str
    comment: str


class RequestDecision(BaseModel):
    """What becomes of a request."""

    model_config = STRICT

    decision: Literal["accept", "reject"]
    comment: Reason = Field("", description="For who asked.")
