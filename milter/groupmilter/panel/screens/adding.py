"""Adding members: one or many, by address, name or log-in; what isn't clear is asked before anything is written.

Whoever wants adds those who are clear and keeps the rest to look after. Raises as `membership.service` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from groupmilter.directory.catalogue import Choice, Window
from groupmilter.directory.change import Difference
from groupmilter.directory.dn import normalise
from groupmilter.groups.group import Group
from groupmilter.language.catalogue import marked
from groupmilter.membership import contacts
from groupmilter.membership.address_book import Known
from groupmilter.membership.pasted import Meant, Outcome, parted
from groupmilter.membership.service import Groups
from groupmilter.membership.vocabulary import BadWish, Several
from groupmilter.panel.look import Look, looked
from groupmilter.panel.recognising import recognising
from groupmilter.panel.routes import post
from groupmilter.panel.saving import problem_words, settled, writing
from groupmilter.panel.screens.members import content
from groupmilter.panel.sight import editing
from groupmilter.panel.visit import Visit
from groupmilter.panel.wishing import Reading

_FIELD = "members.add"
_SUGGESTED = Window(limit=5)
_MOST = 20_000

WHY = {
    Outcome.SEVERAL: marked("Several are called so: which one do you mean?"),
    Outcome.NOBODY: marked("Nobody in the directory is called so, or has this address."),
    Outcome.UNREADABLE: marked("This is no mail address."),
}
_GUESSED = marked("Nobody is called exactly so. Do you mean one of these?")
_ITSELF = marked("A group can't be a member of itself.")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be meant."""

    dn: str
    name: str
    address: str
    group: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One of those named who isn't clear.

    :param why: a sentence of the catalogue. ``chosen``: DN of the candidate that was chosen.
    """

    written: str
    why: str
    candidates: tuple[Candidate, ...] = ()
    chosen: str = ""


def add(visit: Visit) -> Response:
    """Add those who were named, or ask who is meant."""
    group = editing(visit).group
    named = parted("\n".join(visit.form.all(_FIELD)))
    if not named or len(named) > _MOST:
        why = (
            visit.t("Write an address or a name.")
            if not named
            else visit.t("At most {n} at a time.", n=_MOST)
        )
        return visit.page("screens/members.html", {**content(visit), "wrong": {"members": why}}, 422)
    with writing(visit) as groups:
        found = Reading(groups, seen_by(visit), recognising(visit)).meant(named, _chosen(visit))
        unclear = [each for each in found if not each.settled or _is_itself(each, group)]
        clear = [each.value for each in found if each not in unclear]
        added: tuple[str, ...] = ()
        if clear and (not unclear or "rest" in visit.form):
            added = into(visit, groups, group, tuple(clear))
    if not unclear:
        return visit.to(f"/groups/{group.uuid}/members?added={len(added)}&were={len(clear) - len(added)}")
    asked = {
        **content(visit),
        "questions": looked(visit, lambda look: [_question(look, visit, each) for each in unclear]),
        "clear": 0 if added or "rest" in visit.form else len(clear),
        "adding": "\n".join(each.written for each in (unclear if "rest" in visit.form else found)),
        "added": len(added),
    }
    return visit.page("screens/members.html", asked, 422)


def into(visit: Visit, groups: Groups, group: Group, values: tuple[str, ...]) -> tuple[str, ...]:
    """Make some the members of a group; return those who weren't."""
    stored = groups.at(group.dn, group.uuid)
    prepared, problems = groups.prepare(stored, [Several("members", values)])
    if problems:
        raise problems[0]
    result = groups.apply(prepared)
    if result.differences:
        settled(visit, group)
    return come(result.differences)


def come(differences: tuple[Difference, ...]) -> tuple[str, ...]:
    """Return the values that came into lists of members."""
    lists = [each.after for each in differences if each.field in ("members", "member_addresses")]
    return tuple(value for values in lists if isinstance(values, tuple) for value in values)


def seen_by(visit: Visit) -> Callable[[Known], bool]:
    """Return what tells whether the visitor may know of an entry: hidden groups are nobody to others."""
    known = known_by(visit)
    return lambda each: bool(known((each,)))


def known_by(visit: Visit) -> Callable[[Sequence[Known]], Sequence[Known]]:
    """Return what leaves of some entries those of which the visitor may know, in one look."""

    def sees(look: Look, dn: str) -> bool:
        found = look.directory.by_dn(dn)
        return isinstance(found, Group) and (look.lists.may_see(found.node) or look.changes(found))

    def known(found: Sequence[Known]) -> Sequence[Known]:
        if not any(each.group for each in found):
            return found
        return looked(visit, lambda look: [each for each in found if not each.group or sees(look, each.dn)])

    return known


def _chosen(visit: Visit) -> Mapping[str, str]:
    """Return what was chosen for names that could mean several: fields ``whom.N``, about ``whom.N.of``."""
    fields = (name for name in visit.form.fields if name.startswith("whom.") and name.endswith(".of"))
    return {visit.form[name]: dn for name in fields if (dn := visit.form[name.removesuffix(".of")])}


def _is_itself(each: Meant, group: Group) -> bool:
    return normalise(each.value) == normalise(group.dn)


def _question(look: Look, visit: Visit, each: Meant) -> Question:
    if each.settled:
        return Question(each.written, _ITSELF)
    known = tuple(Candidate(one.dn, one.name, one.address, one.group) for one in each.known)
    if not known and "@" not in each.written:
        known = tuple(map(_candidate, look.lists.choices(each.written, _SUGGESTED).rows))
    guessed = bool(known) and each.outcome is not Outcome.SEVERAL
    why = _GUESSED if guessed else WHY[each.outcome]
    return Question(each.written, why, known, _chosen(visit).get(each.written, ""))


def _candidate(choice: Choice) -> Candidate:
    return Candidate(choice.dn, choice.name, choice.address, choice.group)


def contact(visit: Visit) -> Response:
    """Make an external contact, and make it a member."""
    group = editing(visit).group
    name, address = visit.form["contact_name"], visit.form["contact_address"]
    with writing(visit) as groups:
        try:
            dn = contacts.make(groups, groups.at(group.dn, group.uuid), name, address)
        except BadWish as problem:
            wrong = {problem.field: problem_words(visit, problem)}
            return visit.page("screens/members.html", {**content(visit), "wrong": wrong}, 422)
        into(visit, groups, group, (dn,))
    return visit.to(f"/groups/{group.uuid}/members?added=1")


ROUTES = (post("/groups/{group}/members", add), post("/groups/{group}/members/contact", contact))
