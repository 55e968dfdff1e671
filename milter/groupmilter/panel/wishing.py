"""From the fields of a form to what its visitor wants of a group.

A field that reads as it did when the page was made is no wish, so nobody overwrites what he didn't touch: the form
carries what it showed as ``seen.<field>``. Where somebody else has changed a value meanwhile, the visitor chooses
(``choice.<field>``). A name in place of an address is looked up in the directory (`DirectoryUnknown`), a part of one in
the mirror.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from groupmilter.directory.profile_fields import NAME_FIELDS
from groupmilter.language.catalogue import marked
from groupmilter.membership.address_book import Known
from groupmilter.membership.pasted import Meant, Outcome, Recognise, Visible, meant, parted
from groupmilter.membership.service import Groups
from groupmilter.membership.vocabulary import BadWish, Several, Single, Wish, scalar
from groupmilter.membership.wishes import same
from groupmilter.panel.form import Form

THEIRS, MINE = "theirs", "mine"
SEEN, CHOICE = "seen.", "choice."
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a form, canonical: texts and choices, boxes to tick, and lists."""

    singles: tuple[str, ...] = ()
    ticks: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads the names in a form's lists.

    :param visible: whether the visitor may be told of an entry; it is as if the others weren't there.
    :param recognise: who may be meant by a part of a name.
    """

    groups: Groups
    visible: Visible
    recognise: Recognise

    def meant(self, named: Iterable[str], chosen: Mapping[str, str] | None = None) -> tuple[Meant, ...]:
        """Return whom each of those named means; ``chosen``: as `pasted.meant` takes it."""
        book, own = self.groups.book, self.groups.rules.own_domains
        return meant(book, own, named, chosen, self.visible, self.recognise)


@dataclass(slots=True)
class Wanted:
    """What a form wants, and what can't be had of it."""

    wishes: list[Wish] = field(default_factory=list)
    problems: list[BadWish] = field(default_factory=list)


def wanted(form: Form, fields: Fields, reading: Reading) -> Wanted:
    """Return what a form wants of a group that is there already."""
    found = Wanted([*_singles(form, fields.singles), *_ticks(form, fields.ticks)])
    for name in fields.lists:
        several(found, reading, name, form.all(f"{name}.add"), form.all(f"{name}.remove"))
    return found


def several(
    found: Wanted, reading: Reading, name: str, add: Iterable[str], remove: Sequence[str] = ()
) -> None:
    """Add what comes into a list and leaves it; a name becomes the DN of who bears it."""
    written = dict.fromkeys(part for text in add for part in parted(text))
    named = [each for each in written if name in NAME_FIELDS and not each.startswith("@")]
    come = [each for each in written if each not in named]
    for one in reading.meant(named):
        try:
            come.append(_value(name, one))
        except BadWish as problem:
            found.problems.append(problem)
    if come or remove:
        found.wishes.append(Several(name, tuple(come), tuple(remove)))


def _value(name: str, one: Meant) -> str:
    if one.outcome is Outcome.SEVERAL:
        why = marked("several are called so; give the address of the one you mean: {names}")
        raise BadWish(name, one.written, why, names=_names(one.known))
    if one.outcome is Outcome.NOBODY:
        raise BadWish(name, one.written, marked("nobody of the directory has this name or address"))
    # What can't be read is told by whoever reads wishes.
    return one.value or one.written


def _names(known: Sequence[Known]) -> str:
    """Return who is called alike, each with what tells him from the others; of very many the first."""
    names = [f"{each.name} <{each.address}>" if each.address else each.dn for each in known[:_NAMED]]
    return ", ".join((*names, "…") if len(known) > _NAMED else names)


def _singles(form: Form, names: Iterable[str]) -> Iterator[Single]:
    for name in names:
        seen = next(iter(form.all(SEEN + name)), None)
        if name in form and form[CHOICE + name] != THEIRS and _differs(name, form[name], seen):
            yield Single(name, form[name], seen)


def _ticks(form: Form, names: Iterable[str]) -> Iterator[Single]:
    for name in names:
        typed, seen = "yes" if name in form else "no", form[SEEN + name]
        if seen and form[CHOICE + name] != THEIRS and typed != seen:
            yield Single(name, typed, seen)


def _differs(name: str, typed: str, seen: str | None) -> bool:
    if seen is None or same(typed, seen):
        return seen is None
    try:
        return name.startswith("mail_tip") or name == "address" or scalar(name, typed) != scalar(name, seen)
    except BadWish:
        return True
