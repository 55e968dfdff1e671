"""``expand``: who is in a group, and through which groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.options import Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.groups.directory import Directory
    from groupmilter.groups.group import Group
    from groupmilter.groups.person import Node


@dataclass(frozen=True, slots=True)
class Reached:
    """One receiver.

    :param path: addresses (or DNs) of the groups on the shortest way to him, the one asked for first.
    """

    address: str
    name: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a group holds at any depth; ``left_out`` says what gets no mail, one sentence each.

    :param suspended: addresses among the members that get none for now, since mail goes on failing there.
    """

    members: tuple[Reached, ...]
    groups: int
    left_out: tuple[str, ...]
    suspended: tuple[str, ...] = ()


def expand(
    ctx: typer.Context,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="An address of the group.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List everybody in a group at any depth, each with the way that leads to him.

    The groups' rules are not asked here, since they depend on who writes: see [bold]groupmilter explain[/].
    """
    from groupmilter.cli.looking import group_named, opened

    call = Call.of(ctx, config, json=json)
    with opened(call.configuration()) as view, view.site.snapshots.snapshot() as directory:
        asked = group_named(directory, view, group)
        contents = walked(directory, asked, view.site.suspended())
    call.terminal.show(_shape(asked, contents), lambda console: _draw(console, asked, contents))


def walked(directory: Directory, root: Group, suspended: frozenset[str] = frozenset()) -> Contents:
    """Walk a group breadth first, as an expansion does; each receiver once, on the shortest way.

    :param suspended: addresses whose delivery is suspended.
    """
    reached: dict[str, Reached] = {}
    left_out: list[str] = []
    groups = 0
    for group, path in _nested(directory, root):
        groups += 1
        direct = directory.members(group.node)
        left_out += (f"{path[-1]}: {sentence}" for sentence in direct.left_out)
        for member in direct.people:
            name = _name(directory, member.node)
            reached.setdefault(member.address, Reached(member.address, name, path))
    members = tuple(reached.values())
    return Contents(
        members, groups, tuple(left_out), tuple(m.address for m in members if m.address in suspended)
    )


def _nested(directory: Directory, root: Group) -> Iterator[tuple[Group, tuple[str, ...]]]:
    queue: deque[tuple[Group, tuple[str, ...]]] = deque([(root, (root.address or root.dn,))])
    seen = {root.node}
    while queue:
        group, path = queue.popleft()
        yield group, path
        for node in directory.members(group.node).groups:
            inner = None if node in seen else directory.group(node)
            if inner is not None:
                seen.add(node)
                queue.append((inner, (*path, inner.address or inner.dn)))


def _name(directory: Directory, node: Node | None) -> str:
    person = None if node is None else directory.person(node)
    return person.name if person is not None else ""


def _shape(group: Group, contents: Contents) -> dict[str, object]:
    members = [{"address": m.address, "name": m.name, "path": m.path} for m in contents.members]
    return {
        "group": group.address,
        "count": len(members),
        "groups": contents.groups,
        "members": members,
        "left_out": contents.left_out,
        "suspended": contents.suspended,
    }


def _draw(console: Console, group: Group, contents: Contents) -> None:
    from groupmilter.cli.terminal import plain, table

    count, nested = len(contents.members), contents.groups - 1
    inside = f", {nested} nested group{'s' if nested > 1 else ''}" if nested else ""
    title = f"[bold]{group.address}[/] {'has' if count != 1 else 'has only'} "
    console.print(f"{title}{count} member{'s' if count != 1 else ''}{inside}.")
    rows = table("Member", "Name", "Through")
    for member in contents.members:
        rows.add_row(
            plain(member.address), plain(member.name), plain(" > ".join(member.path[1:]) or "directly")
        )
    if count:
        console.print(rows)
    for address in contents.suspended:
        said = f"suspended: {address} gets nothing for now, since mail fails there (groupmilter bounces show)"
        console.print(said, style="yellow", markup=False)
    for sentence in contents.left_out:
        console.print(f"left out: {sentence}", style="yellow", markup=False)
