"""The fields of a group as people write them: ``yes``, ``72``, ``10MB``, addresses. Pure.

A list that the directory keeps in two attributes (names of entries, and addresses that have none) is one list here:
``members``, ``allowed``, ``denied``, ``bypass``. What can't be read is `BadWish`, with the field, what was written, and
what is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from groupmilter.config.fields import size_in_octets
from groupmilter.directory.profile_fields import GROUP, Form, Scalar
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Spoken

ADDRESSES_OF = {
    "members": "member_addresses",
    "allowed": "allowed_addresses",
    "denied": "denied_addresses",
    "bypass": "bypass_addresses",
}
"""Lists of entries, and the field that holds those who have no entry."""

_SECOND = {second: first for first, second in ADDRESSES_OF.items()}
_ONE = frozenset({Form.TEXT, Form.BOOLEAN, Form.NUMBER, Form.WORD})
_UNSET = {"member_of", "uuid"}

SINGLES = ("address", *(name for name, field in GROUP.items() if field.form in _ONE), "mail_tip")
"""Fields of one value; ``mail_tip`` has one for each language, as ``mail_tip.fr``."""

LISTS = tuple(
    name
    for name, field in GROUP.items()
    if name not in {*SINGLES, *_SECOND, *_UNSET} and field.form is not Form.LANGUAGES
)
"""Fields of several values."""

_WORDS = {
    **dict.fromkeys(("yes", "true", "on", "1", "oui", "vrai"), True),
    **dict.fromkeys(("no", "false", "off", "0", "non", "faux"), False),
}
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")
_SIZE = marked("a size such as 500KB, 10MB, 10MiB or a number of octets is wanted")
_SIZED = re.compile(r"([0-9]+)\s*([kmg])(i?)[bo]", re.IGNORECASE)
_HOURS = re.compile(r"([0-9]{1,6})\s*(h|d)?")


class BadWish(Spoken):
    """What somebody wrote for a field can't be read, or not be had.

    :param sentence: why, as the catalogue has it; ``values`` stand in its places: texts, numbers, entries of the
        directory (`address_book.Known`), which are named only to whom they may be, and inner reasons (`Spoken`).
    """

    def __init__(self, field: str, written: str, sentence: str, /, **values: object) -> None:
        super().__init__(sentence, **values)
        self.field = field
        self.written = written

    def __str__(self) -> str:
        return (
            f"{self.field}: {self.written!r}: {self.wanted}"
            if self.written
            else f"{self.field}: {self.wanted}"
        )

    @property
    def wanted(self) -> str:
        """The sentence in English, for administrators."""
        return self.sentence.format(**self.values)


@dataclass(frozen=True, slots=True)
class Remark:
    """What should be known of a change though nothing stops it: a sentence of the catalogue, and its values."""

    sentence: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence.format(**self.values)


@dataclass(frozen=True, slots=True)
class Single:
    """A value that somebody wants a field to have.

    :param text: as written; empty takes it away. ``field`` may have a language: ``mail_tip.fr``.
    :param seen: how the field read (`written`) when whoever wants it looked; None: as it is by now.
    """

    field: str
    text: str
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class Several:
    """What somebody wants in a list and what not: addresses, patterns, URLs, DNs, as written.

    :param exact: whether everything else leaves the list; not while something of ``add`` can't be had.
    """

    field: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    exact: bool = False


Wish = Single | Several


def field_of(written: str) -> tuple[str, str]:
    """Return the field that a name means, and the language; `BadWish` for a name of none."""
    name, _, language = written.strip().replace("-", "_").partition(".")
    language = language.replace("_", "-").lower()
    name = _SECOND.get(name.lower(), name.lower())
    if name not in SINGLES and name not in LISTS:
        fields = ", ".join((*SINGLES, *LISTS))
        raise BadWish(written, "", marked("no such field; fields are {fields}"), fields=fields)
    if language and (name != "mail_tip" or not _LANGUAGE.fullmatch(language)):
        raise BadWish(written, "", marked("a language such as mail_tip.fr is wanted"))
    return name, language


def scalar(field: str, text: str) -> Scalar:
    """Return the value that a text means in a field of one; None for an empty one."""
    text = text.strip()
    if not text:
        return None
    form = GROUP[field].form
    if field == "name":
        # It stands in lists, and in headers of mail.
        return " ".join(text.splitlines())
    if form is Form.BOOLEAN:
        if text.lower() not in _WORDS:
            raise BadWish(field, text, marked("yes or no is wanted"))
        return _WORDS[text.lower()]
    if form is Form.WORD:
        if text.lower() not in GROUP[field].words:
            words = ", ".join(GROUP[field].words)
            raise BadWish(field, text, marked("one of {words} is wanted"), words=words)
        return text.lower()
    return _number(field, text) if form is Form.NUMBER else text


def _number(field: str, text: str) -> int:
    if field == "max_size":
        try:
            return 0 if text == "0" else size_in_octets(_spelt(text))
        except ValueError as error:
            raise BadWish(field, text, _SIZE) from error
    found = _HOURS.fullmatch(text.lower())
    if found is None or (found[2] and field != "hold_hours") or int(found[1]) < GROUP[field].least:
        raise BadWish(field, text, marked("a number of at least 1 is wanted"))
    return int(found[1]) * (24 if found[2] == "d" else 1)


def _spelt(size: str) -> str:
    """Return a size in the configuration's spelling: people write ``10 mb``, and ``10 Mo`` in French."""
    found = _SIZED.fullmatch(size)
    return f"{found[1]}{found[2].upper()}{'i' if found[3] else ''}B" if found is not None else size


def written(value: Scalar) -> str:
    """Return a value as people write it; `scalar` reads it back."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
