"""A group's members as a file: imported with a look at every difference before anything is written, and exported.

Raises as `membership.service` does. What a file names that isn't clear is left out and shown; nobody is taken out of
the group then, for he may be one of those.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from starlette.responses import Response, StreamingResponse

from groupmilter.directory.catalogue import MemberRow
from groupmilter.directory.change import Difference
from groupmilter.groups.group import Group
from groupmilter.membership.address_book import Known
from groupmilter.membership.draft import BadFile
from groupmilter.membership.pasted import Meant, meant
from groupmilter.membership.roster import lines, named
from groupmilter.membership.service import Groups, Prepared
from groupmilter.membership.table import decoded
from groupmilter.membership.vocabulary import Several
from groupmilter.panel.look import Look, looked
from groupmilter.panel.routes import get, post
from groupmilter.panel.saving import settled, writing
from groupmilter.panel.screens.adding import WHY, Candidate, come, seen_by
from groupmilter.panel.screens.members import around
from groupmilter.panel.screens.removing import candidate
from groupmilter.panel.sight import editing
from groupmilter.panel.visit import Gone, Visit

_SHOWN = 200
_MOST = 200_000
_AT_ONCE = 1_000
_EXACT = "exact"
_FORM, _LOOK = "screens/members_import.html", "screens/members_import_look.html"


@dataclass(frozen=True, slots=True)
class Compared:
    """A file beside the group.

    :param come, go: values that would come into the group and leave it. ``same``: how many are members already.
    :param unclear: what the file names that isn't clear.
    """

    prepared: Prepared
    come: tuple[str, ...]
    go: tuple[str, ...]
    same: int
    unclear: tuple[Meant, ...]
    known: Mapping[str, Known]

    @property
    def mark(self) -> str:
        """What tells these differences from others."""
        whole = "\n".join((*sorted(self.come), "", *sorted(self.go)))
        return hashlib.sha256(whole.encode()).hexdigest()[:32]


def show(visit: Visit) -> Response:
    """Show the form."""
    return visit.page(_FORM, looked(visit, lambda look: _content(visit, look)))


def _content(visit: Visit, look: Look) -> Mapping[str, object]:
    group = look.group(visit.asked("group"))
    if not look.changes(group):
        raise Gone
    return {**around(look, group), "typed": visit.form["text"], "how": visit.form["how"] or "add"}


def bring(visit: Visit) -> Response:
    """Show what a list would change, or change it once that was seen."""
    group = editing(visit).group
    try:
        text = _text(visit)
        wanted = named(text, group.address)
    except BadFile as error:
        return _wrong(visit, visit.t("This list can't be read: {why}", why=error))
    if not wanted or len(wanted) > _MOST:
        nobody, many = visit.t("The list names nobody."), visit.t("At most {n} at a time.", n=_MOST)
        return _wrong(visit, many if wanted else nobody)
    with writing(visit) as groups:
        compared = _compared(visit, groups, group, wanted)
        seen = visit.form["seen"]
        if seen and seen == compared.mark:
            result = groups.apply(compared.prepared)
            if result.differences:
                settled(visit, group)
            return visit.to(_done(group, result.differences))
    shown = {**_shown(visit, compared), "text": text, "meanwhile": bool(seen)}
    return visit.page(_LOOK, {**looked(visit, lambda look: _content(visit, look)), **shown})


def _text(visit: Visit) -> str:
    file = visit.form.files.get("file", b"")
    return decoded(file) if file else visit.form["text"]


def _wrong(visit: Visit, why: str) -> Response:
    content = looked(visit, lambda look: _content(visit, look))
    return visit.page(
        _FORM, {**content, "wrong": {"file" if visit.form.files.get("file") else "text": why}}, 422
    )


def _compared(visit: Visit, groups: Groups, group: Group, wanted: Sequence[str]) -> Compared:
    found = meant(groups.book, groups.rules.own_domains, wanted, visible=seen_by(visit))
    unclear = tuple(each for each in found if not each.settled)
    values = tuple(each.value for each in found if each.settled)
    exact = visit.form["how"] == _EXACT and not unclear
    prepared, problems = groups.prepare(
        groups.at(group.dn, group.uuid), [Several("members", values, exact=exact)]
    )
    if problems:
        raise problems[0]
    arrivals, departures = come(prepared.differences), gone(prepared.differences)
    known = {each.value: each.known[0] for each in found if each.settled and each.known}
    return Compared(prepared, arrivals, departures, len(values) - len(arrivals), unclear, known)


def gone(differences: Iterable[Difference]) -> tuple[str, ...]:
    """Return the values that left lists of members."""
    lists = [each.before for each in differences if each.field in ("members", "member_addresses")]
    return tuple(value for values in lists if isinstance(values, tuple) for value in values)


def _shown(visit: Visit, compared: Compared) -> Mapping[str, object]:
    def called(value: str) -> Candidate:
        known = compared.known.get(value)
        if known is None:
            return Candidate(value, "", value, group=False)
        return Candidate(value, known.name, known.address, known.group)

    leaving = looked(visit, lambda look: [candidate(look, value) for value in compared.go[:_SHOWN]])
    return {
        "come": [called(value) for value in compared.come[:_SHOWN]],
        "coming": len(compared.come),
        "go": leaving,
        "going": len(compared.go),
        "same": compared.same,
        "unclear": [(each.written, WHY[each.outcome]) for each in compared.unclear[:_SHOWN]],
        "unclear_in_all": len(compared.unclear),
        "mark": compared.mark,
        "most": _SHOWN,
    }


def _done(group: Group, differences: tuple[Difference, ...]) -> str:
    return f"/groups/{group.uuid}/members?added={len(come(differences))}&removed={len(gone(differences))}"


def export(visit: Visit) -> Response:
    """Answer with the table of all members."""
    group, rows = looked(visit, lambda look: _rows(visit, look))
    name = "".join(
        c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in group.address or group.name
    )
    headers = {"content-disposition": f'attachment; filename="{name}-members.csv"'}
    return StreamingResponse(
        _chunks(lines(map(_cells, rows))), media_type="text/csv; charset=utf-8", headers=headers
    )


def _rows(visit: Visit, look: Look) -> tuple[Group, tuple[MemberRow, ...]]:
    group = look.group(visit.asked("group"))
    if not look.sees_members(group):
        raise Gone
    changes = look.changes(group)
    every = look.lists.all_members(group.node)
    return group, tuple(
        row for row in every if not row.group or changes or row.node is None or look.lists.may_see(row.node)
    )


def _chunks(table: Iterator[str]) -> Iterator[bytes]:
    """Yield a table in parts worth sending, after the mark by which spreadsheets know UTF-8."""
    mark = "\ufeff"
    while some := "".join(islice(table, _AT_ONCE)):
        yield (mark + some).encode()
        mark = ""


def _cells(row: MemberRow) -> Mapping[str, str]:
    return {"address": row.address or row.written, "name": row.name, "kind": row.kind.value}


_PATH = "/groups/{group}/members/import"
ROUTES = (get(_PATH, show), post(_PATH, bring), get("/groups/{group}/members/export", export))
