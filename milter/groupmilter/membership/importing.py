"""Files of groups into the directory: each group compared with what is there, the differences first, then made.

A file adds; it takes away only where that is asked for, and only from the fields that it speaks of. A group whose rules
would come out more open than the file has them (a denied sender nobody knows, an allowed list nobody of which is known)
is left alone and named. Raises as `service` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from groupmilter.directory.change import Difference, Values
from groupmilter.language.catalogue import marked
from groupmilter.membership.draft import BadFile, Draft, Drafts, Unmapped
from groupmilter.membership.service import Groups, Prepared, Stored
from groupmilter.membership.table import parted, rows
from groupmilter.membership.vocabulary import LISTS, BadWish, Several, Single, Wish, field_of

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
                    foreign[column] = Unmapped("", f"column {column}", problem.wanted.partition(";")[0])
                continue
            if name in LISTS:
                lists[name] = parted(cell)
            elif name != "address":
                singles[f"{name}.{language}" if language else name] = cell
        address = row.get("address", "").strip()
        if not address:
            raise BadFile(marked("row {number} has no address"), number=number)
        drafts.append(Draft(address, singles=singles, lists=lists))
    return Drafts(tuple(drafts), tuple(foreign.values()))


def compared(groups: Groups, drafts: Sequence[Draft], *, exact: bool, under: str = "") -> Iterator[Compared]:
    """Yield each group beside the directory; those that are new may name each other.

    :param exact: whether what the file doesn't have is taken away. ``under``: DN for new groups; empty: by rule.
    """
    _look_up(groups, drafts)
    new = {draft.address for draft in drafts if draft.address and groups.find(draft.address) is None}
    for draft in (each for each in drafts if each.address in new):
        bare, _ = groups.prepare_new(draft.address, [_aliases(draft)], draft.cn, under)
        groups.expect(bare)
    seen: set[str] = set()
    for draft in drafts:
        key = groups.book.key(draft.address)
        if draft.address and key in seen:
            yield Compared(
                draft, None, (Unmapped(draft.address, "the whole group", "it is in the file twice"),)
            )
            continue
        seen.add(key)
        stored = groups.stored(draft.address) if draft.address and draft.address not in new else None
        yield _compared(groups, draft, stored, exact=exact, under=under)


def _aliases(draft: Draft) -> Wish:
    return Several("aliases", draft.lists.get("aliases", ()))


def _look_up(groups: Groups, drafts: Iterable[Draft]) -> None:
    """Ask for everybody at once, a hundred at a time."""
    values = {
        v for draft in drafts for each in draft.lists.values() for v in each if "@" in v and "=" not in v
    }
    groups.book.having({*values, *(draft.address for draft in drafts if draft.address)})


def _compared(groups: Groups, draft: Draft, stored: Stored | None, *, exact: bool, under: str) -> Compared:
    lost = list(draft.unmapped)
    if not draft.address:
        return Compared(draft, None, tuple(lost))
    wishes = list(_wishes(groups, draft, lost, exact=exact))
    if stored is None:
        prepared, problems = groups.prepare_new(draft.address, wishes, draft.cn, under)
    else:
        prepared, problems = groups.prepare(stored, wishes)
    lost += [
        Unmapped(draft.address, f"{each.field} {each.written}".strip(), each.wanted) for each in problems
    ]
    more = _more_open(draft, prepared, problems, [each.what for each in lost])
    if more:
        lost.append(Unmapped(draft.address, "the whole group", f"left alone: {more}"))
    return Compared(draft, None if more else prepared, tuple(lost))


def _wishes(groups: Groups, draft: Draft, lost: list[Unmapped], *, exact: bool) -> Iterator[Wish]:
    for name, text in draft.singles.items():
        if text or exact:
            yield Single(name, text)
    for name, values in draft.lists.items():
        known = tuple(_straight(groups, draft, name, value, lost) for value in values)
        had = tuple(value for value in known if value)
        # Where something could not be read, what is missing from the file need not be unwanted.
        yield Several(name, had, exact=exact and len(had) == len(values) and not draft.unmapped)


def _straight(groups: Groups, draft: Draft, name: str, value: str, lost: list[Unmapped]) -> str:
    """Return who is meant by an address, a DN, or the name that Exchange has for him; empty where nobody knows."""
    if "@" in value or "=" in value or name in {"member_urls", "external_senders"}:
        return value
    canonical = _CANONICAL_NAME.fullmatch(value)
    called = canonical["last"] if canonical else value
    found = groups.book.called([called])[called]
    if len(found) == 1:
        return found[0].dn
    why = (
        f"{len(found)} are called so: {', '.join(each.dn for each in found)}"
        if found
        else "nobody is called so"
    )
    lost.append(Unmapped(draft.address, f"{name} {value}", why))
    return ""


def _more_open(draft: Draft, prepared: Prepared, problems: Sequence[BadWish], lost: Sequence[str]) -> str:
    """Return in which way a group would take mail that the file's would not; empty where it wouldn't."""
    if any(each.field == "address" for each in problems):
        return "it can't have its address"
    unknown = {each.field for each in problems} | {what.partition(" ")[0] for what in lost}
    if "denied" in unknown:
        return "a denied sender can't be told"
    wanted = draft.lists.get("allowed")
    if wanted and "allowed" in unknown:
        known = any(
            isinstance(each, Values) and each.field in {"allowed", "allowed_addresses"} and each.add
            for each in prepared.changes
        )
        if not known:
            return "none of its allowed senders can be told, so everybody would be one"
    if {"RequireSenderAuthenticationEnabled", "ModerationEnabled"} & unknown:
        return "who may write to it can't be told"
    return _lost_lists(lost)


def _lost_lists(lost: Sequence[str]) -> str:
    restricting = ("AcceptMessages", "RejectMessages")
    found = [what for what in lost if what.startswith(restricting)]
    return f"{found[0]} is not in the file, so more people could write to it" if found else ""
