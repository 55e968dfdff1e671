"""How somebody stands to a group: listed in it, inside by another group, or by a rule. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from groupmilter.groups.group import Group


@dataclass(frozen=True, slots=True)
class Standing:
    """Why somebody is a member of a group.

    :param listed: his entry or one of his addresses stands in the group's own list, and can be taken out of it.
    :param ruled: a search makes him a member, or his own entry says so: nothing in the group's list.
    :param through: groups that are members of the group and have him inside, at any depth.
    """

    listed: bool = False
    ruled: bool = False
    through: tuple[Group, ...] = ()

    @property
    def member(self) -> bool:
        """Whether the group's mail reaches him."""
        return self.listed or self.ruled or bool(self.through)
