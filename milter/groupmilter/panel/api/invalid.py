"""What doesn't fit the description of a call, field by field, in sentences of the catalogue. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from groupmilter.language.catalogue import marked
from groupmilter.panel.api.problem import Code, Refusal, Wrong

_KINDS = frozenset({"as-list", "as-change", "[key]"})
"""What pydantic puts into the path of a field that may be of several kinds."""

_NOT_OURS = marked("There is no such field.")
_OTHERWISE = marked("This can't be used here.")
_SENTENCES: Mapping[str, str] = {
    "missing": marked("This is needed."),
    "extra_forbidden": _NOT_OURS,
    "string_type": marked("A text is wanted."),
    "string_unicode": marked("This has characters that can't stand here."),
    "string_too_short": marked("This is too short: at least {min_length}."),
    "string_too_long": marked("This is too long: at most {max_length}."),
    "string_pattern_mismatch": marked("This has characters that can't stand here."),
    "bool_type": marked("true or false is wanted."),
    "bool_parsing": marked("true or false is wanted."),
    "int_type": marked("A whole number is wanted."),
    "int_parsing": marked("A whole number is wanted."),
    "int_from_float": marked("A whole number is wanted."),
    "greater_than_equal": marked("At least {ge} is wanted."),
    "less_than_equal": marked("At most {le} is wanted."),
    "list_type": marked("A list is wanted."),
    "too_long": marked("These are too many: at most {max_length}."),
    "too_short": marked("These are too few: at least {min_length}."),
    "value_error": _OTHERWISE,
    "literal_error": marked("One of these is wanted: {expected}."),
    "enum": marked("One of these is wanted: {expected}."),
    "dict_type": marked("An object is wanted."),
    "model_type": marked("An object is wanted."),
    "model_attributes_type": marked("An object is wanted."),
}


def invalid(request: Request, error: RequestValidationError) -> Refusal:
    """Return the problem of a request: 400 for no JSON, 415 for another type of content, else 422."""
    found: Sequence[Mapping[str, Any]] = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return Refusal(Code.MALFORMED)
    if any(tuple(each["loc"]) == ("body",) for each in found) and not _is_json(request):
        return Refusal(Code.MEDIA)
    wrongs = {(wrong.name, wrong.sentence): wrong for wrong in map(_wrong, found)}
    return Refusal(Code.INVALID, errors=list(wrongs.values()))


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _wrong(each: Mapping[str, Any]) -> Wrong:
    place, *rest = each["loc"]
    name = ".".join(str(part) for part in rest if part not in _KINDS) or str(place)
    sentence = _SENTENCES.get(each["type"], _OTHERWISE)
    return Wrong(name, sentence, dict(each.get("ctx") or {}))
