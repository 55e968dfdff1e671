"""What goes in and out of the API about tables of whole groups."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from groupmilter.panel.api.problem import FieldError
from groupmilter.panel.api.shapes import Change, Line, Window

MOST = 500
"""Groups, at most, of one file."""


class ExportFilter(Window):
    """Which groups of those that you may change."""

    q: Line = Field(
        "", description="Words, each in name, address, alias or description; without case and accents."
    )
    domain: list[Line] = Field([], description="Of the primary address: one of these.", max_length=50)
    limit: int = Field(MOST, ge=1, le=MOST, description="How many to return at most.")


class ImportQuestion(BaseModel):
    """What is sent, and what is to become of it."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["table", "exchange", "mailman"] = Field(
        "table",
        description="A table of `GET /export`, of Exchange's `Get-DistributionGroup | Export-Csv`, or a roster of "
        "Mailman 3.",
    )
    group: Line = Field("", description="Address of the group that a roster is for.")
    role: Literal["member", "owner", "moderator"] = Field(
        "member", description="What the addresses of a roster are, where it doesn't say so."
    )
    exact: bool = Field(default=False, description="Whether what the file's fields don't have is taken away.")
    under: Line = Field(
        "", description="DN of the entry below which new groups are made; else as configured."
    )
    dry_run: bool = Field(
        default=False, description="Whether nothing is to be written: only what would change."
    )


class TableGroup(BaseModel):
    """One group of a file."""

    address: str
    new: bool = Field(description="Whether it is made, and not changed.")
    changes: list[Change]
    remarks: list[str]
    refused: str | None = Field(description="Why nothing, or not all of it, was done.")
    overtaken: FieldError | None = Field(
        description="What somebody else has changed in the same moment: it was not overwritten."
    )


class Unmapped(BaseModel):
    """Something of a file that isn't carried over."""

    group: str = Field(description="Address; empty for the file as a whole.")
    what: str = Field(description="Column, and the value as far as it shows.")
    why: str = Field(description="A sentence for people.")


class TableImport(BaseModel):
    """What an import came to."""

    dry_run: bool = Field(description="Whether nothing was written: what would have changed.")
    groups: list[TableGroup]
    unmapped: list[Unmapped] = Field(description="What isn't carried over; nothing is dropped silently.")
