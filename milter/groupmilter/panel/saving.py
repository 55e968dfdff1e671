"""A form brought into the directory: what came of it, and the mirror waited for, so that the next page shows it.

Raises `Gone` where the group is no longer there, `Forbidden` and `WriteRefused` as the service does; a directory that
can't be asked is an outcome, since the page keeps what was typed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from markupsafe import Markup

from groupmilter.directory.change import Meanwhile, WriteRefused
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.language.spoken import OTHERS
from groupmilter.mail.shown import spelt_out
from groupmilter.membership.address_book import Known
from groupmilter.membership.service import Groups, NoSuchGroup
from groupmilter.membership.vocabulary import BadWish
from groupmilter.moderation.circle import Lookup
from groupmilter.panel.labels import LABELS
from groupmilter.panel.sight import Sight, knows
from groupmilter.panel.visit import Gone, Visit
from groupmilter.panel.wishing import Wanted

_PAUSE = 0.03


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a form.

    :param wrong: what can't be had, in the visitor's words, by field. ``lost``: what somebody else changed meanwhile.
    :param down: whether the directory couldn't be asked, or didn't answer.
    :param said: key of `said.SAID`, once it is done.
    """

    wrong: Mapping[str, Markup] = field(default_factory=dict)
    lost: tuple[Meanwhile, ...] = ()
    down: bool = False
    said: str = ""

    @property
    def status(self) -> int:
        """Of the answer that shows the form again."""
        return 503 if self.down else 409 if self.lost else 422


@contextmanager
def writing(visit: Visit) -> Iterator[Groups]:
    """Give what changes groups on the visitor's behalf, for pages that show what comes of it by themselves.

    :raises Gone: for a group that is no longer there. Anything that can't be had after all is `WriteRefused`.
    """
    try:
        with visit.parts.changing(visit.me.person, visit.me.who) as groups:
            yield groups
    except NoSuchGroup:
        raise Gone from None
    except BadWish as problem:
        raise WriteRefused(OTHERS, words=problem_words(visit, problem).striptags()) from problem


def saved(visit: Visit, sight: Sight, wanted: Callable[[Groups], Wanted]) -> Outcome:
    """Bring what is wanted into the directory."""
    group = sight.group
    try:
        with visit.parts.changing(visit.me.person, visit.me.who) as groups:
            stored = groups.at(group.dn, group.uuid)
            found = wanted(groups)
            prepared, problems = groups.prepare(stored, found.wishes)
            if found.problems or problems:
                return Outcome(wrong(visit, (*found.problems, *problems)))
            if prepared.meanwhile:
                return Outcome(lost=prepared.meanwhile)
            result = groups.apply(prepared)
    except NoSuchGroup:
        raise Gone from None
    except DirectoryUnknown:
        return Outcome(down=True)
    if result.meanwhile is not None:
        return Outcome(lost=(result.meanwhile,))
    if not result.differences:
        return Outcome(said="nothing")
    return Outcome(said="saved" if settled(visit, group) else "soon")


def settled(visit: Visit, group: Group) -> bool:
    """Wait a moment until the mirror has a change of a group that was just made; tell whether it has.

    :param group: as the mirror had it before.
    """
    return caught_up(visit, lambda directory: _newer(directory, group))


def caught_up(visit: Visit, has_it: Callable[[Lookup], bool]) -> bool:
    """Wait a moment until the mirror has what was written; tell whether it has."""
    end = time.monotonic() + visit.parts.patience
    while True:
        try:
            with visit.parts.lookups.snapshot() as directory:
                if has_it(directory):
                    return True
        except DirectoryUnknown:
            # The mirror is about to change, or can't be read: the next page will say so.
            pass
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)


def _newer(directory: Lookup, group: Group) -> bool:
    found = directory.group(group.node)
    return found is None or found.version > group.version


def wrong(visit: Visit, problems: Iterable[BadWish]) -> Mapping[str, Markup]:
    """Return what can't be had, in the visitor's words, by field, in the order in which people read fields."""
    found: dict[str, Markup] = {}
    for each in problems:
        words = problem_words(visit, each)
        found[each.field] = found[each.field] + " " + words if each.field in found else words
    return {name: found[name] for name in (*(name for name in LABELS if name in found), *found)}


def problem_words(visit: Visit, problem: BadWish) -> Markup:
    """Return one thing that can't be had as a sentence that names what was written."""
    if any(isinstance(each, Known) and not knows(visit, each) for each in problem.values.values()):
        words = visit.t("this address is taken")
    else:
        words = visit.t(problem.sentence, **{name: _shown(each) for name, each in problem.values.items()})
    if problem.written:
        said = Markup("<bdi>{}</bdi>").format(problem.written[:100])
        words = visit.t("“{written}”: {why}", written=said, why=words)
    words = words[:1].upper() + words[1:]
    return words if words.endswith((".", "!", "?")) else words + "."


def _shown(value: object) -> object:
    if not isinstance(value, Known):
        return spelt_out(value) if isinstance(value, str) else value
    name = value.name or value.address
    return Markup("<bdi>{}</bdi>").format(
        spelt_out(name if name == value.address else f"{name} <{value.address}>")
    )
