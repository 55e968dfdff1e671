"""Files of groups into the directory: each group compared with what is there, the differences first, then made.

A file adds; it takes away only where that is asked for, and only from the fields that it speaks of. A group whose rules
would come out more open than the file has them (a denied sender nobody knows, an allowed list nobody of which is known)
is left alone and named. Raises as `service` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

from groupmilter.directory.change import Difference, Values, WriteRefused
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Spoken
from groupmilter.membership.address_book import Known
from groupmilter.membership.authority import Forbidden
from groupmilter.membership.draft import COLUMN, WORDS, BadFile, Draft, Drafts, Unmapped, unmapped
from groupmilter.membership.exchange import ADDRESS as EXCHANGE_ADDRESS
from groupmilter.membership.service import Groups, NoSuchGroup, Prepared, Result, Stored, Tick
from groupmilter.membership.table import parted, rows
from groupmilter.membership.vocabulary import LISTS, BadWish, Remark, Several, Single, Wish, field_of
from groupmilter.membership.wishes import is_name

Visible = Callable[[Known], bool]
"""Tells whether somebody may learn of an entry."""

_WHOLE = marked("the whole group")
_TWICE = marked("it is in the file twice")
_NO_FIELD = marked("no such field")
_NOBODY = marked("nobody of the directory has this address")
_NOT_CALLED = marked("nobody is called so")
_SEVERAL = marked("{number} are called so: {names}")
_ADDRESS = marked("left alone: it can't have its address")
_DENIED = marked("left alone: a denied sender can't be told")
_ALLOWED = marked("left alone: none of its allowed senders can be told, so everybody would be one")
_RULES = marked("left alone: who may write to it can't be told")
_LOST_LIST = marked("left alone: {name} is not in the file, so more people could write to it")
_NOT_TRIED = marked("not tried: the directory had failed before")
_CANONICAL_NAME = re.compile(r"[\w.-]+/(?:.*/)?(?P<last>[^/]+)")


@dataclass(frozen=True, slots=True)
class Compared:
    """One group of a file beside the directory.

    :param prepared: what importing it does; None where it is left alone.
    """

    draft: Draft
    prepared: Prepared | None
    unmapped: tuple[Unmapped, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What importing it changes."""
        return self.prepared.differences if self.prepared is not None else ()


def own_table(text: str) -> Drafts:
    """Return the groups of a table that `exporting` wrote, or somebody who uses its columns; `BadFile` for none."""
    drafts, foreign, read = [], {}, rows(text)
    for number, row in enumerate(read, 2):
        singles: dict[str, str] = {}
        lists: dict[str, tuple[str, ...]] = {}
        for column, cell in row.items():
            try:
                name, language = field_of(column)
            except BadWish as problem:
                if cell:
                    why = _NO_FIELD if problem.values else problem.sentence
                    foreign[column] = unmapped("", COLUMN, why, name=column)
                continue
            if name in LISTS:
                lists[name] = parted(cell)
            elif name != "address":
                singles[f"{name}.{language}" if language else name] = cell
        address = row.get("address", "").strip()
        if not address and not set(EXCHANGE_ADDRESS).isdisjoint(row):
            raise BadFile(
                marked("it is an export of Exchange: say so by the format {format}"), format="exchange"
            )
        if not address:
            raise BadFile(marked("row {number} has no address"), number=number)
        drafts.append(Draft(address, singles=singles, lists=lists))
    return Drafts(tuple(drafts), tuple(foreign.values()))


def compared(
    groups: Groups,
    drafts: Sequence[Draft],
    *,
    exact: bool,
    under: str = "",
    visible: Visible = lambda _: True,
) -> Iterator[Compared]:
    """Yield each group beside the directory; those that are new may name each other.

    A group that whoever acts may not have so is left alone, and named.

    :param exact: whether what the file doesn't have is taken away. ``under``: DN for new groups; empty: by rule.
    :param visible: whether whoever acts may learn of an entry; one that he may not know of is nobody.
    """
    _look_up(groups, drafts)
    new = {draft.address for draft in drafts if draft.address and groups.find(draft.address) is None}
    expected: set[str] = set()
    for draft in (each for each in drafts if each.address in new):
        with suppress(Forbidden):
            bare, _ = groups.prepare_new(draft.address, [_aliases(draft)], draft.cn, under)
            groups.expect(bare)
            expected.add(bare.group.entry.dn)
    asked = _Asked(groups, exact, under, lambda known: known.dn in expected or visible(known))
    seen: set[str] = set()
    for draft in drafts:
        key = groups.book.key(draft.address)
        if draft.address and key in seen:
            yield Compared(draft, None, (unmapped(draft.address, _WHOLE, _TWICE),))
            continue
        seen.add(key)
        stored = groups.stored(draft.address) if draft.address and draft.address not in new else None
        yield _compared(asked, draft, stored)


@dataclass(frozen=True, slots=True)
class _Asked:
    """How files are compared; see `compared`."""

    groups: Groups
    exact: bool
    under: str
    visible: Visible


def _aliases(draft: Draft) -> Wish:
    return Several("aliases", draft.lists.get("aliases", ()))


def _look_up(groups: Groups, drafts: Iterable[Draft]) -> None:
    """Ask for everybody at once, a hundred at a time."""
    values = {
        v for draft in drafts for each in draft.lists.values() for v in each if "@" in v and "=" not in v
    }
    groups.book.having({*values, *(draft.address for draft in drafts if draft.address)})


def _compared(asked: _Asked, draft: Draft, stored: Stored | None) -> Compared:
    groups, lost = asked.groups, list(draft.unmapped)
    if not draft.address:
        return Compared(draft, None, tuple(lost))
    wishes = list(_wishes(asked, draft, lost))
    try:
        if stored is None:
            prepared, problems = groups.prepare_new(draft.address, wishes, draft.cn, asked.under)
        else:
            prepared, problems = groups.prepare(stored, wishes)
    except Forbidden as error:
        if stored is not None and not asked.visible(_known(stored)):
            # One of which he may not know answers like an address of nobody.
            return _compared(asked, draft, None)
        return Compared(draft, None, (*lost, Unmapped(draft.address, Remark(_WHOLE), reason(error))))
    lost += [
        Unmapped(
            draft.address,
            Remark(WORDS, {"words": f"{each.field} {each.written}".strip()}),
            Remark(each.sentence, each.values),
        )
        for each in problems
    ]
    more = _more_open(draft, prepared, problems, [each.what for each in lost])
    if more is not None:
        lost.append(Unmapped(draft.address, Remark(_WHOLE), more))
    return Compared(draft, None if more is not None else prepared, tuple(lost))


def _known(group: Stored) -> Known:
    return Known(group.entry.dn, group=True, name="", addresses=(group.address,))


def _wishes(asked: _Asked, draft: Draft, lost: list[Unmapped]) -> Iterator[Wish]:
    for name, text in draft.singles.items():
        if text or asked.exact:
            yield Single(name, text)
    for name, values in draft.lists.items():
        known = tuple(_straight(asked, draft, name, value, lost) for value in values)
        had = tuple(value for value in known if value)
        # Where something could not be read, what is missing from the file need not be unwanted.
        yield Several(name, had, exact=asked.exact and len(had) == len(values) and not draft.unmapped)


def _straight(asked: _Asked, draft: Draft, name: str, value: str, lost: list[Unmapped]) -> str:
    """Return who is meant by an address, a DN, or the name that Exchange has for him; empty where nobody knows."""
    words = f"{name} {value}"
    if "@" in value or "=" in value or name in {"member_urls", "external_senders"}:
        if name != "aliases" and _hidden(asked, value):
            lost.append(unmapped(draft.address, WORDS, _NOBODY, words=words))
            return ""
        return value
    canonical = _CANONICAL_NAME.fullmatch(value)
    called = canonical["last"] if canonical else value
    found = [each for each in asked.groups.book.called([called])[called] if asked.visible(each)]
    if len(found) == 1:
        return found[0].dn
    why = _SEVERAL if found else _NOT_CALLED
    names = ", ".join(each.dn for each in found)
    lost.append(unmapped(draft.address, WORDS, why, words=words, number=len(found), names=names))
    return ""


def _hidden(asked: _Asked, value: str) -> bool:
    """Tell whether somebody has an address or a DN, of whom whoever acts may not know."""
    if is_name(value):
        known = [asked.groups.book.named([value])[value]]
    else:
        known = list(asked.groups.book.having([value])[value]) if "@" in value.lstrip("@") else []
    return not all(each is None or asked.visible(each) for each in known)


def _more_open(
    draft: Draft, prepared: Prepared, problems: Sequence[BadWish], lost: Sequence[str]
) -> Remark | None:
    """Return in which way a group would take mail that the file's would not; None where it wouldn't."""
    if any(each.field == "address" for each in problems):
        return Remark(_ADDRESS)
    unknown = {each.field for each in problems} | {what.partition(" ")[0] for what in lost}
    if "denied" in unknown:
        return Remark(_DENIED)
    wanted = draft.lists.get("allowed")
    if wanted and "allowed" in unknown:
        known = any(
            isinstance(each, Values) and each.field in {"allowed", "allowed_addresses"} and each.add
            for each in prepared.changes
        )
        if not known:
            return Remark(_ALLOWED)
    if {"RequireSenderAuthenticationEnabled", "ModerationEnabled"} & unknown:
        return Remark(_RULES)
    return _lost_lists(lost)


def _lost_lists(lost: Sequence[str]) -> Remark | None:
    restricting = ("AcceptMessages", "RejectMessages")
    found = [what for what in lost if what.startswith(restricting)]
    return Remark(_LOST_LIST, {"name": found[0]}) if found else None


@dataclass(frozen=True, slots=True)
class Made:
    """What importing one group came to.

    :param result: None where nothing had to be done, or could be. ``refused``: why not.
    """

    compared: Compared
    result: Result | None = None
    refused: Remark | None = None


Ticking = Callable[[Compared], AbstractContextManager[Tick]]
"""Shows how far a group is, for the length of its import."""


def applied(
    groups: Groups, found: Iterable[Compared], ticking: Ticking = lambda _: nullcontext(lambda _: None)
) -> Iterator[Made]:
    """Make all changes, one group after the other; one that is refused keeps no other waiting.

    Once the directory can't be reached, the rest is left, and says so.
    """
    failed = False
    for one in found:
        made = Made(one, refused=Remark(_NOT_TRIED)) if failed else Made(one)
        if not failed and one.prepared is not None and (one.differences or one.prepared.new):
            try:
                with ticking(one) as tick:
                    made = Made(one, groups.apply(one.prepared, tick))
            except (Forbidden, NoSuchGroup, WriteRefused, DirectoryUnknown) as error:
                made, failed = Made(one, refused=reason(error)), isinstance(error, DirectoryUnknown)
        yield made


def reason(error: Exception) -> Remark:
    """Return why something wasn't done."""
    if isinstance(error, Spoken):
        return Remark(error.sentence, error.values)
    return Remark(WORDS, {"words": str(error)})
