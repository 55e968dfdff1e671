"""Who would own a group, and decide about its held mail, after a change: nobody is said at once. Pure.

Held mail that nobody decides about goes to the administrators (`moderation.circle`). Nothing here fails.
"""

from __future__ import annotations

from collections.abc import Sequence

from groupmilter.directory.change import Difference
from groupmilter.directory.entry import Entry
from groupmilter.directory.modification import current
from groupmilter.directory.profile import Profile
from groupmilter.directory.spelling import key_of
from groupmilter.language.catalogue import marked

UNDECIDED = marked("it is moderated with nobody to decide: the administrators are asked")
UNOWNED = marked("nobody owns it")
STAYS = marked("Somebody has to stay here: add another one in the same step.")
_CONCERNED = frozenset({"moderated", "moderators", "owners"})


def nobody_decides(profile: Profile, entry: Entry, differences: Sequence[Difference]) -> bool:
    """Tell whether a change leaves a group moderated with neither moderators nor owners.

    :param entry: the group before it.
    """
    changed = {each.field: each for each in differences}
    if _CONCERNED.isdisjoint(changed):
        return False
    moderated = changed["moderated"].after if "moderated" in changed else current(profile, entry, "moderated")
    return moderated is True and not any(
        _left(profile, entry, field, changed) for field in ("moderators", "owners")
    )


def given_up(profile: Profile, entry: Entry, differences: Sequence[Difference]) -> bool:
    """Tell whether a change takes the last owners out of a group, and puts nobody in their place.

    :param entry: the group before it.
    """
    changed = {each.field: each for each in differences}
    return "owners" in changed and not _left(profile, entry, "owners", changed)


def _left(profile: Profile, entry: Entry, field: str, changed: dict[str, Difference]) -> bool:
    there, mapped = current(profile, entry, field), profile.mapped(field)
    kept = {key_of(mapped, each) for each in there} if isinstance(there, tuple) else set()
    difference = changed.get(field)
    if difference is None:
        return bool(kept)
    gone = difference.before if isinstance(difference.before, tuple) else ()
    return bool(difference.after) or bool(kept - {key_of(mapped, each) for each in gone})
