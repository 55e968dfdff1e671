"""Lists that somebody has to stay in: what must still be there when values go. Pure.

Two who take each other out at once change different values, and neither write knows of the other: each asks for its
change only while one of those is there who are to stay. Raises `Emptied` where nobody would stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from groupmilter.directory.change import Difference, WriteRefused
from groupmilter.directory.entry import Entry
from groupmilter.directory.modification import Plan
from groupmilter.directory.profile import Profile
from groupmilter.directory.spelling import Held, held, key_of
from groupmilter.directory.writer_messages import Alternatives, Modification, Operation
from groupmilter.language.catalogue import marked


class Emptied(WriteRefused):
    """The last value of a list that isn't to be empty would go."""


def staying(profile: Profile, entry: Entry, plan: Plan, keep: Collection[str]) -> tuple[Alternatives, ...]:
    """Return, for each list that loses values and gets none, the values of which one has to be there still.

    :param entry: the group that the plan is for. ``keep``: canonical fields of several values.
    """
    found = []
    for difference in plan.differences:
        if difference.field in keep and difference.before and not difference.after:
            left = list(_left(profile, entry, difference))
            if not left:
                raise emptied(entry.dn, difference.field)
            # What the side store keeps, no server can be asked about.
            found.append(tuple((each.source.attribute, each.raw) for each in left if not each.source.beside))
    return tuple(filter(None, found))


def emptied(dn: str, field: str) -> Emptied:
    """Return the refusal to empty a list of a group."""
    return Emptied(
        marked("somebody has to stay among the {field} of {dn}: add another one first"), field=field, dn=dn
    )


def reversed_in(profile: Profile, plan: Plan, field: str) -> tuple[Modification, ...]:
    """Return what puts back the values that a plan has taken out of a list."""
    places = {source.attribute for source in profile.mapped(field).sources}
    return tuple(
        Modification(Operation.ADD, each.attribute, each.values)
        for each in plan.there.modifications
        if each.operation is Operation.DELETE and each.attribute in places
    )


def _left(profile: Profile, entry: Entry, difference: Difference) -> Iterator[Held]:
    mapped = profile.mapped(difference.field)
    gone = difference.before if isinstance(difference.before, tuple) else ()
    keys = {key_of(mapped, each) for each in gone}
    return (each for each in held(entry, mapped) if each.key not in keys)
