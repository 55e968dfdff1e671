"""Taking changes of the journal back, one after the other, the newest first: looked at before, and then done.

A change of fields goes back value by value (`undoing`); a group that was made is removed; one that was removed is made
again, as far as its people are still there. Each step is in the journal like any other change, and whoever acts needs
the right to it. Raises what `service.Groups` does where the directory can't be asked; a refusal belongs to its row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum

from groupmilter.directory.change import FieldContent, WriteRefused
from groupmilter.directory.dn import normalise
from groupmilter.directory.modification import is_placeholder
from groupmilter.directory.profile_fields import GROUP
from groupmilter.directory.spelling import SEVERAL
from groupmilter.language.spoken import OTHERS
from groupmilter.membership.authority import Forbidden
from groupmilter.membership.refusals import OTHERWISE
from groupmilter.membership.service import Groups, Prepared, Result, Stored
from groupmilter.membership.undoing import NotUndone, Piece, Still, fields_of, pieces, wishes
from groupmilter.membership.vocabulary import BadWish, Several, Single, Wish, written

EDIT, CREATE, DELETE = "group-edit", "group-create", "group-delete"
ACTIONS = frozenset({EDIT, CREATE, DELETE})
"""What the journal calls that which can be taken back."""


_Held = tuple[str, FieldContent, FieldContent]
"""A field that a group had, what it was and what became of it."""

_LOOKS = 5
"""How often a change is looked at again that somebody else changes in that moment."""


class Standing(StrEnum):
    """Whether a change can be taken back now."""

    READY = "ready"
    NOTHING = "nothing"
    GONE = "gone"
    THERE = "there"
    FOREIGN = "foreign"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Deed:
    """A row of the journal.

    :param group: its address then. ``before``, ``after``: JSON (`journal.journal_texts`). ``detail``: the DN of
        one that was made or removed. ``group_uuid``: its entry's, empty in rows of versions that didn't note it.
    """

    id: int
    action: str
    group: str
    before: str
    after: str
    detail: str = ""
    group_uuid: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """One change, and what taking it back would do or has done.

    :param problems: what of it can't be had any more; the rest can.
    :param why: why whoever acts may not, or the directory's words where it refuses.
    """

    deed: Deed
    standing: Standing
    pieces: tuple[Piece, ...] = ()
    problems: tuple[BadWish, ...] = ()
    why: Forbidden | WriteRefused | None = None


@dataclass(slots=True)
class _Overlay:
    """What fields would be once the changes looked at so far are taken back."""

    groups: Groups
    values: dict[tuple[str, str], object] = field(default_factory=dict)

    def look(self, group: Stored, name: str, language: str) -> object:
        """Return what a field would be."""
        key = (group.entry.dn, f"{name}.{language}" if language else name)
        return self.values[key] if key in self.values else self.groups.value(group, name, language)

    def take(self, group: Stored, found: Sequence[Piece]) -> None:
        """Take it that these are back."""
        for piece in found:
            name, _, language = piece.field.partition(".")
            now = self.look(group, name, language)
            if piece.listed and isinstance(now, tuple):
                left = (value for value in now if value not in piece.goes)
                self.values[group.entry.dn, piece.field] = (*left, *piece.comes)
            elif piece.still is Still.SO:
                self.values[group.entry.dn, piece.field] = piece.was


@dataclass(frozen=True, slots=True)
class TakingBack:
    """Takes changes back on behalf of whoever the groups are changed for."""

    groups: Groups

    def looked(self, deeds: Sequence[Deed]) -> tuple[Undo, ...]:
        """Return what taking these back would do, the newest first; nothing is changed."""
        overlay = _Overlay(self.groups)
        return tuple(self._one(deed, overlay)[0] for deed in _newest_first(deeds))

    def done(self, deeds: Sequence[Deed]) -> tuple[Undo, ...]:
        """Take these back; return what came of each."""
        return tuple(self._undone(deed) for deed in _newest_first(deeds))

    def _undone(self, deed: Deed) -> Undo:
        happened, overtaken = False, ""
        for _ in range(_LOOKS):
            undo, prepared = self._one(deed, _Overlay(self.groups))
            if undo.standing is not Standing.READY:
                nothing_left = happened and undo.standing is Standing.NOTHING
                return replace(undo, standing=Standing.READY) if nothing_left else undo
            try:
                result = self._applied(deed, prepared)
            except Forbidden as error:
                return Undo(deed, Standing.FOREIGN, undo.pieces, undo.problems, error)
            except WriteRefused as error:
                return Undo(deed, Standing.REFUSED, undo.pieces, undo.problems, error)
            if result is None or result.meanwhile is None:
                return undo
            # Somebody else has just changed the same: what is his now stays, and is shown so.
            happened, overtaken = happened or bool(result.differences), result.meanwhile.field
        return Undo(deed, Standing.REFUSED, why=WriteRefused(OTHERWISE, field=overtaken))

    def _applied(self, deed: Deed, prepared: Prepared | None) -> Result | None:
        """Make the changes that take one back, or remove the group that it made."""
        if prepared is not None:
            return self.groups.apply(prepared)
        if (group := self._group(deed)) is not None:
            self.groups.delete(group)
        return None

    def _one(self, deed: Deed, overlay: _Overlay) -> tuple[Undo, Prepared | None]:
        try:
            if deed.action == CREATE:
                return self._made(deed), None
            return self._removed(deed) if deed.action == DELETE else self._edited(deed, overlay)
        except NotUndone:
            return Undo(deed, Standing.UNREADABLE), None
        except Forbidden as error:
            return Undo(deed, Standing.FOREIGN, why=error), None
        except WriteRefused as error:
            return Undo(deed, Standing.REFUSED, why=error), None

    def _edited(self, deed: Deed, overlay: _Overlay) -> tuple[Undo, Prepared | None]:
        group = self._group(deed)
        if group is None:
            return Undo(deed, Standing.GONE), None
        profile = self.groups.writer.profile
        found = pieces(
            profile, lambda name, language: overlay.look(group, name, language), deed.before, deed.after
        )
        wanted = wishes(found)
        if not wanted:
            return Undo(deed, Standing.NOTHING, found), None
        prepared, problems = self.groups.prepare(group, wanted)
        overlay.take(group, found)
        return Undo(deed, Standing.READY, found, problems), prepared

    def _group(self, deed: Deed) -> Stored | None:
        """Return the group of a row, whatever its address is now; never another one that has its address."""
        became = {name: after for name, _, after in fields_of(deed.before, deed.after)}.get("address")
        candidates = (deed.group, became if isinstance(became, str) else "")
        found = (self.groups.find(address) for address in candidates if address)
        there = (group for group in found if group is not None)
        if not deed.group_uuid:
            return next(there, None)
        same = next((group for group in there if group.entry.uuid == deed.group_uuid), None)
        return same or self.groups.bearing(deed.group_uuid)

    def _made(self, deed: Deed) -> Undo:
        group = self._group(deed)
        if group is None or (not deed.group_uuid and normalise(group.entry.dn) != normalise(deed.detail)):
            return Undo(deed, Standing.GONE)
        self.groups.authority.require_removal(group.entry)
        return Undo(deed, Standing.READY)

    def _removed(self, deed: Deed) -> tuple[Undo, Prepared | None]:
        held = tuple(self._without_placeholder(fields_of(deed.before, "")))
        rdn, parent = _parted(deed.detail)
        if not held or not rdn:
            raise NotUndone("the journal doesn't hold what the group was")
        if self.groups.find(deed.group) is not None:
            return Undo(deed, Standing.THERE), None
        prepared, problems = self.groups.prepare_new(deed.group, tuple(_wanted(held)), rdn, parent)
        back = tuple(
            Piece(name, was, None if not isinstance(was, tuple) else (), _list(was)) for name, was, _ in held
        )
        if problems:
            prepared = self._without(deed, held, rdn, parent, problems)
        return Undo(deed, Standing.READY, back, problems), prepared

    def _without_placeholder(self, held: Sequence[_Held]) -> Iterator[_Held]:
        """Yield the fields of a group without the member that stands there when there is none."""
        placeholder = normalise(self.groups.writer.placeholder) or ""
        for name, was, became in held:
            there = (each for each in _list(was) if not is_placeholder(each.encode(), placeholder))
            yield name, tuple(there) if name == "members" else was, became

    def _without(
        self, deed: Deed, held: Sequence[_Held], rdn: str, parent: str,
        problems: Sequence[BadWish],
    ) -> Prepared:  # fmt: skip
        """Return the group as far as it can be had: who is gone stays away."""
        kept = tuple(_wanted(held, {problem.written for problem in problems}))
        prepared, left = self.groups.prepare_new(deed.group, kept, rdn, parent)
        if left:
            raise WriteRefused(OTHERS, words="; ".join(map(str, left)))
        return prepared


def _newest_first(deeds: Sequence[Deed]) -> list[Deed]:
    return sorted(deeds, key=lambda deed: -deed.id)


def _wanted(held: Sequence[_Held], bad: AbstractSet[str] = frozenset()) -> Iterator[Wish]:
    """Yield the wishes that make a group what it was."""
    for name, was, _ in held:
        plain = name.partition(".")[0]
        if plain not in GROUP or plain in {"address", "uuid", "member_of"}:
            continue
        several = GROUP[plain].form in SEVERAL
        if several and isinstance(was, tuple):
            yield Several(name, tuple(value for value in was if value not in bad))
        elif not several and not isinstance(was, tuple) and written(was) not in bad:
            yield Single(name, written(was))


def _list(content: FieldContent) -> tuple[str, ...]:
    return content if isinstance(content, tuple) else ()


def _parted(dn: str) -> tuple[str, str]:
    """Return the value of a name's first part, where that is a plain ``cn``, and what is above it."""
    first, _, parent = dn.partition(",")
    attribute, _, value = first.partition("=")
    plain = attribute.strip().lower() == "cn" and "\\" not in dn and "+" not in first
    return (value.strip(), parent.strip()) if plain and normalise(dn) else ("", "")
