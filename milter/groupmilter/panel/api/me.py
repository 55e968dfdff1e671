"""Whom a token stands for."""

from __future__ import annotations

from fastapi import APIRouter

from groupmilter.panel.api.access import Scope
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Reading
from groupmilter.panel.api.moments import moment
from groupmilter.panel.api.shapes import Me

router = APIRouter(tags=["me"])


@router.get("/me", operation_id="getMe", response_model=Me, responses=problems())
def get(call: Reading) -> dict[str, object]:
    """Return who you are, what you may do, and what this token is good for."""
    person, holder = call.person, call.holder
    roles = call.look(call.roles)
    return {
        "id": person.uuid,
        "name": person.name,
        "address": person.address,
        "language": person.language,
        "administers": roles.administers,
        "administers_everything": roles.administers_everything,
        "may_create": roles.may_create,
        "token": holder.name,
        "scopes": [scope.value for scope in Scope if scope in holder.scopes],
        "expires": moment(holder.until),
    }
