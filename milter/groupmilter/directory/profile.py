"""A profile: how one directory's entries become canonical people and groups (specification 1.1, 1.2). Pure.

What a profile says is data (`profile_file`); this reads entries with it. A value that can't be read becomes
a `Problem` and the field's safe value (`profile_fields`), never an exception: one bad entry stops nobody
else's mail.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from groupmilter.directory.entry import Entry
from groupmilter.directory.filter import Values, prepared
from groupmilter.directory.findings import Kind
from groupmilter.directory.profile_fields import Form, Scalar
from groupmilter.directory.profile_file import Mapped, Part, ProfileError, ProfileFile, When, checked
from groupmilter.directory.profile_source import EXPECTED_WORDS, BadValue, Source, boolean, number
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Fact, kept
from groupmilter.mail.address import pattern

__all__ = ["Problem", "Profile", "ProfileError", "Record"]

FieldValue = Scalar | tuple[str, ...] | Mapping[str, str]

# RFC 4519 and RFC 2798: a server answers (objectClass=person) for these although the entry may not list it.
_SUPERIORS = {
    "inetorgperson": ("organizationalperson", "person"),
    "organizationalperson": ("person",),
    "residentialperson": ("person",),
}
_LONGEST_SHOWN = 100
_SCALARS = frozenset((Form.TEXT, Form.BOOLEAN, Form.NUMBER, Form.WORD))


@dataclass(frozen=True, slots=True)
class Problem:
    """One value that couldn't be read: its attribute, the value as far as it shows, and what was expected."""

    kind: Kind
    attribute: Fact
    value: str
    expected: Fact


class Record(NamedTuple):
    """One person or group as the profile reads it; names (DNs) and addresses as written, not yet compared.

    :param fields: canonical field to value, DN fields excepted; every field of the kind is there.
    :param names: canonical DN field to DNs, only those with any.
    :param values: what member URLs compare with: prepared values by lower-case attribute.
    """

    group: bool
    uuid: str
    dn: str
    fields: Mapping[str, FieldValue]
    names: Mapping[str, tuple[str, ...]]
    values: Values
    problems: tuple[Problem, ...] = ()

    def texts(self, field: str) -> tuple[str, ...]:
        """Return the values of a field of several values."""
        value = self.fields.get(field)
        return value if isinstance(value, tuple) else ()


class Profile:
    """A compiled profile; see `from_mapping`."""

    def __init__(self, content: ProfileFile, fingerprint: str) -> None:
        self._file = content
        self._fingerprint = fingerprint
        self._names = frozenset(("objectclass", *content.filter_attributes))
        self._person = _Compiled(content.person)
        self._group = _Compiled(content.group)

    @classmethod
    def from_mapping(
        cls,
        mapping: object,
        logins: tuple[str, ...] = (),
        beside: bool | None = None,
        *,
        read_only: bool = False,
    ) -> Profile:
        """Compile a parsed profile file (``ldap_schema/profiles/``); raise `ProfileError`.

        :param logins: attributes that hold a person's login, instead of those that the profile names.
        :param beside: whether the side store is used; None: as the profile says.
        :param read_only: whether nothing can be written into the directory itself: it is a file.
        """
        if logins:
            mapping = _with_logins(mapping, logins)
        content = checked(mapping, beside, read_only=read_only)
        text = json.dumps(mapping, sort_keys=True, default=str) + ("+side" if content.beside else "")
        return cls(content, hashlib.sha256(text.encode()).hexdigest()[:32])

    @property
    def name(self) -> str:
        """The profile's name, for people."""
        return self._file.name

    @property
    def fingerprint(self) -> str:
        """A digest of the profile's content: a mirror made with another one is of no use."""
        return self._fingerprint

    @property
    def beside(self) -> bool:
        """Whether the side store holds what groups have no attribute for."""
        return self._file.beside

    @property
    def uuid_attribute(self) -> str:
        """The attribute with the entry's UUID, lower case."""
        return self._file.uuid

    @property
    def filter_attributes(self) -> frozenset[str]:
        """The lower-case attributes that member URLs can be evaluated on without the server."""
        return self._names

    def attributes(self, without: Collection[str] = ()) -> tuple[str, ...]:
        """Return the attributes that the reader has to request, lower case, each once.

        :param without: fields of which nothing is to be read.
        """
        names = [self._file.uuid, *sorted(self._names)]
        for part in (self._file.person, self._file.group):
            names += part.when.attributes
            for mapped in (each for each in part.fields if each.name not in without):
                asked = (source for source in mapped.sources if not source.beside)
                names += (name for source in asked for name in (source.attribute, source.other))
        return tuple(dict.fromkeys(filter(None, names)))

    def filter(self) -> str:
        """Return the search filter (RFC 4515) that finds every person and group."""
        whens = (self._file.group.when, self._file.person.when)
        terms = [f"(objectClass={name.decode()})" for when in whens for name in sorted(when.classes)]
        terms += [f"({name}=*)" for when in whens for name in when.attributes]
        return f"(|{''.join(dict.fromkeys(terms))})"

    def mapped(self, field: str, *, group: bool = True) -> Mapped:
        """Return how a canonical field is filled, for writing it back; KeyError for no such field."""
        part = self._file.group if group else self._file.person
        return {mapped.name: mapped for mapped in part.fields}[field]

    def value(self, entry: Entry, field: str) -> FieldValue:
        """Return one field of a group's entry, whatever else it is; KeyError for no such field."""
        return _read(entry, self.mapped(field), [])

    def read(self, entry: Entry) -> Record | None:
        """Return the canonical record of an entry, None where it is neither group nor person."""
        classes = {value.lower() for value in entry.attributes.get("objectclass", ())}
        if _meant(self._file.group.when, entry, classes):
            return self._record(entry, self._group, group=True)
        if _meant(self._file.person.when, entry, classes):
            return self._record(entry, self._person, group=False)
        return None

    def _record(self, entry: Entry, part: _Compiled, *, group: bool) -> Record:
        problems: list[Problem] = []
        fields = dict(part.absent)
        names: dict[str, tuple[str, ...]] = {}
        for mapped in part.concerned(entry):
            value = _read(entry, mapped, problems)
            if mapped.field.form is not Form.NAMES:
                fields[mapped.name] = value
            elif isinstance(value, tuple) and value:
                names[mapped.name] = value
        if problems and part.denial_unread(problems):
            fields["moderated"] = True
        values = self._kept(entry)
        return Record(group, entry.uuid, entry.dn, fields, _resolved(names), values, tuple(problems))

    def _kept(self, entry: Entry) -> Values:
        names = self._names
        kept = {name: _all_prepared(raw) for name, raw in entry.attributes.items() if name in names}
        if "objectclass" in kept:
            kept["objectclass"] = _with_superiors(entry.attributes["objectclass"])
        return kept


def _with_logins(mapping: object, logins: tuple[str, ...]) -> object:
    """Return the file's content with other attributes of logins; one that is no profile as it is."""
    person = mapping.get("person") if isinstance(mapping, dict) else None
    fields = person.get("fields") if isinstance(person, dict) else None
    if not isinstance(mapping, dict) or not isinstance(person, dict) or not isinstance(fields, dict):
        return mapping
    return {**mapping, "person": {**person, "fields": {**fields, "logins": list(logins)}}}


class _Compiled:
    """People or groups of a profile, by attribute: an entry with few attributes costs few fields."""

    def __init__(self, part: Part) -> None:
        self._by_attribute: dict[str, tuple[Mapped, ...]] = {}
        for mapped in part.fields:
            for source in mapped.sources:
                fields = self._by_attribute.get(source.attribute, ())
                self._by_attribute[source.attribute] = tuple(dict.fromkeys((*fields, mapped)))
        self.absent = {
            mapped.name: _absent(mapped) for mapped in part.fields if mapped.field.form is not Form.NAMES
        }
        self._denied = frozenset(
            source.attribute
            for mapped in part.fields
            if mapped.name in ("denied", "denied_addresses")
            for source in mapped.sources
        )

    def concerned(self, entry: Entry) -> dict[Mapped, None]:
        """Return the fields that have an attribute here, each once."""
        found: dict[Mapped, None] = {}
        for name in entry.attributes:
            for mapped in self._by_attribute.get(name.partition(";")[0], ()):
                found[mapped] = None
        return found

    def denial_unread(self, problems: Iterable[Problem]) -> bool:
        """Tell whether a denied sender can't be told: then nothing passes unseen, the group is moderated."""
        return any(problem.attribute in self._denied for problem in problems)


def _absent(mapped: Mapped) -> FieldValue:
    if mapped.field.form is Form.LANGUAGES:
        return {}
    return mapped.absent if mapped.field.form in _SCALARS else ()


def _all_prepared(raw: tuple[bytes, ...]) -> tuple[str, ...]:
    if len(raw) == 1:
        return (prepared(raw[0].decode("utf-8", "replace")),)
    return tuple(prepared(value.decode("utf-8", "replace")) for value in raw)


@lru_cache(maxsize=1024)
def _with_superiors(raw: tuple[bytes, ...]) -> tuple[str, ...]:
    classes = _all_prepared(raw)
    more = {superior for name in classes for superior in _SUPERIORS.get(name, ())}
    return (*classes, *sorted(more.difference(classes)))


def _meant(when: When, entry: Entry, classes: set[bytes]) -> bool:
    attributes = entry.attributes
    if not when.classes.isdisjoint(classes):
        return True
    return any(name in attributes for name in when.attributes)


def _resolved(names: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Replace ``{moderators}`` and the like, which an enumeration may yield, by that field's own DNs."""
    for field, values in names.items():
        if any(value.startswith("{") for value in values):
            names[field] = tuple(
                dn
                for value in values
                for dn in (names.get(value[1:-1], ()) if value.startswith("{") else (value,))
            )
    return names


def _read(entry: Entry, mapped: Mapped, problems: list[Problem]) -> FieldValue:
    form = mapped.field.form
    if form is Form.LANGUAGES:
        return _languages(entry, mapped.sources)
    if form in _SCALARS:
        found = list(_scalars(entry, mapped, problems))
        if not found:
            return mapped.absent
        if mapped.combine == "first":
            return found[0]
        return any(found) if mapped.combine == "any" else all(found)
    return tuple(dict.fromkeys(_several(entry, mapped, problems)))


def _scalars(entry: Entry, mapped: Mapped, problems: list[Problem]) -> Iterator[Scalar]:
    for source in mapped.sources:
        for raw in entry.attributes.get(source.attribute, ())[:1]:
            try:
                text = source.read(entry, raw)
                if text:
                    yield _scalar(mapped, source, text)
            except BadValue as error:
                problems.append(_problem(Kind.BAD_VALUE, source, raw, kept(error)))
                yield mapped.field.invalid


def _scalar(mapped: Mapped, source: Source, text: str) -> Scalar:
    form = mapped.field.form
    if form is Form.BOOLEAN:
        return boolean(text, invert=source.invert)
    if form is Form.NUMBER:
        return number(text, source.unit, mapped.field.least)
    if form is Form.WORD and text.lower() not in mapped.field.words:
        raise BadValue(EXPECTED_WORDS, words=", ".join(mapped.field.words))
    return text.lower() if form is Form.WORD else text


def _several(entry: Entry, mapped: Mapped, problems: list[Problem]) -> Iterator[str]:
    form = mapped.field.form
    for source in mapped.sources:
        for raw in entry.attributes.get(source.attribute, ()):
            try:
                text = source.read(entry, raw, url=form is Form.URLS)
                if text:
                    yield _pattern(text) if form is Form.PATTERNS else text
            except BadValue as error:
                problems.append(_problem(Kind.BAD_VALUE, source, raw, kept(error)))
                if isinstance(mapped.field.invalid, str):
                    yield mapped.field.invalid


def _pattern(text: str) -> str:
    read = pattern(text)
    if read is None:
        raise BadValue(marked("expected an address, @domain or @.domain"))
    return str(read)


def _languages(entry: Entry, sources: tuple[Source, ...]) -> dict[str, str]:
    """Return text by language tag, from options (``;lang-fr``, RFC 3866) or from ``lang:text`` (template)."""
    found: dict[str, str] = {}
    for source in sources:
        for name, values in entry.attributes.items():
            base, _, option = name.partition(";lang-")
            if base != source.attribute or not values:
                continue
            for raw in values if source.take or source.template else values[:1]:
                text = raw.decode("utf-8", "replace").strip()
                tag, _, rest = text.partition(":") if source.template == "lang:text" else (option, "", text)
                found.setdefault(tag.strip().lower(), rest.strip())
    return found


def _problem(kind: Kind, source: Source, raw: bytes, expected: Fact) -> Problem:
    return Problem(kind, source.attribute, raw[:_LONGEST_SHOWN].decode("utf-8", "replace"), expected)
