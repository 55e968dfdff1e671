"""Nouveau: a group is made, as people know it from Exchange: name, address, owners, members, joining, leaving."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from groupmilter.directory.dn import rdn_value
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.mail.address import strict
from groupmilter.membership.authority import Forbidden, Reason
from groupmilter.membership.roles import Lookup
from groupmilter.membership.service import Groups, Prepared
from groupmilter.membership.vocabulary import Several, Single
from groupmilter.panel.choices import chosen_from
from groupmilter.panel.form import Form
from groupmilter.panel.labels import label
from groupmilter.panel.look import looked
from groupmilter.panel.recognising import reading
from groupmilter.panel.routes import get, post
from groupmilter.panel.saving import Outcome, caught_up, wrong
from groupmilter.panel.visit import Visit
from groupmilter.panel.wishing import Wanted, several

_POLICIES = {"join_policy": "closed", "leave_policy": "open"}
"""What a new group has if nobody says otherwise, as in Exchange."""

_TEXTS = ("name", "description", *_POLICIES)
_LISTS = ("owners", "members")


def show(visit: Visit) -> Response:
    """Show the empty form; whoever makes a group owns it, unless he says otherwise."""
    _require(visit)
    me = visit.me.person
    given = Form({"owners.add": (me.address or me.dn,), "owners_too": ("yes",), **_default_policies()})
    return _page(visit, given, Outcome(), 200)


def make(visit: Visit) -> Response:
    """Make the group, and go to its page."""
    _require(visit)
    try:
        with visit.parts.changing(visit.me.person, visit.me.who) as groups:
            prepared, outcome = _prepared(visit, groups)
            if outcome.wrong:
                return _page(visit, visit.form, outcome, outcome.status)
            groups.apply(prepared)
    except DirectoryUnknown:
        return _page(visit, visit.form, Outcome(down=True), 503)
    found: list[str] = []

    def there(directory: Lookup) -> bool:
        group = directory.by_dn(prepared.group.entry.dn)
        found.extend([group.uuid] if isinstance(group, Group) else [])
        return bool(found)

    if caught_up(visit, there):
        return visit.to(f"/groups/{found[0]}", "made")
    return visit.to("/groups", "made-soon")


def _require(visit: Visit) -> None:
    roles = looked(visit, lambda look: look.roles)
    if not roles.may_create:
        raise Forbidden(Reason.MAY_NOT_CREATE)


def _prepared(visit: Visit, groups: Groups) -> tuple[Prepared, Outcome]:
    form, found = visit.form, Wanted()
    found.wishes += [Single(name, form[name]) for name in _TEXTS if form[name]]
    for name in _LISTS:
        several(found, reading(visit, groups), name, form.all(f"{name}.add"))
    if "owners_too" in form:
        owners = [each.add for each in found.wishes if isinstance(each, Several) and each.field == "owners"]
        found.wishes += [Several("members", add) for add in owners]
    address = _address(form)
    prepared, problems = groups.prepare_new(address, found.wishes, _entry_name(groups, address))
    said = wrong(visit, (*found.problems, *problems))
    if not form["address"].strip():
        said = {**said, "address": visit.t("A group needs an address.")}
    return prepared, Outcome(said)


def _address(form: Form) -> str:
    written = form["address"]
    return written if "@" in written or not form["domain"] else f"{written}@{form['domain']}"


def _entry_name(groups: Groups, address: str) -> str:
    """Return a name for the entry where the one taken from the address is another entry's already."""
    local = address.strip().rpartition("@")[0]
    taken = (
        strict(address.strip()) is not None
        and groups.book.entry(f"cn={rdn_value(local)},{groups.rules.parent}") is not None
    )
    return address.strip() if taken else ""


def _default_policies() -> Mapping[str, tuple[str, ...]]:
    return {name: (value,) for name, value in _POLICIES.items()}


def _page(visit: Visit, form: Form, outcome: Outcome, status: int) -> Response:
    names = ("name", "address", "description", *_LISTS, *_POLICIES)
    content = {
        "given": form,
        "domains": _domains(visit),
        "choices": {name: chosen_from(visit.t, name) for name in _POLICIES},
        "labels": {name: label(visit.t, name) for name in names},
        "wrong": outcome.wrong,
        "down": outcome.down,
    }
    return visit.page("screens/group_new.html", content, status)


def _domains(visit: Visit) -> list[str]:
    """Return the domains that an address may be in; the visitor's own first."""
    own = visit.me.person.address.rpartition("@")[2]
    domains = sorted(visit.parts.settings.own_domains)
    return sorted(domains, key=lambda domain: domain != own)


ROUTES = (get("/groups/new", show), post("/groups/new", make))
