"""From a change to the modifications that make it so, for an entry as it is now. Pure.

Values of lists come and go one by one, and a single value is taken away by what it was: what somebody else writes at
the same time is never overwritten. A ``groupOfNames`` can't be empty (RFC 4519 section 3.5), so the placeholder comes
with the last member's removal and goes with the first one. Raises `Unwritable` for what the profile can't write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from groupmilter.directory.change import (
    Change,
    Difference,
    FieldContent,
    Meanwhile,
    Setting,
    Unseen,
    Values,
)
from groupmilter.directory.dn import normalise
from groupmilter.directory.entry import Entry
from groupmilter.directory.profile import Profile
from groupmilter.directory.profile_fields import Form, Scalar
from groupmilter.directory.profile_file import Mapped
from groupmilter.directory.profile_source import Source
from groupmilter.directory.side_store import SideChange, is_beside, label_of
from groupmilter.directory.spelling import (
    MEMBERS_OF,
    SEVERAL,
    Held,
    Unwritable,
    held,
    home,
    key_of,
    scalar_spelt,
    value_spelt,
)
from groupmilter.directory.writer_messages import Modification, Operation
from groupmilter.language.catalogue import marked

READ_ONLY = marked("{field} is read-only in this directory")
_STANDS_THERE = marked("{field} stands in the directory itself, where it is read-only")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask the server for.

    :param guarded: whether a single value is among it: then the entry must be just as it was read.
    """

    modifications: tuple[Modification, ...]
    differences: tuple[Difference, ...]
    guarded: bool = False

    @property
    def there(self) -> Plan:
        """The part that the directory takes; its differences are those that are complete with it."""
        besides = {each.label.partition(";")[0] for each in self.beside}
        return Plan(
            tuple(each for each in self.modifications if not is_beside(each.attribute)),
            tuple(each for each in self.differences if each.field.partition(".")[0] not in besides),
            self.guarded,
        )

    @property
    def beside(self) -> tuple[SideChange, ...]:
        """The part that the side store takes."""
        changes: dict[str, SideChange] = {}
        for each in self.modifications:
            if is_beside(each.attribute):
                label, texts = label_of(each.attribute), tuple(map(bytes.decode, each.values))
                known = changes.get(label, SideChange(label))
                gone = each.operation is Operation.DELETE
                changes[label] = replace(known, remove=texts) if gone else replace(known, add=texts)
        return tuple(changes.values())

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that are touched, for people."""
        return tuple(dict.fromkeys(each.attribute for each in self.modifications))


@dataclass(slots=True)
class _Tally:
    """Values that go and come, by attribute, in the order in which they were asked for."""

    remove: dict[str, dict[bytes, None]] = field(default_factory=dict)
    add: dict[str, dict[bytes, None]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    def take(self, attribute: str, raws: Iterable[bytes]) -> None:
        """Have values removed."""
        self.remove.setdefault(attribute, {}).update(dict.fromkeys(raws))

    def give(self, attribute: str, raw: bytes) -> None:
        """Have a value added."""
        self.add.setdefault(attribute, {})[raw] = None

    def modifications(self) -> Iterator[Modification]:
        """Yield removals and additions, of one attribute after the other."""
        for attribute in dict.fromkeys((*self.remove, *self.add)):
            for operation, tally in ((Operation.DELETE, self.remove), (Operation.ADD, self.add)):
                if values := tuple(tally.get(attribute, ())):
                    yield Modification(operation, attribute, values)


def planned(
    profile: Profile, entry: Entry, changes: Sequence[Change], placeholder: str = "", *, whole: bool = True
) -> Plan | Meanwhile:
    """Return what makes the changes so; nothing where they are so already.

    :param entry: the group as it is now. ``placeholder``: see `Mirror`'s settings; empty for none.
    :param whole: whether the entry has all its members, or of these only the ones that the changes are about
        (`sparse`); then it is taken for granted that others stay.
    """
    tally = _Tally()
    for change in changes:
        if isinstance(change, Values):
            _values(profile, entry, change, tally)
        elif (lost := _setting(profile, entry, change, tally)) is not None:
            return lost
    _keep_filled(entry, tally, placeholder, whole=whole)
    guarded = any(isinstance(change, Setting) for change in changes)
    return Plan(tuple(tally.modifications()), tuple(tally.differences), guarded)


def current(profile: Profile, entry: Entry, name: str, language: str = "") -> FieldContent:
    """Return what a field of a group is now: a tuple for one of several values."""
    mapped = _mapped(profile, name)
    if name == "address":
        return next((each.text for each in held(entry, mapped)), "")
    if mapped.field.form in SEVERAL:
        return tuple({each.key: each.text for each in held(entry, mapped)}.values())
    value = profile.value(entry, name)
    if mapped.field.form is Form.LANGUAGES:
        return value.get(language) if isinstance(value, dict) else None
    return value if isinstance(value, bool | int | str) else None


def _mapped(profile: Profile, name: str) -> Mapped:
    try:
        return profile.mapped(name)
    except KeyError:
        raise Unwritable(marked("{field}: no field of a group"), field=name) from None


def _values(profile: Profile, entry: Entry, change: Values, tally: _Tally) -> None:
    mapped = _mapped(profile, change.field)
    if mapped.field.form not in SEVERAL or mapped.name == "address":
        raise Unwritable(marked("{field} has one value, and can't be added to"), field=mapped.name)
    there = list(held(entry, mapped))
    keys = {each.key for each in there}
    fresh: dict[str, str] = {}
    for value in change.add:
        if (key := key_of(mapped, value)) not in keys and key not in fresh:
            source, raw = value_spelt(entry, mapped, value)
            tally.give(source.attribute, raw)
            fresh[key] = value
    wanted = {key_of(mapped, value) for value in change.add}
    unwanted = {key_of(mapped, value) for value in change.remove} - wanted
    gone = [each for each in there if each.key in unwanted]
    if any(not each.source.writable for each in gone):
        raise Unwritable(READ_ONLY, field=mapped.name)
    if mapped.name == "aliases":
        gone = _but_address(profile, entry, gone, unwanted)
    for each in gone:
        tally.take(each.source.attribute, (each.raw,))
    before = tuple(dict.fromkeys(each.text for each in gone))
    if before or fresh:
        tally.differences.append(Difference(mapped.name, before, tuple(fresh.values())))


def _but_address(profile: Profile, entry: Entry, gone: list[Held], unwanted: set[str]) -> list[Held]:
    """Return what goes without the group's first address, which is no alias; refuse if nothing else was asked for."""
    first = next(held(entry, _mapped(profile, "address")), None)
    rest = [
        each
        for each in gone
        if first is None or (each.source.attribute, each.raw) != (first.source.attribute, first.raw)
    ]
    if first is not None and gone and not rest and unwanted == {first.key}:
        raise Unwritable(marked("{address} is the group's address, no alias of it"), address=first.text)
    return rest


def _setting(profile: Profile, entry: Entry, change: Setting, tally: _Tally) -> Meanwhile | None:
    mapped = _mapped(profile, change.field)
    if mapped.field.form in SEVERAL and mapped.name != "address":
        raise Unwritable(marked("{field} has several values; they are added and removed"), field=mapped.name)
    now = current(profile, entry, change.field, change.language)
    found: Scalar = None if isinstance(now, tuple) else now
    wanted = _default(mapped) if change.value is None else change.value
    if found == wanted and (change.value is not None or not _explicit(mapped, entry, change)):
        return None
    if not isinstance(change.seen, Unseen) and found != change.seen:
        return Meanwhile(change.label, change.seen, found)
    if mapped.field.form is Form.LANGUAGES:
        _language(mapped, entry, change, tally)
    elif mapped.name == "address":
        _address(profile, mapped, entry, change, tally)
    else:
        _scalar(mapped, entry, change.value, tally)
    tally.differences.append(Difference(change.label, found, change.value))
    return None


def _default(mapped: Mapped) -> Scalar:
    return mapped.absent if mapped.field.form is not Form.LANGUAGES else None


def _explicit(mapped: Mapped, entry: Entry, change: Setting) -> bool:
    """Tell whether an attribute holds the value, so that there is something to take away."""
    if mapped.field.form is Form.LANGUAGES or change.value is not None:
        return False
    return any(entry.attributes.get(source.attribute) for source in _places(mapped))


def _places(mapped: Mapped) -> list[Source]:
    """Return where a field's one value may stand that was written from here: at home, and in the side store."""
    first = home(mapped)
    return [source for source in mapped.sources if source is first or source.beside]


def _scalar(mapped: Mapped, entry: Entry, value: Scalar, tally: _Tally) -> None:
    if home(mapped) is None:
        raise Unwritable(READ_ONLY, field=mapped.name)
    if value is None:
        _only_there(mapped, entry, None, tally)
        return
    source, raw = scalar_spelt(entry, mapped, value)
    _only_there(mapped, entry, source, tally)
    tally.give(source.attribute, raw)


def _only_there(mapped: Mapped, entry: Entry, place: Source | None, tally: _Tally) -> None:
    """Clear the place of a new value and those that would say something else; refuse where one is read-only."""
    for source in mapped.sources:
        if source is place or source in _places(mapped):
            tally.take(source.attribute, entry.attributes.get(source.attribute, ()))
        elif (
            not source.writable and entry.attributes.get(source.attribute) and _before(mapped, source, place)
        ):
            raise Unwritable(_STANDS_THERE, field=mapped.name)


def _before(mapped: Mapped, source: Source, place: Source | None) -> bool:
    """Tell whether what stands in one source counts before what stands where a field is written."""
    written = place or home(mapped)
    return written is None or mapped.sources.index(source) < mapped.sources.index(written)


def _address(profile: Profile, mapped: Mapped, entry: Entry, change: Setting, tally: _Tally) -> None:
    """Change the first address; which of several ``mail`` values is first no server promises, so one remains there."""
    if not isinstance(change.value, str) or not change.value:
        raise Unwritable(marked("a group keeps an address; delete the group instead"))
    source, raw = value_spelt(entry, mapped, change.value)
    old = entry.attributes.get(source.attribute, ())
    _only_there(mapped, entry, source, tally)
    tally.give(source.attribute, raw)
    aliases = profile.mapped("aliases")
    place = home(aliases)
    there = {each.key for each in held(entry, aliases) if each.source.attribute != source.attribute}
    for further in old[1:]:
        text = further.decode("utf-8", "replace")
        key = key_of(aliases, text)
        if place is not None and key not in there and key != key_of(mapped, change.value):
            tally.give(place.attribute, further)
    # What was an alias and becomes the address stands in one place only.
    for each in held(entry, aliases):
        same = each.key == key_of(mapped, change.value)
        if each.source.attribute != source.attribute and same and each.source.writable:
            tally.take(each.source.attribute, (each.raw,))


def _language(mapped: Mapped, entry: Entry, change: Setting, tally: _Tally) -> None:
    source = home(mapped)
    if source is None or source.template or (change.value is not None and not isinstance(change.value, str)):
        raise Unwritable(READ_ONLY, field=mapped.name)
    option = f";lang-{change.language}" if change.language else ""
    name = f"{source.attribute}{option}"
    for place in mapped.sources:
        there = entry.attributes.get(f"{place.attribute}{option}", ())
        if there and not place.writable:
            raise Unwritable(_STANDS_THERE, field=mapped.name)
        if place is source or place.beside:
            tally.take(f"{place.attribute}{option}", there)
    if change.value:
        tally.give(name, change.value.encode())


def _keep_filled(entry: Entry, tally: _Tally, configured: str, *, whole: bool) -> None:
    placeholder = normalise(configured) or ""
    classes = {value.lower() for value in entry.attributes.get("objectclass", ())}
    for name, attribute in MEMBERS_OF.items():
        touched = attribute in tally.add or attribute in tally.remove
        if name not in classes or not touched or not placeholder:
            continue
        gone = tally.remove.get(attribute, {})
        stays = [each for each in entry.attributes.get(attribute, ()) if each not in gone]
        places = [each for each in stays if is_placeholder(each, placeholder)]
        if len(places) == len(stays) and attribute not in tally.add:
            if not places and whole:
                tally.give(attribute, configured.encode())
        elif places:
            tally.take(attribute, places)


def is_placeholder(raw: bytes, placeholder: str) -> bool:
    """Tell whether a member is the placeholder: its normalised DN, or its first RDNs."""
    name = normalise(raw.decode("utf-8", "replace")) or ""
    return bool(placeholder) and (name == placeholder or name.startswith(f"{placeholder},"))
