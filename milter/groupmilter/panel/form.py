"""What was typed into a form: texts without control characters, bounded, and uploaded files..

Raises ValueError for what is no form, `starlette.exceptions.HTTPException` (400) from the reader for too many parts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.requests import Request

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
SECRET = frozenset({"password"})
"""Fields that hold what nobody may see again."""

_MOST_FIELDS = 2000
_DIGITS = 18
_KEPT_OF_A_FILE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, by name, each with all its values in order.

    :param files: the content of uploaded files, by field. ``secrets``: what must not be shown or cleaned.
    """

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def secret(self, name: str) -> str:
        """Return what was typed into a field for secrets, octet for octet; it stands nowhere else."""
        return self.secrets.get(name, "")

    def __getitem__(self, name: str) -> str:
        """Return a field's first value, empty where it wasn't sent."""
        return (self.fields.get(name) or ("",))[0]

    def __contains__(self, name: object) -> bool:
        return name in self.fields

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of a field, as of a row of tick boxes."""
        return self.fields.get(name, ())

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the lines of a field's values that hold something, stripped, each once."""
        lines = (line.strip() for value in self.all(name) for line in value.splitlines())
        return tuple(dict.fromkeys(filter(None, lines)))


async def typed(request: Request) -> Form:
    """Read a request's form; ValueError where it brings none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in FORMS:
        raise ValueError(f"{kind or 'nothing'} is no form")
    fields: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    secrets: dict[str, str] = {}
    async with request.form(max_files=4, max_fields=_MOST_FIELDS, max_part_size=_KEPT_OF_A_FILE) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files[name] = await value.read()
            elif name in SECRET:
                secrets[name] = value
            else:
                fields.setdefault(name, []).append(cleaned(value))
    return Form({name: tuple(values) for name, values in fields.items()}, files, secrets)


def cleaned(text: str) -> str:
    """Return text without control characters but tabs and line ends; stripped."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (c for c in plain if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(kept).strip()


def is_number(text: str) -> bool:
    """Tell whether a text is a whole number, of a size that databases hold."""
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS
