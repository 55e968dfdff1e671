"""What an answer says that isn't what was asked for: RFC 9457, with a word for programs and sentences for people.

``code`` says which problem it is; ``errors`` names each field with a sentence in the language of Accept-Language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from groupmilter.language.catalogue import Translate, marked
from groupmilter.language.spoken import said as spoken
from groupmilter.mail.shown import spelt_out

MEDIA_TYPE = "application/problem+json"
RETRY = 30
"""Seconds after which it is worth asking again."""


class Code(StrEnum):
    """Which problem it is."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    NO_TOKEN = "no-token"  # noqa: S105 - a word for programs
    NOT_IN_SCOPE = "not-in-scope"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    METHOD = "method"
    CHANGED = "changed"
    DECIDED = "decided"
    CLAIMED = "claimed"
    REFUSED = "refused"
    TOO_LARGE = "too-large"
    MEDIA = "media"
    TOO_MANY = "too-many"
    SURPRISE = "surprise"
    DIRECTORY = "directory"
    OUTCOME_UNKNOWN = "outcome-unknown"
    LEDGER = "ledger"


_SENTENCES = {
    Code.MALFORMED: marked("The request can't be read."),
    Code.INVALID: marked("Some of it can't be had; nothing was changed."),
    Code.NO_TOKEN: marked("A valid token is needed: make one on the page “My account”."),
    Code.NOT_IN_SCOPE: marked("This token isn't made for that; it needs the scope {scope}."),
    Code.FORBIDDEN: marked("You may not do that."),
    Code.NOT_FOUND: marked("There is no such thing, or it isn't for you."),
    Code.METHOD: marked("That can't be done here."),
    Code.CHANGED: marked("Somebody else has changed this meanwhile; nothing was overwritten."),
    Code.DECIDED: marked("This was decided already; the first decision stands."),
    Code.CLAIMED: marked("Somebody else is dealing with this already; you may decide all the same."),
    Code.REFUSED: marked("The directory doesn't take this."),
    Code.TOO_LARGE: marked("The request is too large."),
    Code.MEDIA: marked("The content isn't of a type that is taken here."),
    Code.TOO_MANY: marked("Too many requests. Please wait {seconds} s before the next one."),
    Code.SURPRISE: marked("Something went wrong here; it is in the log."),
    Code.DIRECTORY: marked("The directory can't be asked now. Please try again soon."),
    Code.OUTCOME_UNKNOWN: marked(
        "Whether the directory has taken the change isn't known. Asking again does no harm."
    ),
    Code.LEDGER: marked("The ledger can't be used now; nothing was changed. Please try again soon."),
}
STATUS = {
    Code.MALFORMED: 400,
    Code.NO_TOKEN: 401,
    Code.NOT_IN_SCOPE: 403,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD: 405,
    Code.DECIDED: 409,
    Code.CLAIMED: 409,
    Code.REFUSED: 409,
    Code.CHANGED: 412,
    Code.TOO_LARGE: 413,
    Code.MEDIA: 415,
    Code.INVALID: 422,
    Code.TOO_MANY: 429,
    Code.SURPRISE: 500,
    Code.DIRECTORY: 503,
    Code.OUTCOME_UNKNOWN: 503,
    Code.LEDGER: 503,
}
"""The HTTP status of each problem."""


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="The field, with dots: `owners`, `add.0`.", examples=["owners"])
    detail: str = Field(description="A sentence for people, in the language of Accept-Language.")
    value: str | None = Field(None, description="What was written there.")


class Problem(BaseModel):
    """An answer that isn't what was asked for (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "code": "invalid",
                    "detail": "Some of it can't be had; nothing was changed.",
                    "errors": [{"field": "owners", "value": "x@example.org", "detail": "…"}],
                }
            ]
        }
    )

    type: str = Field("about:blank", description="Always about:blank: `code` tells problems apart.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    code: Code = Field(description="Which problem it is, for programs.")
    detail: str = Field(description="A sentence for people, in the language of Accept-Language.")
    errors: list[FieldError] | None = Field(None, description="Each field that is at fault.")
    current: dict[str, Any] | None = Field(
        None, description="What is there now, where it was changed meanwhile."
    )
    wanted: dict[str, Any] | None = Field(
        None, description="What was asked for, where it was changed meanwhile."
    )


@dataclass(frozen=True, slots=True)
class Wrong:
    """One field at fault: a sentence of the catalogue and its values."""

    name: str
    sentence: str
    values: Mapping[str, object] = field(default_factory=dict)
    written: str = ""


class Refusal(Exception):
    """A request ends with a problem.

    :param sentence: of the catalogue, in place of the code's own. ``values``: of the sentence.
    :param current, wanted: both sides, where something was changed meanwhile.
    """

    def __init__(
        self,
        code: Code,
        sentence: str = "",
        *,
        errors: Sequence[Wrong] = (),
        current: Mapping[str, object] | None = None,
        wanted: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.sentence = sentence or _SENTENCES[code]
        self.values = values
        self.errors = tuple(errors)
        self.current = current
        self.wanted = wanted
        self.headers = dict(headers or {})


def answered(refusal: Refusal, translate: Translate, language: str) -> Response:
    """Return the answer that says a problem, in a language."""
    status, code = STATUS[refusal.code], refusal.code
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code.value,
        "detail": spoken(partial(translate, language), refusal.sentence, refusal.values),
    }
    if refusal.errors:
        body["errors"] = [said(each, translate, language) for each in refusal.errors]
    body |= {
        name: side
        for name, side in (("current", refusal.current), ("wanted", refusal.wanted))
        if side is not None
    }
    headers = {"content-language": language, **refusal.headers}
    if status == 503:
        headers.setdefault("retry-after", str(RETRY))
    if status == 401:
        headers.setdefault("www-authenticate", 'Bearer realm="groupmilter"')
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def said(wrong: Wrong, translate: Translate, language: str) -> dict[str, object]:
    """Return one field at fault as it is answered."""
    values = {
        name: spelt_out(value) if isinstance(value, str) else value for name, value in wrong.values.items()
    }
    detail = spoken(partial(translate, language), wrong.sentence, values)
    told: dict[str, object] = {"field": wrong.name, "detail": detail}
    return told | ({"value": wrong.written} if wrong.written else {})
