"""An accepted request brought into the directory: one value that comes or goes, whatever else is in the list.

Raises `WriteRefused` where it won't be, with the reason, and `DirectoryUnknown` where it can't be now.
"""

from __future__ import annotations

from groupmilter.directory.change import WriteRefused
from groupmilter.enrolment.place import NO_LONGER, NOT_BY_ITSELF, Registers, group_of, person_of
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import OTHERS
from groupmilter.membership.authority import Forbidden
from groupmilter.membership.service import BadWishes, Groups, NoSuchGroup
from groupmilter.membership.vocabulary import Several
from groupmilter.moderation.request import Request, Wanted


def carry(groups: Groups, registers: Registers, request: Request, *, own: bool = False) -> None:
    """Put somebody into a group, or take him out of it; what is so already stays so.

    :param own: whether it was nobody's to decide but his who asked.
    """
    with registers.snapshot() as directory:
        group, person = group_of(request, directory), person_of(request, directory)
    if group is None:
        raise WriteRefused(marked("the group is gone"))
    if request.person_uuid and person is None and request.kind is Wanted.JOIN:
        raise WriteRefused(marked("the person is gone"))
    named = (person.dn,) if person is not None else ()
    if request.kind is Wanted.JOIN:
        wish = Several("members", add=named or (request.address,))
    else:
        known = person.addresses if person is not None else ()
        wish = Several("members", remove=(*named, *dict.fromkeys((request.address, *known))))
    try:
        prepared, problems = groups.prepare(groups.stored(group.address), [wish])
        if problems:
            raise BadWishes(problems)
        groups.apply(prepared)
    except Forbidden as error:
        raise WriteRefused(NOT_BY_ITSELF if own else NO_LONGER) from error
    except (NoSuchGroup, BadWishes) as error:
        raise WriteRefused(OTHERS, words=str(error)) from error
