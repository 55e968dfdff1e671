"""From a group to the addresses that get its mail: breadth first, each receiver once, all or nothing.

Every nested group is put before `Admit` first: it may be expanded, left out, or held on its own. Cycles and
diamonds are harmless because a group is walked once. Past a bound nothing is returned at all (`BoundExceeded`):
nobody ever gets half a group.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from groupmilter.groups.directory import Directory, Member
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.mail.reply import Reply


class BoundExceeded(Exception):
    """The group is nested too deeply or has too many members."""


class Admission(Enum):
    """What becomes of a nested group."""

    EXPAND = "expand"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A nested group doesn't take the message; ``reason`` is the word by which a ticket names why."""

    reply: Reply
    reason: str = ""

    @property
    def news(self) -> bool:
        """Whether the sender should hear of it: a loop means that the message has been there already."""
        return self.reason not in {"", "loop"}


Admit = Callable[[Group, bool], Admission | Refusal]
"""Asked for each nested group, with whether an approval further up covers it; a refusal leaves the branch out."""


@dataclass(slots=True)
class Taken:
    """Who already gets this delivery, across all its recipients.

    :param octets: what their records take in the MTA's queue file.
    """

    nodes: set[Node] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    octets: int = 0

    def add(self, member: Member) -> bool:
        """Note a receiver; tell whether he is new."""
        if member.address in self.addresses or member.node in self.nodes:
            return False
        self.addresses.add(member.address)
        if member.node is not None:
            self.nodes.add(member.node)
        return True

    def discard(self, members: Iterable[Member]) -> None:
        """Forget receivers whose expansion came to nothing: another group may be theirs."""
        for member in members:
            self.addresses.discard(member.address)
            if member.node is not None:
                self.nodes.discard(member.node)


@dataclass(frozen=True, slots=True)
class Expansion:
    """What one group recipient becomes.

    :param members: new receivers, each once.
    :param holds: nested groups whose copy waits for approval of its own.
    :param refused: nested groups that don't take this message, with the refusal of each.
    :param walked: every group that was expanded, the root first: they go into the loop trace.
    :param found: receivers there were before direct recipients and others of the delivery were taken off.
    :param left_out: what the directory names but can't receive, one sentence each.
    :param suspended: addresses of members who are left out for now, since mail goes on failing there.
    :param elsewhere: addresses of receivers whom something else of the delivery reaches: not among ``members``.
    """

    members: tuple[Member, ...]
    holds: tuple[Group, ...] = ()
    refused: tuple[tuple[Group, Refusal], ...] = ()
    walked: tuple[Group, ...] = ()
    found: int = 0
    left_out: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the group has nobody to deliver to and nothing to hold, whoever else is addressed."""
        return not self.found and not self.holds

    @property
    def news(self) -> tuple[Refusal, ...]:
        """The refusals inside that a sender with a proven return path is told of."""
        return tuple(refusal for _, refusal in self.refused if refusal.news)


def expand(
    root: Group, directory: Directory, admit: Admit, taken: Taken, depth: int, limit: int, covered: bool,
    suspended: frozenset[str] = frozenset(),
) -> Expansion:  # fmt: skip
    """Expand an admitted group.

    Where nobody but suspended members would get it they do, after all: rather a report than a message for nobody.

    :param taken: receivers of the same delivery so far; those of this group are added to it, past a bound none.
    :param depth: levels of nesting allowed; ``limit``: receivers allowed.
    :param covered: whether the root's approval (or the sender's exemption from it) covers groups inside.
    :param suspended: addresses that are left out.
    :raises BoundExceeded: past a bound.
    :raises DirectoryUnknown: where the snapshot can't tell.
    """
    walk = _Walk(directory, admit, taken, depth, limit, suspended)
    walk.enter(root, 0, covered)
    try:
        walk.run()
    except BoundExceeded:
        taken.discard(walk.members)
        raise
    walk.nobody_else()
    return Expansion(
        tuple(walk.members),
        tuple(walk.holds.values()),
        tuple(walk.refused.values()),
        tuple(walk.walked.values()),
        walk.found - len(walk.passing),
        tuple(walk.left_out),
        tuple(walk.elsewhere()),
        tuple(dict.fromkeys(member.address for member in walk.passing)),
    )


@dataclass(slots=True)
class _Walk:
    directory: Directory
    admit: Admit
    taken: Taken
    depth: int
    limit: int
    suspended: frozenset[str] = frozenset()
    queue: deque[tuple[Group, int, bool]] = field(default_factory=deque)
    walked: dict[Node, Group] = field(default_factory=dict)
    holds: dict[Node, Group] = field(default_factory=dict)
    refused: dict[Node, tuple[Group, Refusal]] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    passed_over: list[Member] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    passing: list[Member] = field(default_factory=list)
    found: int = 0

    def enter(self, group: Group, level: int, covered: bool) -> None:
        self.holds.pop(group.node, None)
        self.walked[group.node] = group
        self.queue.append((group, level, covered))

    def run(self) -> None:
        while self.queue:
            self._open(*self.queue.popleft())

    def _open(self, group: Group, level: int, covered: bool) -> None:
        direct = self.directory.members(group.node)
        self.found += len(direct.people)
        if self.found > self.limit:
            raise BoundExceeded(f"more than {self.limit} members")
        for member in direct.people:
            if member.address in self.suspended:
                self.passing.append(member)
            else:
                self._reach(member)
        self.left_out.extend(direct.left_out)
        for node in direct.groups:
            self._nested(node, level + 1, covered)

    def _reach(self, member: Member) -> None:
        (self.members if self.taken.add(member) else self.passed_over).append(member)

    def nobody_else(self) -> None:
        """Let suspended members get it where there is nobody else."""
        if self.passing and self.found == len(self.passing) and not self.holds:
            for member in self.passing:
                self._reach(member)
            self.passing.clear()

    def _nested(self, node: Node, level: int, covered: bool) -> None:
        group = None if node in self.walked or node in self.refused else self.directory.group(node)
        if group is None or (node in self.holds and not covered):
            return
        if level > self.depth:
            raise BoundExceeded(f"nested deeper than {self.depth} levels")
        admission = self.admit(group, covered)
        if isinstance(admission, Refusal):
            self.refused[node] = (group, admission)
        elif admission is Admission.HOLD:
            self.holds[node] = group
        else:
            self.enter(group, level, covered or _covers(group))

    def elsewhere(self) -> list[str]:
        """Return those passed over for the sake of another recipient, not because this walk met them twice."""
        if not self.passed_over:
            return []
        addresses = {member.address for member in self.members}
        nodes = {member.node for member in self.members if member.node is not None}
        others = (m for m in self.passed_over if m.address not in addresses and m.node not in nodes)
        return list(dict.fromkeys(member.address for member in others))


def _covers(group: Group) -> bool:
    return group.moderated and group.covers_nested
