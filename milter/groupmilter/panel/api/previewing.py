"""Whom a rule for dynamic members finds, before it is set. See `app` for what the exceptions of the services become."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from groupmilter.directory.administration import covering
from groupmilter.directory.dynamic import UrlError
from groupmilter.language.catalogue import marked
from groupmilter.membership.criteria import Criterion, url
from groupmilter.membership.previewing import preview, why
from groupmilter.membership.roles import Role
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Reading
from groupmilter.panel.api.finding import editing
from groupmilter.panel.api.groups import GroupPath
from groupmilter.panel.api.problem import Code, Refusal, Wrong
from groupmilter.panel.api.shapes import Preview, PreviewQuestion

router = APIRouter(tags=["members"])
_EITHER = marked("Give either a URL or criteria.")


@router.get(
    "/groups/{group}/members/preview",
    operation_id="previewMembers",
    response_model=Preview,
    responses=problems(Code.NOT_FOUND),
)
def look(call: Reading, group: GroupPath, asked: Annotated[PreviewQuestion, Query()]) -> dict[str, object]:
    """Return whom a rule for dynamic members would find: how many, and the first of them. Nothing is changed."""
    if bool(asked.url) is bool(asked.where):
        raise Refusal(Code.INVALID, errors=[Wrong("url", _EITHER)])
    with call.groups() as service:
        found, roles = editing(call, service, group)
        aliases = service.value(found, "aliases")
        addresses = (found.address, *(aliases if isinstance(aliases, tuple) else ()))
        held = covering(call.look(call.roles).administrations, found.entry.dn, addresses)
        try:
            seen = preview(
                service, found.entry.dn, asked.url or _by_criteria(call, asked), held=held, owns=Role.OWNER in roles,
                known_of=call.known_of, shown=asked.limit,
            )  # fmt: skip
        except UrlError as error:
            sentence, values = why(error)
            wrong = Wrong("url" if asked.url else "where", sentence, values)
            raise Refusal(Code.INVALID, errors=[wrong]) from error
    first = [
        {"group": each.group, "name": each.name, "address": each.address, "dn": each.dn}
        for each in seen.first
    ]
    return {"url": seen.url, "count": seen.count, "more": seen.more, "first": first}


def _by_criteria(call: Call, asked: PreviewQuestion) -> str:
    parts = (text.partition("=") for text in asked.where)
    criteria = [Criterion(name.strip(), value.strip()) for name, _, value in parts]
    return url(asked.base or call.parts.branch, criteria, below=asked.below)
