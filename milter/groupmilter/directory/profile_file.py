"""A profile's file, already parsed from YAML, checked and turned into sources (specification 1.2). Pure.

Every mistake is `ProfileError`, which names the path within the file; nothing unknown is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from groupmilter.directory.profile_fields import GROUP, PERSON, Field, Form, Scalar
from groupmilter.directory.profile_source import TAKES, Source
from groupmilter.directory.side_store import NEVER_BESIDE, attribute_of

_TOP = {"profile", "uuid", "side_store", "person", "group", "filter_attributes"}
_PART = {"when", "fields"}
_FIELD = {"from", "absent", "writable", "combine", "side"}
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
_SIDES = ("", "first", "never")


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
    :param side: whether the side store's value counts ``first``, or the field is ``never`` kept there.
    """

    name: str
    field: Field
    sources: tuple[Source, ...]
    absent: Scalar
    writable: bool
    combine: str
    side: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """People or groups: which entries, and how their fields are filled."""

    when: When
    fields: tuple[Mapped, ...]


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """A whole profile, checked.

    :param beside: whether the side store holds what groups have no attribute for.
    """

    name: str
    uuid: str
    person: Part
    group: Part
    filter_attributes: tuple[str, ...]
    beside: bool = False


def checked(mapping: object, beside: bool | None = None, *, read_only: bool = False) -> ProfileFile:
    """Check a parsed profile file; raise `ProfileError`.

    :param beside: whether the side store is used; None: as the file says.
    :param read_only: whether nothing can be written into the directory itself, whatever the file says.
    """
    top = _mapping(mapping, "", _TOP)
    name, uuid = _text(top.get("profile"), "profile"), _text(top.get("uuid", "entryUUID"), "uuid").lower()
    said = _flag(top.get("side_store", False), "side_store")
    used = said if beside is None else beside
    person, group = _part(top.get("person"), "person", PERSON), _part(top.get("group"), "group", GROUP)
    placed = tuple(_placed(mapped, beside=used, read_only=read_only) for mapped in group.fields)
    return ProfileFile(
        name,
        uuid,
        person,
        replace(group, fields=placed),
        tuple(name.lower() for name in _texts(top.get("filter_attributes", []), "filter_attributes")),
        used,
    )


def _placed(mapped: Mapped, *, beside: bool, read_only: bool) -> Mapped:
    """Return a field with its place in the side store, after the directory's own attributes as a rule.

    A field that several attributes decide together has none: the side store's value would be one more of them.
    """
    writable = mapped.writable and not read_only
    sources = tuple(replace(source, writable=writable) for source in mapped.sources)
    together = bool(sources) and mapped.combine != "first"
    if not beside or together or mapped.side == "never" or mapped.name in NEVER_BESIDE:
        return replace(mapped, sources=sources, writable=writable)
    own = Source(attribute_of(mapped.name), beside=True)
    placed = (own, *sources) if mapped.side == "first" else (*sources, own)
    return replace(mapped, sources=placed, writable=True)


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
    side = spec.get("side", "")
    if side not in _SIDES:
        raise ProfileError(f"{path}.side: {side!r} is none of {', '.join(filter(None, _SIDES))}")
    return Mapped(name, field, sources, absent, writable, str(combine), str(side))


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
