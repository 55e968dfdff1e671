"""What is wrong with a group, said to whoever can mend it, and where that is done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from groupmilter.directory.findings import Kind
from groupmilter.language.catalogue import marked


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong.

    :param place: the tab where it is mended, as it follows the group's path; None: not on a page of the group.
    """

    sentence: str
    place: str | None = None
    remedy: str = ""


_OWNERS, _DELIVERY = marked("Name owners"), marked("Delivery management")
_MEMBERS = marked("See the members")
_TROUBLES = {
    Kind.NOBODY_DECIDES: Trouble(
        marked("Messages wait for approval, and nobody is there to decide: they go to the administrators."),
        "moderation",
        marked("Name moderators"),
    ),
    Kind.OPEN_TO_INTERNET: Trouble(
        marked("Anybody on the Internet may write to this group, and nobody looks at it before."),
        "delivery",
        _DELIVERY,
    ),
    Kind.OWNERLESS: Trouble(
        marked("Nobody owns this group: only administrators can change it."), "owners", _OWNERS
    ),
    Kind.EMPTY: Trouble(
        marked("Mail to this group reaches nobody, so it is refused."), "members", marked("Add members")
    ),
    Kind.NESTED_REFUSES: Trouble(
        marked(
            "A group inside this one refuses some of the mail that this one takes; its members don't get it."
        ),
        "delivery",
        _DELIVERY,
    ),
    Kind.CYCLE: Trouble(marked("This group contains itself through other groups."), "members", _MEMBERS),
    Kind.OVER_LIMIT: Trouble(
        marked("This group is larger or deeper than mail can be delivered to."), "members", _MEMBERS
    ),
    Kind.DUPLICATE_ADDRESS: Trouble(
        marked("An address of this group belongs to somebody else, too; mail for it waits."),
        "",
        marked("General"),
    ),
    Kind.DANGLING: Trouble(marked("Somebody whom this group names is no longer in the directory."), None),
    Kind.DISABLED_MEMBER: Trouble(
        marked("Somebody whom this group names is locked, and gets no mail and has no rights."), None
    ),
    Kind.BAD_URL: Trouble(marked("A rule for dynamic members can't be used."), "members", _MEMBERS),
    Kind.BAD_ADDRESS: Trouble(marked("An address that this group names can't be used."), "members", _MEMBERS),
    Kind.BAD_VALUE: Trouble(
        marked(
            "The directory says something about this group that can't be understood; the safe side is taken."
        ),
        None,
    ),
}


def troubles(found: Iterable[Kind]) -> Iterator[Trouble]:
    """Yield what is wrong, the worst first."""
    there = frozenset(found)
    yield from (trouble for kind, trouble in _TROUBLES.items() if kind in there)
