"""Which groups refuse mail that a group around them takes (specification 2.3). Pure; never fails.

Compares what the directory says of senders and size: rules 1, 4, 5 and 7 of the chain. A denied sender is meant to be
left out, so denials are not told; nor is what only the person himself could answer: whether somebody's list of
addresses covers another's list of people. Where in doubt, nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from groupmilter.directory.mirror_cycles import Graph, reached
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Sentence, worded
from groupmilter.mail.address import Pattern

Reasons = Mapping[str, Sentence]
"""The rule of the chain that refuses, and why, for people."""

PLAIN = Group(node=Node(0), uuid="", dn="", address="plain")
"""Stands for every group that leaves who may send to the defaults."""

# What a rule is about: once senders are refused on the way down, it is another lot of senders that goes on.
_ABOUT = {"authentication": "senders", "allowed": "senders", "size": "size"}
_OPEN = frozenset(_ABOUT.values())
_NOTHING: frozenset[str] = frozenset()
_FOLLOWED = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Past what something is a finding.

    :param members: of one group, directly; ``depth``: levels of nesting.
    :param size: octets that a group takes which doesn't say; None for no limit.
    :param octets: that the MTA takes; a group that takes more refuses nothing.
    """

    members: int = 200_000
    depth: int = 50
    size: int | None = None
    octets: int = 10_240_000


def refusals(
    inside: Graph, groups: Mapping[int, Group], comparison: Comparison
) -> Iterator[tuple[int, Mapping[int, Reasons]]]:
    """Yield each group that takes what a group inside it refuses, with those groups.

    :param inside: the groups directly in each group.
    :param groups: what each group with mail says; `PLAIN` serves for many. Without mail a group has no rules.
    """
    ruled = {node for node, group in groups.items() if group is not PLAIN}
    leading = ruled | reached(ruled, comparison.around)
    fewer = {node: inside[node] & leading for node in leading if node in inside}
    for root in leading:
        taking = groups.get(root)
        if taking is not None and taking.enabled:
            # Most take what every plain group takes: then only ways that lead to other groups are walked.
            graph = inside if comparison.refused(taking, PLAIN) else fewer
            told = _Walk(graph, groups, comparison, taking, {root: _OPEN}).down()
            if told:
                yield root, told


@dataclass(slots=True)
class _Walk:
    """Down from one group, level by level; what a group refuses doesn't reach the ones inside it."""

    inside: Graph
    groups: Mapping[int, Group]
    comparison: Comparison
    taking: Group
    seen: dict[int, frozenset[str]]
    told: dict[int, dict[str, Sentence]] = field(default_factory=dict)

    def down(self) -> Mapping[int, Reasons]:
        """Return the groups that refuse something; whole levels are walked, so that no order matters."""
        level: Mapping[int, frozenset[str]] = dict(self.seen)
        followed = 0
        for _ in range(self.comparison.limits.depth):
            followed += sum(len(self.inside.get(node, ())) for node in level)
            level = self._passing(self._arriving(level))
            if not level or followed > _FOLLOWED:
                break
        return self.told

    def _arriving(self, level: Mapping[int, frozenset[str]]) -> Mapping[int, frozenset[str]]:
        """Return the groups one level down, each with what nobody on this way has refused anything for."""
        found: dict[int, frozenset[str]] = {}
        for node, unrefused in level.items():
            for target in self.inside.get(node, ()):
                new = unrefused - self.seen.get(target, _NOTHING)
                if new:
                    found[target] = found.get(target, _NOTHING) | new
        return found

    def _passing(self, arriving: Mapping[int, frozenset[str]]) -> Mapping[int, frozenset[str]]:
        """Note which of these groups refuse something; return what each leaves for the ones inside it."""
        found: dict[int, frozenset[str]] = {}
        for node, new in arriving.items():
            self.seen[node] = self.seen.get(node, _NOTHING) | new
            nested = self.groups.get(node)
            refused = {} if nested is None else self.comparison.refused(self.taking, nested)
            why = {rule: reason for rule, reason in refused.items() if _ABOUT.get(rule) in {None, *new}}
            if why:
                self.told.setdefault(node, {}).update(why)
            left = _NOTHING if "disabled" in why else new - {_ABOUT[rule] for rule in why}
            if left:
                found[node] = left
        return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one group takes against what another does.

    :param around: the groups that each group lies in directly; ``everything`` all groups there are.
    :param house: the own domains, which whoever authenticates is taken to have an address in.
    """

    around: Graph
    everything: AbstractSet[int]
    house: tuple[Pattern, ...]
    limits: Limits

    def refused(self, taking: Group, nested: Group) -> Reasons:
        """Return by which rules a group refuses what another takes, and why."""
        if nested is PLAIN and taking is PLAIN:
            return {}
        if not nested.enabled:
            return {"disabled": worded(marked("is disabled"))}
        found: dict[str, Sentence] = {}
        strangers = _strangers(taking)
        if nested.require_authentication and not _cover(nested.external_senders, strangers):
            found["authentication"] = _unproven(strangers)
        if nested.restricted and not self._allows(nested, taking):
            found["allowed"] = (
                worded(marked("has a list of allowed senders that lacks some"))
                if taking.restricted
                else worded(marked("has a list of allowed senders"))
            )
        limit = self._limit(nested)
        if limit < min(self._limit(taking), self.limits.octets):
            found["size"] = worded(marked("takes {limit} octets at most"), limit=str(limit))
        return found

    def _limit(self, group: Group) -> float:
        limit = self.limits.size if group.max_size is None else group.max_size
        return float("inf") if limit is None else limit

    def _allows(self, nested: Group, taking: Group) -> bool:
        """Tell whether a list of allowed senders may hold all whom another group takes."""
        patterns = nested.allowed_addresses + nested.external_senders
        if not taking.restricted:
            everybody = self.house + taking.external_senders
            return taking.require_authentication and bool(self.house) and _cover(patterns, everybody)
        texts = taking.allowed_addresses + taking.external_senders
        doubtful = {text for text in texts if text.local and nested.allowed}
        return _cover(patterns, [text for text in texts if text not in doubtful]) and all(
            self._may_hold(nested, patterns, node) for node in taking.allowed
        )

    def _may_hold(self, nested: Group, patterns: tuple[Pattern, ...], node: Node) -> bool:
        """Tell whether a list may name a person or a group's members: itself, by a group around, or by address."""
        if node in nested.allowed:
            return True
        domains = tuple(pattern for pattern in patterns if not pattern.local)
        house = self.house or domains
        if any(wide.covers(own) for wide in domains for own in house):
            return True
        if node in self.everything:
            return not nested.allowed.isdisjoint(reached({node}, self.around))
        return bool(patterns) or any(one in self.everything for one in nested.allowed)


def _strangers(group: Group) -> tuple[Pattern, ...] | None:
    """Return whom a group takes without authentication; None for anybody."""
    if group.require_authentication:
        return group.external_senders
    return group.allowed_addresses + group.external_senders if group.restricted else None


def _cover(patterns: Iterable[Pattern], others: Iterable[Pattern] | None) -> bool:
    """Tell whether everybody whom the others mean is meant by one of the patterns; nothing covers None, anybody."""
    known = tuple(patterns)
    return others is not None and all(any(wide.covers(other) for wide in known) for other in others)


def _unproven(strangers: tuple[Pattern, ...] | None) -> Sentence:
    if strangers is None:
        return worded(marked("wants senders authenticated"))
    return worded(marked("wants {senders} authenticated"), senders="; ".join(map(str, strangers[:3])))
