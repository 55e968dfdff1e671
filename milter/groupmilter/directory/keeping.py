"""Lists that somebody has to stay in: what must still be there when values go. Pure.

Two who take each other out at once change different values, and neither write knows of the other: each asks for its
change only while one of those is there who are to stay, of the directory or, for a list that is kept beside it, of the
side store. Raises `Emptied` where nobody would stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from groupmilter.directory.change import Difference, WriteRefused
from groupmilter.directory.entry import Entry
from groupmilter.directory.modification import Plan
from groupmilter.directory.profile import Profile
from groupmilter.directory.side_store import SideChange, is_beside, label_of
from groupmilter.directory.spelling import Held, held, key_of
from groupmilter.directory.writer_messages import Alternatives, Modification, Operation
from groupmilter.language.catalogue import marked


class Emptied(WriteRefused):
    """The last value of a list that isn't to be empty would go.

    :param written: what of the same step is in the directory nevertheless: only the side store's part was too late.
    """

    written: tuple[Difference, ...] = ()


def staying(
    profile: Profile,
    entry: Entry,
    plan: Plan,
    keep: Collection[str],
    written: tuple[Difference, ...] = (),
) -> tuple[Alternatives, ...]:
    """Return, for each list that loses values and gets none, the values of which one has to be there still.

    :param entry: the group that the plan is for. ``keep``: canonical fields of several values.
    :param written: what of the same step is in the directory already.
    """
    found = []
    for difference in plan.differences:
        if difference.field in keep and difference.before and not difference.after:
            left = list(_left(profile, entry, difference))
            if not left:
                raise emptied(entry.dn, difference.field, written)
            found.append(tuple((each.source.attribute, each.raw) for each in left))
    return tuple(found)


def in_directory(stay: Sequence[Alternatives]) -> tuple[Alternatives, ...]:
    """Return of what has to stay the part that a server can be asked about."""
    there = (tuple(each for each in values if not is_beside(each[0])) for values in stay)
    return tuple(filter(None, there))


def emptied(dn: str, field: str, written: tuple[Difference, ...] = ()) -> Emptied:
    """Return the refusal to empty a list of a group; ``written``: see `Emptied`."""
    refused = Emptied(
        marked("somebody has to stay among the {field} of {dn}: add another one first"), field=field, dn=dn
    )
    refused.written = written
    return refused


def beside(plan: Plan, stay: Sequence[Alternatives]) -> tuple[SideChange, ...]:
    """Return the side store's part of a plan, each list with those of which one has to stay.

    Where somebody stays in the directory, the side store has nobody to look for.
    """
    staying_there = {
        label_of(values[0][0]): tuple(raw.decode() for _, raw in values)
        for values in stay
        if all(is_beside(attribute) for attribute, _ in values)
    }
    return tuple(replace(each, stay=staying_there.get(each.label, ())) for each in plan.beside)


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
