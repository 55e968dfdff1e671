"""Cycles, depth and ways up in a graph of groups. Pure, without recursion, linear in edges; never fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

Graph = Mapping[int, AbstractSet[int]]


def components(inside: Graph) -> list[tuple[int, ...]]:
    """Return the strongly connected components, each sorted, a component after all those it leads to (Tarjan)."""
    found: list[tuple[int, ...]] = []
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    waiting: list[int] = []
    held: set[int] = set()
    for root in inside:
        walk: list[tuple[int, Iterator[int]]] = [] if root in order else [_entered(root, inside, order, low)]
        waiting += [root] if walk else []
        held.update((root,) if walk else ())
        while walk:
            node, following = walk[-1]
            target = next((t for t in following if t not in order or t in held), None)
            if target is None:
                walk.pop()
                _left(node, walk, low, order, waiting, held, found)
            elif target in order:
                low[node] = min(low[node], order[target])
            else:
                walk.append(_entered(target, inside, order, low))
                waiting.append(target)
                held.add(target)
    return found


def _entered(
    node: int, inside: Graph, order: dict[int, int], low: dict[int, int]
) -> tuple[int, Iterator[int]]:
    order[node] = low[node] = len(order)
    return node, iter(inside.get(node, ()))


def _left(
    node: int,
    walk: list[tuple[int, Iterator[int]]],
    low: dict[int, int],
    order: dict[int, int],
    waiting: list[int],
    held: set[int],
    found: list[tuple[int, ...]],
) -> None:
    if walk:
        above = walk[-1][0]
        low[above] = min(low[above], low[node])
    if low[node] == order[node]:
        ring = [waiting.pop()]
        while ring[-1] != node:
            ring.append(waiting.pop())
        held.difference_update(ring)
        found.append(tuple(sorted(ring)))


def deepest(inside: Graph, ordered: list[tuple[int, ...]]) -> dict[int, int]:
    """Return how many levels of groups lie inside each group; a cycle counts as one level.

    :param ordered: what `components` returned.
    """
    depth: dict[int, int] = {}
    for ring in ordered:
        below = (depth[target] + 1 for node in ring for target in inside.get(node, ()) if target not in ring)
        level = max(below, default=0)
        depth.update((node, level) for node in ring)
    return depth


def turned(inside: Graph) -> Graph:
    """Return the same graph seen from below: which groups each one lies in directly."""
    around: dict[int, set[int]] = {}
    for source, targets in inside.items():
        for target in targets:
            around.setdefault(target, set()).add(source)
    return around


def reached(starts: AbstractSet[int], graph: Graph) -> set[int]:
    """Return what the edges lead to from any of these, themselves only where a cycle leads back."""
    found: set[int] = set()
    waiting = list(starts)
    while waiting:
        new = graph.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting += new
    return found
