"""Dynamic members: the rules that find them, whom a rule finds before it is set, and who is excluded though one does.

What a rule may ask for stands in `membership.previewing`. Raises as `membership.service` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from groupmilter.directory.catalogue import Choice
from groupmilter.directory.dynamic import UrlError, parse_url
from groupmilter.language.catalogue import marked
from groupmilter.membership.criteria import Criterion, Rule, rule, url
from groupmilter.membership.pasted import parted
from groupmilter.membership.previewing import Preview, preview, why
from groupmilter.membership.roles import Role
from groupmilter.membership.service import Groups
from groupmilter.membership.vocabulary import Several
from groupmilter.panel.look import Look, looked
from groupmilter.panel.recognising import recognising
from groupmilter.panel.routes import get, post
from groupmilter.panel.saving import settled, writing
from groupmilter.panel.screens.adding import known_by, seen_by
from groupmilter.panel.screens.members import around
from groupmilter.panel.visit import Gone, Visit
from groupmilter.panel.wishing import Reading

_CRITERIA = 3
_SHOWN = 20
_FIRST = (
    "departmentNumber",
    "title",
    "l",
    "ou",
    "employeeType",
    "physicalDeliveryOfficeName",
    "o",
    "businessCategory",
)

NAMES = {
    "departmentnumber": marked("Department"),
    "employeetype": marked("Kind of employment"),
    "title": marked("Job title"),
    "ou": marked("Organisational unit"),
    "o": marked("Organisation"),
    "l": marked("Town"),
    "st": marked("State or region"),
    "c": marked("Country"),
    "businesscategory": marked("Line of business"),
    "physicaldeliveryofficename": marked("Office"),
    "preferredlanguage": marked("Language"),
    "employeenumber": marked("Staff number"),
    "sn": marked("Surname"),
    "givenname": marked("First name"),
    "cn": marked("Full name"),
    "displayname": marked("Displayed name"),
    "mail": marked("Mail address"),
    "uid": marked("Log-in name"),
    "objectclass": marked("Object class"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule as the page shows it.

    :param rule: by criteria, None where they can't say it.
    """

    url: str
    rule: Rule | None


def show(visit: Visit) -> Response:
    """Show the rules, and whom the one that is typed would find."""
    wrong: dict[str, Markup] = {}
    found = None
    content = looked(visit, lambda look: _content(visit, look))
    if visit.asked("preview"):
        try:
            found = _preview(visit, _wanted(visit))
        except UrlError as error:
            wrong["value1" if visit.asked("preview") == "criteria" else "url"] = _why(visit, error)
    return visit.page(
        "screens/dynamic.html", {**content, "preview": found, "wrong": wrong}, 422 if wrong else 200
    )


def _content(visit: Visit, look: Look) -> Mapping[str, object]:
    group = look.group(visit.asked("group"))
    if not look.changes(group):
        raise Gone
    urls, excluded = look.lists.rules(group.node)
    return {
        **around(look, group),
        "rules": [Shown(each, rule(each)) for each in urls],
        "excluded": [Row(each) for each in excluded],
        "attributes": _attributes(visit),
        "names": NAMES,
        "criteria": [(visit.asked(f"attribute{n}"), visit.asked(f"value{n}")) for n in _numbers()],
        "typed_url": visit.asked("url"),
        "typed_base": visit.asked("base") or visit.parts.branch,
        "branch": visit.parts.branch,
        "narrow": visit.asked("scope") == "one",
        "administers": Role.ADMINISTRATOR in look.roles.to(group),
    }


@dataclass(frozen=True, slots=True)
class Row:
    """Somebody in a list that `forms.html` shows."""

    choice: Choice

    @property
    def key(self) -> str:
        """What the form sends."""
        return self.choice.dn

    @property
    def name(self) -> str:
        """See `Choice`."""
        return self.choice.name

    @property
    def address(self) -> str:
        """See `Choice`."""
        return self.choice.address

    @property
    def group(self) -> bool:
        """See `Choice`."""
        return self.choice.group


def _numbers() -> Sequence[int]:
    return range(1, _CRITERIA + 1)


def _attributes(visit: Visit) -> list[str]:
    """Return what criteria may ask for, what people know first."""
    known = visit.parts.attributes
    first = [name for name in _FIRST if name.lower() in known]
    rest = sorted(known - {name.lower() for name in first} - {"objectclass"})
    return [*first, *rest]


def _wanted(visit: Visit) -> str:
    """Return the URL that is typed, as criteria or as it is."""
    if visit.asked("preview") != "criteria":
        parse_url(visit.asked("url"))
        return visit.asked("url")
    typed = [(visit.asked(f"attribute{n}"), visit.asked(f"value{n}")) for n in _numbers()]
    criteria = [Criterion(name, value) for name, value in typed if name and value]
    return url(visit.asked("base") or visit.parts.branch, criteria, below=visit.asked("scope") != "one")


def _preview(visit: Visit, written: str) -> Preview:
    group, roles = looked(visit, lambda look: (look.group(visit.asked("group")), look.roles))
    with writing(visit) as groups:
        return preview(
            groups, group.dn, written, held=roles.holding(group), owns=Role.OWNER in roles.to(group),
            known_of=known_by(visit), shown=_SHOWN,
        )  # fmt: skip


def _why(visit: Visit, error: UrlError) -> Markup:
    """Return why a rule can't be used; what the parser says is for those who write URLs."""
    sentence, values = why(error)
    return visit.t(sentence, **values)


def change(visit: Visit) -> Response:
    """Set rules and take them away, exclude persons and let them in again."""
    group = looked(visit, lambda look: look.group(visit.asked("group")))
    with writing(visit) as groups:
        excluded, unclear = _named(visit, groups)
        if unclear:
            return _again(
                visit, {"excluded": visit.t("Nobody is clearly meant by this: {names}", names=unclear)}
            )
        wishes = [
            Several("member_urls", visit.form.lines("url.add"), visit.form.lines("url.remove")),
            Several("excluded", excluded, visit.form.all("excluded.remove")),
        ]
        wanted = [wish for wish in wishes if wish.add or wish.remove]
        if not wanted:
            return visit.to(visit.request.url.path, "nothing")
        prepared, problems = groups.prepare(groups.at(group.dn, group.uuid), wanted)
        if problems:
            words = visit.t(problems[0].sentence, **problems[0].values)
            return _again(visit, {"url" if problems[0].field == "member_urls" else "excluded": words})
        result = groups.apply(prepared)
    if result.differences:
        settled(visit, group)
    return visit.to(visit.request.url.path, "saved" if result.differences else "nothing")


def _named(visit: Visit, groups: Groups) -> tuple[tuple[str, ...], str]:
    """Return whom the form excludes, and those named who aren't clear."""
    named = parted(visit.form["excluded.add"])
    found = Reading(groups, seen_by(visit), recognising(visit)).meant(named)
    unclear = [each.written for each in found if not each.known or not each.settled]
    return tuple(each.value for each in found if each.settled), ", ".join(unclear)


def _again(visit: Visit, wrong: Mapping[str, Markup]) -> Response:
    content = looked(visit, lambda look: _content(visit, look))
    return visit.page("screens/dynamic.html", {**content, "preview": None, "wrong": wrong}, 422)


_PATH = "/groups/{group}/members/dynamic"
ROUTES = (get(_PATH, show), post(_PATH, change))
