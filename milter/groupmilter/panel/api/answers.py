"""What a call may be answered with beside what was asked for: said for each endpoint. Pure."""

from __future__ import annotations

from typing import Any

from groupmilter.panel.api.problem import MEDIA_TYPE, RETRY, STATUS, Code, Problem

Responses = dict[int | str, dict[str, Any]]

_ALWAYS = (
    Code.MALFORMED, Code.NO_TOKEN, Code.NOT_IN_SCOPE, Code.INVALID, Code.TOO_MANY, Code.SURPRISE, Code.DIRECTORY,
    Code.LEDGER,
)  # fmt: skip
_WORDS = {
    400: "The request can't be read.",
    401: "There is no token, or one that doesn't hold.",
    403: "The token's scopes don't reach, or the person may not do that.",
    404: "There is no such thing, or it isn't for you.",
    409: "The directory doesn't take it, or it was decided already.",
    412: "Somebody else has changed it meanwhile; `current` and `wanted` hold both sides.",
    413: "The request is too large.",
    415: "The content isn't of a type that is taken here.",
    422: "Something can't be had; `errors` names each field.",
    429: "Too many requests; `Retry-After` says when the next one is taken.",
    500: "An error that nobody foresaw; it is in the log.",
    503: "Directory or ledger can't be used now; `Retry-After` says when to ask again.",
}
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "examples": [RETRY]}}}
_BODY = (Code.MEDIA, Code.TOO_LARGE)


def problems(*codes: Code, body: bool = False) -> Responses:
    """Return the documentation of the problems that can come, and of those that always can.

    :param body: whether the call has one.
    """
    statuses = sorted({STATUS[code] for code in (*_ALWAYS, *codes, *(_BODY if body else ()))})
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    headers = {"headers": _RETRY} if status in (429, 503) else {}
    return {"description": _WORDS[status], "content": content, **headers}
