"""Groups made and changed: what panel, command line and mail share.

Each step that reaches the directory gets its row in the journal, with what was there before and what is there after.
Large lists go in steps of a bounded size; every step may be repeated. Raises `NoSuchGroup`, `BadWishes` (everything
that can't be had, at once), `Forbidden` (whoever acts may not), `WriteRefused`, or a `DirectoryUnknown` where the
directory can't be asked or didn't answer; what was done until then stays done and is in the journal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from groupmilter.directory.change import Change, Difference, Meanwhile, Setting, Values, WriteRefused, Written
from groupmilter.directory.dn import normalise, rdn_value
from groupmilter.directory.entry import Entry
from groupmilter.directory.keeping import Emptied
from groupmilter.directory.modification import Plan, current, planned
from groupmilter.directory.profile_fields import GROUP
from groupmilter.directory.sparse import LONG
from groupmilter.directory.spelling import MEMBERS_OF
from groupmilter.directory.writer import OutcomeUnknown, Writer
from groupmilter.directory.writer_messages import Operation
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import strict
from groupmilter.membership.address_book import AddressBook, Known
from groupmilter.membership.authority import Authority, Unlimited
from groupmilter.membership.deciders import STAYS, UNDECIDED, UNOWNED, given_up, nobody_decides
from groupmilter.membership.journal import Note, journal_texts, summary
from groupmilter.membership.refusals import FASTER, LAST_OWNER, NO_PLACE, OTHERWISE, SEVERAL, THERE, UNMADE
from groupmilter.membership.stored import NoSuchGroup, Stored, knowing, read, whole
from groupmilter.membership.vocabulary import BadWish, Remark, Single, Wish
from groupmilter.membership.wishes import Intent, Rules, Wishes, is_name

# fmt: off
__all__ = [
    "CLASS", "STEP", "BadWishes", "Groups", "NoSuchGroup", "Note", "Prepared", "Result", "Stored", "Tick",
    "journal_texts", "moved", "summary", "warned",
]
# fmt: on

STEP = 500
"""Values, at most, in one change: what a server takes in one message, and what a journal's row may hold."""

CLASS = "distributionGroup"
_UNTOLD = frozenset({"member_of", "mail_tip"})
_LATER = frozenset({"members", "member_addresses", "excluded"})
Tick = Callable[[int], None]


class BadWishes(Exception):
    """Some of what was wanted can't be had; nothing was written. ``problems`` has all of it."""

    def __init__(self, problems: Sequence[BadWish]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Changes to one group, looked at and not yet made.

    :param differences: what they change as the group is now. ``new``: the group has still to be made.
    :param meanwhile: single values that somebody else has changed since they were seen: nothing is written then.
    """

    group: Stored
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]
    remarks: tuple[Remark, ...] = ()
    new: bool = False
    meanwhile: tuple[Meanwhile, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What was done, and the field that somebody else had changed meanwhile, where the rest was left undone."""

    differences: tuple[Difference, ...]
    meanwhile: Meanwhile | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of one directory, changed on behalf of one person.

    :param authority: what that person may; asked before each write, also within one change of several steps.
    """

    book: AddressBook
    writer: Writer
    rules: Rules
    note: Note
    authority: Authority = Unlimited()

    @property
    def wishes(self) -> Wishes:
        """What reads wishes for these groups."""
        return Wishes(self.book, self.writer.profile, self.rules)

    def find(self, address: str) -> Stored | None:
        """Return the group with an address, as the server has it now but for its members; None for no group."""
        found = [each for each in self.book.having([address])[address] if each.group]
        if len(found) > 1:
            names = ", ".join(each.dn for each in found)
            raise WriteRefused(SEVERAL, address=address, names=names)
        if not found:
            return None
        return read(self.book, found[0].dn, found[0].address)

    def whole(self, group: Stored) -> Stored:
        """Return a group with all its members, as the server has it now; `NoSuchGroup`."""
        return whole(self.book, group)

    def at(self, dn: str, uuid: str) -> Stored:
        """Return the group whose entry has a name and a UUID, as `find` does; `NoSuchGroup`."""
        known = self.book.named([dn])[dn]
        found = None if known is None or not known.group else read(self.book, dn, known.address)
        if found is None or found.entry.uuid != uuid:
            raise NoSuchGroup(f"there is no group {dn} any more")
        return found

    def bearing(self, uuid: str) -> Stored | None:
        """Return the group whose entry has a UUID, wherever it is and whatever it is called now, as `find` does."""
        found = [each for each in self.book.bearing(uuid) if each.group]
        group = read(self.book, found[0].dn, found[0].address or found[0].dn) if found else None
        return group if group is not None and group.entry.uuid == uuid else None

    def stored(self, written: str) -> Stored:
        """Return the group with an address, or at a DN, as one is named that has no address yet; `NoSuchGroup`."""
        if is_name(written):
            known = self.book.named([written])[written]
            found = read(self.book, known.dn, known.address or known.dn) if known and known.group else None
        else:
            found = self.find(written)
        if found is None:
            raise NoSuchGroup(f"no group {'stands at' if is_name(written) else 'has the address'} {written}")
        return found

    def prepare(self, group: Stored, wishes: Sequence[Wish]) -> tuple[Prepared, tuple[BadWish, ...]]:
        """Return what wishes change in a group, and those that can't be had."""
        if not group.whole:
            group = knowing(self.book, self.writer.profile, group, self.wishes.about(wishes))
        intent = self.wishes.intent(group.entry, wishes)
        self.authority.require(group.entry, intent.changes)
        return self._prepared(group, intent), tuple(intent.problems)

    def _prepared(self, group: Stored, intent: Intent, *, new: bool = False) -> Prepared:
        profile, placeholder = self.writer.profile, self.writer.placeholder
        plan = planned(profile, group.entry, intent.changes, placeholder, whole=group.whole)
        differences = plan.differences if isinstance(plan, Plan) else ()
        remarks = list(intent.remarks)
        if given_up(profile, group.entry, differences):
            if isinstance(self.authority, Unlimited):
                remarks.append(Remark(UNOWNED))
            else:
                intent.problems.append(BadWish("owners", "", STAYS))
        if nobody_decides(profile, group.entry, differences):
            remarks.append(Remark(UNDECIDED))
        return Prepared(
            group, tuple(intent.changes), differences, tuple(remarks), new,
            tuple(self._overtaken(group.entry, intent.changes)),
        )  # fmt: skip

    def _overtaken(self, entry: Entry, changes: Sequence[Change]) -> Iterator[Meanwhile]:
        """Yield each single value that is no longer what it was seen to be."""
        for change in changes:
            if isinstance(change, Setting):
                plan = planned(self.writer.profile, entry, (change,), self.writer.placeholder)
                if isinstance(plan, Meanwhile):
                    yield plan

    def prepare_new(
        self, address: str, wishes: Sequence[Wish], cn: str = "", parent: str = ""
    ) -> tuple[Prepared, tuple[BadWish, ...]]:
        """Return what a new group would be, and what can't be had of it.

        :param cn: the name of its entry; empty: the address left of the ``@``. ``parent``: DN above it; empty: by rule.
        """
        parent = parent or self.rules.parent
        if not normalise(parent):
            raise WriteRefused(NO_PLACE)
        classes = self._classes()
        name = cn.strip() or address.strip().rpartition("@")[0]
        dn = f"cn={rdn_value(name)},{parent}"
        entry = Entry("", dn, {"objectclass": classes, "cn": (name.encode(),)})
        completed = self.authority.completed(wishes)
        intent = self.wishes.intent(entry, [Single("address", address), *completed])
        intent.problems += self.authority.problems(entry, intent.changes)
        if not name:
            why = marked("no name for the entry can be taken from it")
            intent.problems.append(BadWish("address", address, why))
        elif strict(address.strip()) is not None and self.book.entry(dn) is not None:
            why = marked("there is an entry with the name {name} already")
            intent.problems.append(BadWish("address", address, why, name=name))
        known = self.book.key(address)
        return self._prepared(Stored(known, entry), intent, new=True), tuple(intent.problems)

    def _classes(self) -> tuple[bytes, ...]:
        """Return the classes of a new group: the one it can't be without, and ours where the profile knows it."""
        profile, structural = self.writer.profile, self.rules.structural
        known = profile.filter().lower()
        ours = [name for name in (structural, CLASS) if f"(objectclass={name.lower()})" in known]
        if CLASS not in ours and not (profile.beside and ours):
            raise WriteRefused(UNMADE, profile=profile.name)
        return tuple(name.encode() for name in dict.fromkeys((structural, *ours)))

    def expect(self, prepared: Prepared) -> None:
        """Let other groups of the same task name a group that has still to be made."""
        fields = {each.field: each.after for each in prepared.differences}
        aliases = fields.get("aliases") or ()
        addresses = (prepared.group.address, *(aliases if isinstance(aliases, tuple) else ()))
        known = tuple(map(self.book.key, addresses))
        self.book.expect(Known(prepared.group.entry.dn, group=True, name="", addresses=known))

    def apply(self, prepared: Prepared, tick: Tick = lambda _: None) -> Result:
        """Make changes; each step is in the journal as soon as it is in the directory.

        :param tick: is told how many values each step brought.
        """
        done: list[Difference] = []
        group = prepared.group
        if prepared.new:
            group, made = self._create(prepared)
            done += made
        steps = list(_steps(prepared.changes, new=prepared.new))[1 if prepared.new else 0 :]
        for step in steps:
            self._require(prepared, step)
            outcome = self._step(group, step)
            if isinstance(outcome, Meanwhile):
                return Result((*done, *outcome.written), outcome)
            done += outcome.differences
            tick(sum(len(each.add) + len(each.remove) for each in step if isinstance(each, Values)))
        self.book.forget()
        return Result(tuple(_together(done)))

    def _require(self, prepared: Prepared, step: Sequence[Change]) -> None:
        """Ask before each step: who may make a group may fill it, whoever is to own it."""
        if prepared.new:
            self.authority.require_new(prepared.group.entry, prepared.changes)
        else:
            self.authority.require(prepared.group.entry, step)

    def delete(self, group: Stored, version: bytes = b"") -> bool:
        """Remove a group's entry, with all it holds in the journal; False where it was gone already.

        :param version: its ``entryCSN`` when it was looked at; a group changed since then is not removed.
        """
        self.authority.require_removal(group.entry)
        try:
            group = self.whole(group)
        except NoSuchGroup:
            return False
        gone = self.writer.delete(group.entry.dn, version)
        self.book.forget()
        if gone:
            profile, entry = self.writer.profile, group.entry
            fields = {name: current(profile, entry, name) for name in GROUP if name not in _UNTOLD}
            before = json.dumps(
                {name: value for name, value in fields.items() if value not in (None, (), "")}
            )
            self.note("group-delete", group, before=before, after="", detail=entry.dn)
        return gone

    @property
    def _kept(self) -> tuple[str, ...]:
        """The lists that aren't to become empty, not even by two who act at once."""
        return () if isinstance(self.authority, Unlimited) else ("owners",)

    def _step(self, group: Stored, step: Sequence[Change]) -> Written | Meanwhile:
        try:
            outcome = self.writer.change(group.entry.dn, step, self._kept)
        except Emptied as error:
            self._note_edit(group, error.written)
            raise WriteRefused(LAST_OWNER) from error
        except OutcomeUnknown as error:
            self.note("group-edit", group, before="", after="", detail=f"outcome unknown: {error}")
            raise
        self._note_edit(group, outcome.differences if isinstance(outcome, Written) else outcome.written)
        return outcome

    def _note_edit(self, group: Stored, differences: Sequence[Difference]) -> None:
        if differences:
            before, after = journal_texts(differences)
            self.note("group-edit", group, before=before, after=after, detail=summary(differences))

    def _create(self, prepared: Prepared) -> tuple[Stored, tuple[Difference, ...]]:
        entry = prepared.group.entry
        first = next(_steps(prepared.changes, new=True), ())
        plan = planned(self.writer.profile, entry, first, self.writer.placeholder)
        if isinstance(plan, Meanwhile):
            raise WriteRefused(OTHERWISE, field=plan.field)
        content = {name: list(raws) for name, raws in entry.attributes.items()}
        for each in plan.modifications:
            if each.operation is Operation.ADD:
                content.setdefault(each.attribute, []).extend(each.values)
        empty = MEMBERS_OF.get(self.rules.structural.lower().encode(), "")
        if empty and empty not in content:
            content[empty] = [self.writer.placeholder.encode()]
        self.authority.require_new(entry, prepared.changes)
        if not self.writer.create(entry.dn, content):
            raise WriteRefused(THERE, dn=entry.dn)
        before, after = journal_texts(plan.differences)
        made = self._born(prepared.group)
        self.note("group-create", made, before=before, after=after, detail=entry.dn)
        self._still_alone(prepared, made)
        return made, plan.differences

    def _born(self, group: Stored) -> Stored:
        """Return a group that was just made with the UUID that the server gave it; empty where it doesn't tell now."""
        found = None
        # The row about what was made is written in any case.
        with suppress(DirectoryUnknown, WriteRefused):
            found = self.writer.read(group.entry.dn)
        return group if found is None else replace(group, entry=replace(group.entry, uuid=found.uuid))

    def _still_alone(self, prepared: Prepared, made: Stored) -> None:
        """Take a new group back where somebody else got one of its addresses at the same moment."""
        entry, wanted = prepared.group.entry, [prepared.group.address]
        for change in prepared.changes:
            if isinstance(change, Values) and change.field == "aliases":
                wanted += change.add
        self.book.forget()
        for address, found in self.book.having(wanted).items():
            others = [each for each in found if normalise(each.dn) != normalise(entry.dn)]
            if others:
                self.writer.delete(entry.dn)
                detail = f"{address} came to {others[0].dn} at the same moment"
                self.note("group-delete", made, before="", after="", detail=detail)
                raise WriteRefused(FASTER, address=address)

    def value(self, group: Stored, name: str, language: str = "") -> object:
        """Return what a field of a group is: a tuple for one of several values."""
        stored = self.whole(group) if name in LONG else group
        return current(self.writer.profile, stored.entry, name, language)


def _steps(changes: Sequence[Change], *, new: bool) -> Iterator[tuple[Change, ...]]:
    """Yield changes in steps of a bounded number of values; single values and what fits with them come first.

    A new group has all its rules from the beginning, however long the lists are: only members may come later.
    """
    first: list[Change] = [change for change in changes if isinstance(change, Setting)]
    later: list[Values] = []
    room = STEP
    for change in changes:
        if isinstance(change, Values):
            size = len(change.add) + len(change.remove)
            if size <= room or (new and change.field not in _LATER):
                first.append(change)
                room -= size
            else:
                later.append(change)
    if later and not new:
        # Who gives the group away does so last: the steps before are still his.
        given = [change for change in first if change.field == "owners"]
        first = [change for change in first if change.field != "owners"]
        later += [change for change in given if isinstance(change, Values)]
    if first or changes:
        yield tuple(first)
    for change in later:
        for begin in range(0, max(len(change.add), len(change.remove)), STEP):
            some = slice(begin, begin + STEP)
            yield (Values(change.field, change.add[some], change.remove[some]),)


def _together(done: Sequence[Difference]) -> Iterator[Difference]:
    """Yield one difference for each field that several steps changed."""
    for field in dict.fromkeys(each.field for each in done):
        those = [each for each in done if each.field == field]
        if len(those) == 1:
            yield those[0]
            continue
        before = tuple(v for each in those if isinstance(each.before, tuple) for v in each.before)
        after = tuple(v for each in those if isinstance(each.after, tuple) for v in each.after)
        yield Difference(field, before, after)


def warned(prepared: Prepared) -> list[Remark]:
    """Return what a person should know of a group that is made or changed."""
    said = list(prepared.remarks)
    owners = [each for each in prepared.changes if isinstance(each, Values) and each.field == "owners"]
    if prepared.new and not any(each.add for each in owners):
        said.append(Remark(UNOWNED))
    return said


def moved(prepared: Prepared) -> int:
    """Return how many values come and go, for whoever shows how far it is."""
    lists = [each for each in prepared.changes if isinstance(each, Values)]
    return sum(len(each.add) + len(each.remove) for each in lists)
