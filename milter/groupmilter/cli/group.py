"""``group``: the groups as the mirror has them (``list``, ``show``), and the commands that change them."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli import group_change, group_delete, group_files
from groupmilter.cli.options import Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from groupmilter.groups.directory import Directory
    from groupmilter.groups.group import Group, Nodes

_REST = 52
"""Columns of the list beside address and name, with what is between them."""

app = typer.Typer(help="The groups: see them, make them, change them.", no_args_is_help=True)


@app.command("list")
def list_(
    ctx: typer.Context,
    matching: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Only addresses like this, such as 'sales-*'.")
    ] = "*",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List the groups: who may write to each, whether it is moderated, how many members it names."""
    from groupmilter.cli.looking import opened
    from groupmilter.directory.inventory import groups

    call = Call.of(ctx, config, json=json)
    with opened(call.configuration()) as view, view.site.snapshots.snapshot() as directory:
        listed = [(directory.group(one.node), one.members) for one in groups(view.mirror)]
    glob = matching.casefold()
    found = [(g, count) for g, count in listed if g is not None and _like(g, glob)]
    shape = {"groups": [_brief(group, members) for group, members in found]}
    call.terminal.show(shape, lambda console: _draw_list(console, found))


@app.command()
def show(
    ctx: typer.Context,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="An address of the group.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show every setting of one group, with the people that its rights name."""
    from groupmilter.cli.looking import group_named, opened

    call = Call.of(ctx, config, json=json)
    with opened(call.configuration()) as view, view.site.snapshots.snapshot() as directory:
        asked = group_named(directory, view, group)
        fields = dict(_fields(asked, directory))
    call.terminal.show(fields, lambda console: _draw_group(console, asked, fields))


for _name, _command in (
    ("create", group_change.create),
    ("edit", group_change.edit),
    ("delete", group_delete.delete),
    ("add", group_change.add),
    ("remove", group_change.remove),
    ("suspend", group_change.suspend),
    ("resume", group_change.resume),
    ("export", group_files.export),
    ("import", group_files.import_),
):
    app.command(_name)(_command)


def _like(group: Group, glob: str) -> bool:
    return any(fnmatchcase(address.casefold(), glob) for address in group.addresses)


def _brief(group: Group, members: int) -> dict[str, object]:
    return {
        "address": group.address,
        "aliases": group.aliases,
        "name": group.name,
        "members": members,
        "senders": senders(group),
        "moderated": group.moderated,
        "enabled": group.enabled,
    }


def senders(group: Group) -> str:
    """Return in a few words who may write to a group."""
    if not group.enabled:
        return "nobody (disabled)"
    if group.restricted:
        return "listed senders"
    if not group.require_authentication:
        return "anybody"
    return "insiders and partners" if group.external_senders else "insiders"


def _draw_list(console: Console, found: list[tuple[Group, int]]) -> None:
    if not found:
        console.print("No such group.")
        return
    names = max(len(group.name) for group, _ in found)
    wide = console.width >= max(len(group.address) for group, _ in found) + names + _REST
    console.print(_wide_list(found) if wide else _narrow_list(found))


def _wide_list(found: list[tuple[Group, int]]) -> Table:
    from groupmilter.cli.terminal import plain, table

    rows = table("Group", "Name", "Members", "Who may write", "Moderated")
    rows.columns[2].justify = "right"
    for group, members in found:
        moderated = "yes" if group.moderated else ""
        rows.add_row(plain(group.address), plain(group.name), str(members), senders(group), moderated)
    return rows


def _narrow_list(found: list[tuple[Group, int]]) -> Table:
    """Return the list with the name below the address, so that neither is torn apart."""
    from groupmilter.cli.terminal import plain, table

    rows = table("Group", "Members", "Who may write")
    rows.columns[1].justify = "right"
    for group, members in found:
        moderated = "\nmoderated" if group.moderated else ""
        named = plain(group.address).append("\n").append_text(plain(group.name))
        rows.add_row(named, str(members), senders(group) + moderated)
    return rows


def _fields(group: Group, directory: Directory) -> Iterator[tuple[str, object]]:
    """Yield every field of specification 1.1 in its order, people and groups by address."""
    yield "address", group.address
    yield "aliases", list(group.aliases)
    yield "name", group.name
    yield "description", group.description
    yield "dn", group.dn
    yield "enabled", group.enabled
    yield "owners", _named(group.owners, directory)
    members = directory.members(group.node)
    yield "members", len(members.people)
    yield "member_groups", _named(frozenset(members.groups), directory)
    yield "join_policy", group.join_policy.value
    yield "leave_policy", group.leave_policy.value
    yield "outsiders_may_join", group.join_outsiders
    yield "require_authentication", group.require_authentication
    yield "external_senders", sorted(map(str, group.external_senders))
    yield "allowed", _named(group.allowed, directory) + sorted(map(str, group.allowed_addresses))
    yield "denied", _named(group.denied, directory) + sorted(map(str, group.denied_addresses))
    yield from _moderation(group, directory)
    yield "max_size", group.max_size
    yield "send_as", _named(group.send_as, directory)
    yield "send_on_behalf", _named(group.on_behalf, directory)
    yield "bounces_to", group.bounces_to.value
    yield "auto_replies", group.auto_replies
    yield "hidden_members", group.hidden_members
    yield "hidden", group.hidden
    yield "policy", group.policy


def _moderation(group: Group, directory: Directory) -> Iterator[tuple[str, object]]:
    yield "moderated", group.moderated
    yield "moderators", _named(group.moderators, directory)
    yield "bypass", _named(group.bypass, directory) + sorted(map(str, group.bypass_addresses))
    yield "covers_nested", group.covers_nested
    yield "notify", group.notify.value
    yield "hold_hours", group.hold_hours
    yield "approvals", group.approvals


def _named(nodes: Nodes, directory: Directory) -> list[str]:
    """Return whom a right names; an entry that isn't there is left out here, and a finding elsewhere."""
    found = (directory.group(node) or directory.person(node) for node in nodes)
    return sorted(entry.address or entry.dn for entry in found if entry is not None)


def _worded(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _draw_group(console: Console, group: Group, fields: dict[str, object]) -> None:
    from groupmilter.cli.terminal import plain, table

    console.print(plain(f"{group.name or group.address} <{group.address}>"), style="bold")
    rows = table("Setting", "Value")
    for name, value in fields.items():
        if value in ("", None, []):
            continue
        rows.add_row(name.replace("_", " "), plain(_worded(value)))
    console.print(rows)
