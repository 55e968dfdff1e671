"""Status, for administrators: how the mirror is, what is wrong in the directory, what waits, whose mail fails.

Who administers a part of the groups sees what concerns that part, and no totals of the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from groupmilter.directory.findings import Finding, Kind
from groupmilter.directory.inventory import Inventory
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.language.spoken import Fact
from groupmilter.moderation.bounce_book import Standing, Suspension
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.transitions import WAITING
from groupmilter.panel.ageing import Drawn, drawn, history
from groupmilter.panel.charts import Chart, Point, columns, share
from groupmilter.panel.daily import DAY, Daily, daily, offset_of
from groupmilter.panel.failing import Administered, Failing, NotHis, administered
from groupmilter.panel.finding_words import KINDS, facts
from groupmilter.panel.holding import visible
from groupmilter.panel.paging import pager
from groupmilter.panel.routes import Admits, get, post
from groupmilter.panel.visit import Gone, Visit

_FAILING_DAYS = 30
_MOST_FAILING = 50


@dataclass(frozen=True, slots=True)
class Mirror:
    """How the mirror is.

    :param age: seconds since it equalled the directory; None where it never did, or can't be read.
    :param share: of the time for which it is trusted, in per cent.
    """

    held: Inventory | None
    age: float | None
    share: float
    usable: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A finding with the group to go to, if there is one."""

    finding: Finding
    group: Group | None
    facts: Mapping[str, Fact]


def show(visit: Visit) -> Response:
    """Show how everything is."""
    mirror = _mirror(visit)
    with visit.parts.lookups.snapshot() as directory:
        roles = visit.parts.roles(visit.me.person, directory)
        found = _findings(mirror, administered(roles, directory))
    suspended, failing = _failing(visit)
    whole = roles.administers_everything
    queue = visit.parts.ledger.overview.queue(visible(visit.parts, visit.me.person, WAITING))
    counts = Counter(one.kind for one in found)
    content: dict[str, object] = {
        "mirror": mirror, "sources": visit.parts.watch.sources, "max_age": visit.parts.watch.max_age,
        "kinds": [(kind, KINDS[kind], counts[kind]) for kind in KINDS if counts[kind]], "found": len(found),
        "queue": queue, "waiting": sum(one.count for one in queue), "suspended": suspended, "failing": failing,
        "whole": whole, "now": visit.parts.now(), "ages": _ages(visit),
    }  # fmt: skip
    if whole:
        content |= {"letters": visit.parts.ledger.overview.letters(), **_charts(visit)}
    return visit.page("screens/status.html", content)


def findings(visit: Visit) -> Response:
    """Show the findings of one kind."""
    try:
        kind = Kind(visit.asked("kind"))
    except ValueError:
        raise Gone from None
    with visit.parts.lookups.snapshot() as directory:
        mine = administered(visit.parts.roles(visit.me.person, directory), directory)
        found = [one for one in _findings(_mirror(visit), mine) if one.kind is kind]
        page = pager(visit.number("page", 1), len(found))
        shown = [_found(one, directory) for one in found[page.first :][: page.size]]
    content = {"kind": KINDS[kind], "found": shown, "pager": page}
    return visit.page("screens/findings.html", content)


def resume(visit: Visit) -> Response:
    """Let an address get group mail again."""
    try:
        done = Failing(visit.parts, visit.me.person).resume(visit.form["address"], visit.me.who)
    except NotHis:
        raise Gone from None
    return visit.to("/status", "address-resumed" if done is not None else "address-not-suspended")


def _mirror(visit: Visit) -> Mirror:
    watch = visit.parts.watch
    try:
        held = watch.inventory()
    except DirectoryUnknown:
        return Mirror(None, None, 100.0, usable=False)
    age = held.age(visit.parts.now())
    usable = age is not None and age <= watch.max_age
    return Mirror(held, age, share(age if age is not None else watch.max_age, watch.max_age), usable)


def _findings(mirror: Mirror, mine: Administered) -> list[Finding]:
    known = mirror.held.findings if mirror.held is not None else ()
    return [one for one in known if mine(one.dn)]


def _found(finding: Finding, directory: Lookup) -> Found:
    group = directory.by_dn(finding.dn) if finding.dn else None
    return Found(finding, group if isinstance(group, Group) else None, facts(finding))


def _failing(visit: Visit) -> tuple[Sequence[Suspension], Sequence[Standing]]:
    """Return whose delivery is suspended, and whose mail failed lately."""
    since = int(visit.parts.now()) - _FAILING_DAYS * DAY
    rows = Failing(visit.parts, visit.me.person).listed(since, limit=_MOST_FAILING)
    suspended = sorted((row.suspension for row in rows if row.suspension), key=lambda one: one.address)
    return suspended, [row.standing for row in rows if row.standing and row.suspension is None]


def _ages(visit: Visit) -> Drawn | None:
    """Return how old the mirror has been."""
    now, watch = int(visit.parts.now()), visit.parts.watch
    offset = offset_of(now, visit.words)
    return drawn(history(watch.ages, watch.max_age, now, offset), watch.max_age, visit.words, offset)


def _charts(visit: Visit) -> dict[str, Chart]:
    """Return decisions and waiting messages of the last thirty days."""
    now = int(visit.parts.now())
    days = daily(visit.parts.ledger.overview, now, offset_of(now, visit.words))
    return {
        "decisions": columns([_decided(visit, each) for each in days]),
        "holds": columns([_waited(visit, each) for each in days], colours=(0, 2)),
    }


def _decided(visit: Visit, each: Daily) -> Point:
    decided = each.decided
    return Point(_named(visit, each), (decided.approved, decided.rejected, decided.expired))


def _waited(visit: Visit, each: Daily) -> Point:
    """Return what was left at a day's end, and how many more there were at its busiest."""
    crowd = each.crowd
    told = tuple(visit.words.number(count) for count in (crowd.waiting, crowd.most))
    return Point(_named(visit, each), (crowd.waiting, crowd.most - crowd.waiting), told)


def _named(visit: Visit, each: Daily) -> str:
    return visit.words.day(each.start + DAY // 2)


ROUTES = (
    get("/status", show, Admits.ADMINISTRATOR),
    get("/status/findings", findings, Admits.ADMINISTRATOR),
    post("/status/resume", resume, Admits.ADMINISTRATOR),
)
