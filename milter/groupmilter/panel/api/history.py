"""How things were, for administrators: the mirror's age, decisions and waiting messages over time. Times are of UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from fastapi import APIRouter

from groupmilter.directory.age_history import Stretch
from groupmilter.panel.ageing import history
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Reading
from groupmilter.panel.api.desk_shapes import Days, MirrorHistory
from groupmilter.panel.api.moments import moment
from groupmilter.panel.daily import Daily, daily

router = APIRouter(tags=["status"])


@router.get(
    "/status/mirror", operation_id="getMirrorHistory", response_model=MirrorHistory, responses=problems()
)
def mirror(call: Reading) -> dict[str, object]:
    """Return how old the mirror has been: in the last 24 hours, and in the last thirty days."""
    call.require_administrator()
    watch = call.parts.watch
    found = history(watch.ages, watch.max_age, int(call.parts.now()), 0)
    return {
        "max_age": int(watch.max_age),
        "day": list(map(_stretch, found.day)),
        "month": list(map(_stretch, found.weeks)),
    }


@router.get("/status/days", operation_id="getDays", response_model=Days, responses=problems())
def days(call: Reading) -> dict[str, object]:
    """Return what was decided and what waited on each of the last thirty days, if you administer all groups."""
    call.require_administrator(whole=True)
    return {"items": list(map(_day, daily(call.parts.ledger.overview, int(call.parts.now()), 0)))}


def _stretch(each: Stretch) -> dict[str, object]:
    known = each.highest is not None and math.isfinite(each.highest)
    return {
        "from": moment(each.start),
        "seconds": each.seconds,
        "recorded": each.recorded,
        "too_old": each.too_old,
        "highest": each.highest if known else None,
    }


def _day(each: Daily) -> dict[str, object]:
    return {
        "date": f"{datetime.fromtimestamp(each.start, UTC):%Y-%m-%d}",
        "approved": each.decided.approved,
        "rejected": each.decided.rejected,
        "expired": each.decided.expired,
        "waiting": each.crowd.waiting,
        "most_waiting": each.crowd.most,
    }
