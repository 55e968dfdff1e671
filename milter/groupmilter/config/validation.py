"""A parsed document against a pydantic model: the value, or every problem with its line.

pydantic's own messages are for programmers; here they become sentences for administrators, and an unknown key
names the one that may have been meant. Input is never quoted by pydantic (`hide_input_in_errors`), so a
password written into the wrong place is not logged.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from groupmilter.config.load import ConfigurationError, Document, Keys, Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

STRICT = ConfigDict(
    extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, validate_default=False
)
_SAID = {
    "missing": "is required",
    "bool_type": "wants true or false",
    "int_type": "wants a whole number",
    "int_from_float": "wants a whole number",
    "string_type": "wants text; put it in quotes",
    "model_type": "wants a mapping (key: value)",
    "model_attributes_type": "wants a mapping (key: value)",
    "dict_type": "wants a mapping (key: value)",
    "tuple_type": "wants a list",
    "list_type": "wants a list",
}

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], document: Document, folder: Path) -> Model:
    """Return the document as the model's value.

    :param folder: relative paths in the document start here.
    :raises ConfigurationError: with every problem, each with its line.
    """
    try:
        value = model.model_validate(document.value, context={"folder": folder})
    except ValidationError as error:
        problems = [_problem(model, document, detail) for detail in error.errors(include_input=False)]
        problems = sorted((*document.problems, *problems), key=lambda problem: problem.line)
        raise ConfigurationError(tuple(problems)) from error
    if document.problems:
        raise ConfigurationError(document.problems)
    return value


def _problem(model: type[BaseModel], document: Document, detail: ErrorDetails) -> Problem:
    keys: Keys = tuple(detail["loc"])
    text = _SAID.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    if detail["type"] == "extra_forbidden":
        text = _unknown(model, keys)
    return document.problem(keys, text)


def _unknown(model: type[BaseModel], keys: Keys) -> str:
    owner = model_at(model, keys[:-1])
    close = difflib.get_close_matches(str(keys[-1]), owner.model_fields if owner else (), 1)
    return f"unknown key; did you mean {close[0]}?" if close else "unknown key"


def model_at(model: type[BaseModel], keys: Iterable[str | int]) -> type[BaseModel] | None:
    """Return the model that describes what stands at a path inside another model, None where none does."""
    at: type[BaseModel] | None = model
    for key in keys:
        if at is None:
            return None
        if isinstance(key, str) and key in at.model_fields:
            at = model_within(at.model_fields[key].annotation)
    return at


def model_within(annotation: object) -> type[BaseModel] | None:
    """Return the model that an annotation holds, at any depth of tuples, mappings and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := model_within(part))), None)
