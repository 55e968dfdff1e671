"""A profile's file, already parsed from YAML, checked and turned into sources (specification 1.2). Pure.

Every mistake is `ProfileError`, which names the path within the file; nothing unknown is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groupmilter.directory.profile_fields import GROUP, PERSON, Field, Form, Scalar
from groupmilter.directory.profile_source import TAKES, Source

_TOP = {"profile", "uuid", "person", "group", "filter_attributes"}
_PART = {"when", "fields"}
_FIELD = {"from", "absent", "writable", "combine"}
_SOURCE = {
    "attribute",
    "take",
    "prefix",
    "exact",
    "mask",
    "values",
    "otherwise",
    "template",
    "other",
    "unit",
    "invert",
}
_COMBINE = ("first", "any", "all")


class ProfileError(Exception):
    """A profile is not usable; the message names the path within the file."""


@dataclass(frozen=True, slots=True)
class When:
    """Which entries are meant: those of any of these classes (lower case, as octets), or attributes."""

    classes: frozenset[bytes]
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """One canonical field as this profile fills it.

    :param combine: with several sources, the ``first`` with a value, or ``any`` / ``all`` of booleans.
    """

    name: str
    field: Field
    sources: tuple[Source, ...]
    absent: Scalar
    writable: bool
    combine: str


@dataclass(frozen=True, slots=True)
class Part:
    """People or groups: which entries, and how their fields are filled."""

    when: When
    fields: tuple[Mapped, ...]


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """A whole profile, checked."""

    name: str
    uuid: str
    person: Part
    group: Part
    filter_attributes: tuple[str, ...]


def checked(mapping: object) -> ProfileFile:
    """Check a parsed profile file; raise `ProfileError`."""
    top = _mapping(mapping, "", _TOP)
    return ProfileFile(
        _text(top.get("profile"), "profile"),
        _text(top.get("uuid", "entryUUID"), "uuid").lower(),
        _part(top.get("person"), "person", PERSON),
        _part(top.get("group"), "group", GROUP),
        tuple(name.lower() for name in _texts(top.get("filter_attributes", []), "filter_attributes")),
    )


def _part(content: object, path: str, known: Mapping[str, Field]) -> Part:
    part = _mapping(content, path, _PART)
    fields = _mapping(part.get("fields"), f"{path}.fields", set(known))
    mapped = tuple(_mapped(name, fields[name], f"{path}.fields.{name}", known[name]) for name in fields)
    missing = tuple(
        Mapped(name, field, (), field.absent, writable=False, combine="first")
        for name, field in known.items()
        if name not in fields
    )
    return Part(_when(part.get("when"), f"{path}.when"), mapped + missing)


def _when(content: object, path: str) -> When:
    when = _mapping(content, path, {"classes", "attributes"})
    classes = _texts(when.get("classes", []), f"{path}.classes")
    attributes = _texts(when.get("attributes", []), f"{path}.attributes")
    if not classes and not attributes:
        raise ProfileError(f"{path}: neither classes nor attributes")
    return When(
        frozenset(name.lower().encode() for name in classes), tuple(name.lower() for name in attributes)
    )


def _mapped(name: str, content: object, path: str, field: Field) -> Mapped:
    if not isinstance(content, dict):
        content = {"from": content}
    spec = _mapping(content, path, _FIELD)
    given = spec.get("from", [])
    listed = given if isinstance(given, list) else [given]
    sources = tuple(_source(one, f"{path}.from[{at}]", field) for at, one in enumerate(listed))
    combine = spec.get("combine", "first")
    if combine not in _COMBINE or (combine != "first" and field.form is not Form.BOOLEAN):
        raise ProfileError(f"{path}.combine: {combine!r} is none of {', '.join(_COMBINE)}, or no boolean")
    writable = spec.get("writable", True)
    if not isinstance(writable, bool):
        raise ProfileError(f"{path}.writable: true or false expected")
    absent = _absent(spec.get("absent", field.absent), f"{path}.absent", field)
    return Mapped(name, field, sources, absent, writable, str(combine))


def _absent(value: object, path: str, field: Field) -> Scalar:
    if not _fits(value, field):
        raise ProfileError(f"{path}: {value!r} is no {field.form} value")
    return value if isinstance(value, bool | int | str) else None


def _fits(value: object, field: Field) -> bool:
    if field.form is Form.BOOLEAN:
        return isinstance(value, bool)
    if field.form is Form.NUMBER:
        return value is None or (isinstance(value, int) and not isinstance(value, bool))
    if field.form is Form.WORD:
        return value in field.words
    return isinstance(value, str) if field.form is Form.TEXT else value is None


def _source(content: object, path: str, field: Field) -> Source:
    if isinstance(content, str):
        content = {"attribute": content}
    spec = _mapping(content, path, _SOURCE)
    take = spec.get("take", "")
    if take and take not in TAKES:
        raise ProfileError(f"{path}.take: {take!r} is none of {', '.join(TAKES)}")
    prefix = spec.get("prefix")
    return Source(
        attribute=_text(spec.get("attribute"), f"{path}.attribute").lower(),
        take=str(take),
        prefix=None if prefix is None else _text(prefix, f"{path}.prefix"),
        exact=_flag(spec.get("exact", False), f"{path}.exact"),
        mask=None if "mask" not in spec else _number(spec["mask"], f"{path}.mask"),
        values=_values(spec.get("values"), f"{path}.values"),
        otherwise=_spelt(spec.get("otherwise"), f"{path}.otherwise"),
        has_otherwise="otherwise" in spec,
        template=str(spec.get("template", "")),
        other=str(spec.get("other", "")).lower(),
        unit=_number(spec.get("unit", 1), f"{path}.unit", fits=field.form is Form.NUMBER),
        invert=_flag(spec.get("invert", False), f"{path}.invert", fits=field.form is Form.BOOLEAN),
        plain=not {"take", "prefix", "mask", "values", "template"} & spec.keys(),
    )


def _values(content: object, path: str) -> dict[str, str | None] | None:
    if content is None:
        return None
    if not isinstance(content, dict) or not content:
        raise ProfileError(f"{path}: a mapping expected")
    return {str(key).lower(): _spelt(value, f"{path}.{key}") for key, value in content.items()}


def _spelt(value: object, path: str) -> str | None:
    """Return an enumeration's target as text: YAML's booleans and numbers as LDAP spells them."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | str):
        return str(value)
    raise ProfileError(f"{path}: text, number, boolean or null expected")


def _mapping(content: object, path: str, known: set[str]) -> dict[str, object]:
    if not isinstance(content, dict):
        raise ProfileError(f"{path or 'profile'}: a mapping expected")
    for key in content:
        if key not in known:
            raise ProfileError(
                f"{path}{'.' if path else ''}{key}: unknown, expected {', '.join(sorted(known))}"
            )
    return {str(key): value for key, value in content.items()}


def _text(content: object, path: str) -> str:
    if not isinstance(content, str) or not content:
        raise ProfileError(f"{path}: text expected")
    return content


def _texts(content: object, path: str) -> tuple[str, ...]:
    if not isinstance(content, list):
        raise ProfileError(f"{path}: a list expected")
    return tuple(_text(one, f"{path}[{at}]") for at, one in enumerate(content))


def _flag(content: object, path: str, *, fits: bool = True) -> bool:
    if not isinstance(content, bool) or (content and not fits):
        raise ProfileError(f"{path}: true or false, of a boolean field, expected")
    return content


def _number(content: object, path: str, *, fits: bool = True) -> int:
    if (
        not isinstance(content, int)
        or isinstance(content, bool)
        or content < 1
        or (content != 1 and not fits)
    ):
        raise ProfileError(f"{path}: a positive integer, of a number field, expected")
    return content
