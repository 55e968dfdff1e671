"""External contacts: somebody from outside gets an entry of his own, so that he has a name wherever he stands.

Made for a group that he comes into, by whoever may change that. See `app` for what the exceptions of services become.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from groupmilter.language.catalogue import marked
from groupmilter.membership import contacts
from groupmilter.membership.service import Groups, Stored
from groupmilter.membership.vocabulary import BadWish, Several
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Writing
from groupmilter.panel.api.finding import editing
from groupmilter.panel.api.groups import TAGGED, DryRun, GroupPath, IfMatch, same, written
from groupmilter.panel.api.problem import Code, Refusal
from groupmilter.panel.api.shapes import ContactOutcome, NewContact
from groupmilter.panel.api.wishing import refused

router = APIRouter(tags=["members"])
_NONE_HERE = marked("External contacts can't be made here: the configuration names no place for them.")


@router.post(
    "/groups/{group}/members/contact",
    operation_id="createContact",
    status_code=201,
    response_model=ContactOutcome,
    response_model_exclude_unset=True,
    responses={
        201: {"headers": TAGGED},
        200: {"model": ContactOutcome, "description": "With `dry_run`: what would be made."},
        **problems(Code.NOT_FOUND, Code.REFUSED, Code.CHANGED, body=True),
    },
)
def create(
    call: Writing, group: GroupPath, wanted: NewContact, response: Response, if_match: IfMatch = "",
    dry_run: DryRun = False,
) -> dict[str, object]:  # fmt: skip
    """Make an entry for somebody from outside, and make him a member of the group."""
    with call.groups() as service:
        found, roles = editing(call, service, group)
        asked = wanted.model_dump()
        same(call, service, found, roles, if_match, asked)
        dn = _made(call, service, found, wanted, dry_run=dry_run)
        prepared, wrong = service.prepare(found, [Several("members", (dn,))])
        if wrong:
            raise refused(wrong, call)
        if dry_run:
            response.status_code = 200
        said = written(call, service, prepared, roles, response, asked, dry_run=dry_run)
        return said | {"contact": dn}


def _made(call: Call, service: Groups, group: Stored, wanted: NewContact, *, dry_run: bool) -> str:
    """Return the DN of the contact, which is there now, or would be."""
    if not contacts.makeable(service):
        raise Refusal(Code.REFUSED, _NONE_HERE)
    make = contacts.expected if dry_run else contacts.make
    try:
        return make(service, group, wanted.name, wanted.address)
    except BadWish as problem:
        field = problem.field.removeprefix("contact_")
        wrong = BadWish(field, problem.written, problem.sentence, **problem.values)
        raise refused([wrong], call) from problem
