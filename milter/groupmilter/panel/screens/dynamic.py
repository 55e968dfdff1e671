"""Dynamic members: the rules that find them, whom a rule finds before it is set, and who is excluded though one does.

A rule by criteria may ask for what the mirror keeps of everybody; what asks for more is for administrators, since whom
it finds tells what stands in an entry. Raises as `membership.service` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from groupmilter.directory.catalogue import Choice
from groupmilter.directory.dynamic import MemberUrl, UrlError, parse_url
from groupmilter.directory.filter import needs_server
from groupmilter.groups.group import Group
from groupmilter.language.catalogue import marked
from groupmilter.membership.address_book import Known
from groupmilter.membership.criteria import Criterion, Rule, rule, url
from groupmilter.membership.pasted import meant, parted
from groupmilter.membership.roles import Role
from groupmilter.membership.service import Groups
from groupmilter.membership.vocabulary import Several
from groupmilter.panel.look import Look, looked
from groupmilter.panel.routes import get, post
from groupmilter.panel.saving import settled, writing
from groupmilter.panel.screens.adding import seen_by
from groupmilter.panel.screens.members import around
from groupmilter.panel.visit import Gone, Visit

_CRITERIA = 3
_COUNTED = 5_000
"""A preview counts so far."""
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
_RESTRICTED = marked(
    "This rule asks for what only administrators may ask for. Choose from the list of attributes."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule as the page shows it.

    :param rule: by criteria, None where they can't say it.
    """

    url: str
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class Preview:
    """Whom a rule would find.

    :param more: it finds more than are counted.
    """

    url: str
    rule: Rule | None
    count: int
    first: tuple[Known, ...]
    more: bool


def show(visit: Visit) -> Response:
    """Show the rules, and whom the one that is typed would find."""
    wrong: dict[str, Markup] = {}
    preview = None
    content = looked(visit, lambda look: _content(visit, look))
    if visit.asked("preview"):
        try:
            preview = _preview(visit, _wanted(visit))
        except UrlError as error:
            wrong["value1" if visit.asked("preview") == "criteria" else "url"] = _why(visit, error)
    return visit.page(
        "screens/dynamic.html", {**content, "preview": preview, "wrong": wrong}, 422 if wrong else 200
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
    group, administers = looked(visit, lambda look: _standing(visit, look))
    parsed = parse_url(written)
    _require_open(visit, parsed, administers=administers)
    seen = seen_by(visit)
    with writing(visit) as groups:
        groups.wishes.rule(written)
        found = groups.book.matching(parsed, _COUNTED + 1)
    shown = [each for each in found[: 3 * _SHOWN] if each.dn != group.dn and seen(each)]
    return Preview(
        written, rule(written), min(len(found), _COUNTED), tuple(shown[:_SHOWN]), len(found) > _COUNTED
    )


def _standing(visit: Visit, look: Look) -> tuple[Group, bool]:
    group = look.group(visit.asked("group"))
    return group, Role.ADMINISTRATOR in look.roles.to(group)


def _require_open(visit: Visit, parsed: MemberUrl, *, administers: bool) -> None:
    if not administers and needs_server(parsed.filter, visit.parts.attributes):
        raise UrlError(_RESTRICTED)


def _why(visit: Visit, error: UrlError) -> Markup:
    """Return why a rule can't be used; what the parser says is for those who write URLs."""
    if error.sentence == _RESTRICTED:
        return visit.t(error.sentence)
    return visit.t("This rule can't be used: {why}", why=error)


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
    found = meant(groups.book, groups.rules.own_domains, named, visible=seen_by(visit))
    unclear = [each.written for each in found if not each.known or not each.settled]
    return tuple(each.value for each in found if each.settled), ", ".join(unclear)


def _again(visit: Visit, wrong: Mapping[str, Markup]) -> Response:
    content = looked(visit, lambda look: _content(visit, look))
    return visit.page("screens/dynamic.html", {**content, "preview": None, "wrong": wrong}, 422)


_PATH = "/groups/{group}/members/dynamic"
ROUTES = (get(_PATH, show), post(_PATH, change))
