"""One tab of a group as a form: shown as the group is, brought into the directory, shown again where that fails.

Whoever may only look gets the same page without a form. What was typed stays, whatever goes wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from groupmilter.directory.change import Meanwhile
from groupmilter.directory.profile_fields import Scalar
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.language.catalogue import LANGUAGES
from groupmilter.membership.authority import ADMINISTRATORS_ONLY
from groupmilter.membership.vocabulary import scalar, written
from groupmilter.moderation.journal import Filter
from groupmilter.panel.choices import CHOICES, chosen_from, in_words, typed
from groupmilter.panel.form import Form
from groupmilter.panel.labels import LABELS, label
from groupmilter.panel.recognising import reading
from groupmilter.panel.routes import Route, get, post
from groupmilter.panel.saving import Outcome, saved
from groupmilter.panel.sight import Sight, editing, sighted
from groupmilter.panel.visit import Visit
from groupmilter.panel.wishing import CHOICE, SEEN, Fields, wanted

_TIP = "mail_tip"
_LOOKED_AT = 50
"""Rows of the journal that are looked through for who changed a value."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A value that somebody else has changed since the form was made.

    :param seen, mine, theirs: in words: what the form showed, what was typed, what is there now.
    :param who, at: who changed it, and when (seconds since 1970, UTC), as far as the journal knows; else empty, 0.
    """

    field: str
    label: Markup
    seen: Markup
    mine: Markup
    theirs: Markup
    who: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class GroupForm:
    """A tab.

    :param place: what follows the group's path; empty for its first page. ``template``: in ``screens``.
    :param more: what its template wants besides.
    """

    place: str
    template: str
    fields: Fields
    more: Callable[[Visit, Sight], Mapping[str, object]] = lambda _visit, _sight: {}

    @property
    def routes(self) -> tuple[Route, ...]:
        """Where it is, to look and to save."""
        path = "/groups/{group}" + (f"/{self.place}" if self.place else "")
        return get(path, self.show), post(path, self.save)

    def show(self, visit: Visit) -> Response:
        """Show the tab as the group is."""
        return self._page(visit, sighted(visit), Outcome(), 200)

    def save(self, visit: Visit) -> Response:
        """Bring the form into the directory, and come back to the tab."""
        sight = editing(visit)
        fields = self._fields(sight, visit.form)
        outcome = saved(visit, sight, lambda groups: wanted(visit.form, fields, reading(visit, groups)))
        if outcome.said:
            return visit.to(visit.request.url.path, outcome.said)
        if outcome.lost:
            return self._clash(visit, sight, outcome)
        return self._page(visit, sight, outcome, outcome.status)

    def _fields(self, sight: Sight, form: Form) -> Fields:
        """Return the fields that the visitor may change, a mail tip in each language."""
        tips = (f"{_TIP}.{language}" if language else _TIP for language in languages(sight.group, form))
        singles = [*self.fields.singles, *(tips if _TIP in self.fields.singles else ())]
        if sight.administers:
            return Fields(tuple(dict.fromkeys(singles)), self.fields.ticks, self.fields.lists)
        return Fields(
            tuple(dict.fromkeys(name for name in singles if name not in ADMINISTRATORS_ONLY)),
            self.fields.ticks,
            tuple(name for name in self.fields.lists if name not in ADMINISTRATORS_ONLY),
        )

    def _page(self, visit: Visit, sight: Sight, outcome: Outcome, status: int) -> Response:
        fields = self._fields(sight, visit.form)
        group, form = sight.group, visit.form
        singles, ticks = fields.singles, fields.ticks
        now = {name: value_of(group, name) for name in (*singles, *ticks)}
        sent = bool(form.fields)
        content = {
            **sight.content,
            "tip_languages": languages(group, form),
            "seen": {name: form[SEEN + name] if sent else written(value) for name, value in now.items()},
            "values": {
                name: form[name] if sent and name in form else typed(name, now[name]) for name in singles
            },
            "ticked": {name: name in form if sent else bool(now[name]) for name in ticks},
            "adding": {name: "\n".join(form.all(f"{name}.add")) for name in fields.lists},
            "leaving": {name: form.all(f"{name}.remove") for name in fields.lists},
            "now": {
                name: in_words(visit.t, visit.words.language, name, value) for name, value in now.items()
            },
            "choices": {name: chosen_from(visit.t, name) for name in singles if name in CHOICES},
            "labels": {name: label(visit.t, name) for name in (*LABELS, *singles)},
            "settings": visit.parts.settings,
            "policies": [("", visit.t("None")), *((each, each) for each in _policies(visit, group))],
            "wrong": outcome.wrong,
            "down": outcome.down,
            **self.more(visit, sight),
        }
        return visit.page(f"screens/{self.template}", content, status)

    def _clash(self, visit: Visit, sight: Sight, outcome: Outcome) -> Response:
        """Show what was typed beside what somebody else has put there meanwhile; the visitor chooses."""
        lost = {each.field: each for each in outcome.lost}
        left_out = {"csrf", *(SEEN + name for name in lost), *(CHOICE + name for name in lost)}
        kept = [
            (name, value)
            for name, values in visit.form.fields.items()
            if name not in left_out
            for value in values
        ]
        content = {
            **sight.content,
            "clashes": list(_clashes(visit, sight.group, outcome.lost)),
            "kept": [*kept, *((SEEN + name, written(each.found)) for name, each in lost.items())],
        }
        return visit.page("screens/group_clash.html", content, outcome.status)


def languages(group: Group, form: Form) -> list[str]:
    """Return the languages of a group's mail tips: those of the panel, those that it has, and the rest of the world."""
    sent = (name.removeprefix(f"{SEEN}{_TIP}.") for name in form.fields if name.startswith(f"{SEEN}{_TIP}."))
    return [*dict.fromkeys((*LANGUAGES, *filter(None, sorted(group.mail_tip)), *sent)), ""]


def _policies(visit: Visit, group: Group) -> list[str]:
    """Return the policies that may be added, and the one that is."""
    return sorted({*visit.parts.settings.group_policies, *filter(None, (group.policy,))})


def value_of(group: Group, name: str) -> Scalar:
    """Return a single value of a group, in the canonical vocabulary."""
    if name.startswith(_TIP):
        return group.mail_tip.get(name.partition(".")[2], "")
    value: Scalar = getattr(group, name)
    return value


def _clashes(visit: Visit, group: Group, lost: Iterable[Meanwhile]) -> Iterator[Clash]:
    wanted = Filter(uuid=group.uuid, action="group-edit")
    rows = visit.parts.ledger.journal.page(wanted, limit=_LOOKED_AT)
    for each in lost:
        name = each.field
        # A box that isn't ticked is not sent.
        text = visit.form[name] or ("no" if isinstance(each.found, bool) else "")
        mine = text if name == "address" or name.startswith(_TIP) else scalar(name, text)
        seen, typed_, theirs = (
            in_words(visit.t, visit.words.language, name, value) for value in (each.seen, mine, each.found)
        )
        row = next((row for row in rows if name in json.loads(row.after or "{}")), None)
        who, at = (_name(visit, row.actor), row.at) if row is not None else ("", 0)
        yield Clash(name, label(visit.t, name), seen, typed_, theirs, who, at)


def _name(visit: Visit, address: str) -> str:
    """Return what somebody of the journal is called."""
    with visit.parts.lookups.snapshot() as directory:
        found = directory.find(address)
    return found.name or address if isinstance(found, Person) else address
