"""A group as the API shows it: read from the directory itself, with the version that its entity tag stands for.

People are shown by their addresses, by their DN where they have none. Raises `DirectoryUnknown`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from groupmilter.directory.dn import normalise
from groupmilter.directory.modification import is_placeholder
from groupmilter.directory.profile_fields import GROUP, Form
from groupmilter.directory.side_store import signature, values_of
from groupmilter.groups.group import Group
from groupmilter.membership.roles import Role
from groupmilter.membership.service import Groups, Stored
from groupmilter.membership.vocabulary import ADDRESSES_OF, LISTS, SINGLES
from groupmilter.moderation.circle import Lookup
from groupmilter.panel.api.call import Call

PUBLIC = frozenset({
    "address", "aliases", "name", "description", "enabled", "owners", "join_policy", "leave_policy", "join_outsiders",
    "require_authentication", "moderated", "hidden", "hidden_members",
})  # fmt: skip
"""What everybody may see of a group that he may know of."""

_NOT_SHOWN = frozenset({"members", "mail_tip", "address"})


def picture(call: Call, service: Groups, stored: Stored, roles: frozenset[Role]) -> dict[str, object]:
    """Return the fields of a group that the caller may see; its members have a list of their own."""
    own = not roles.isdisjoint({Role.ADMINISTRATOR, Role.OWNER})
    names = [name for name in (*SINGLES, *LISTS) if name not in _NOT_SHOWN and (own or name in PUBLIC)]
    tip = service.writer.profile.value(stored.entry, "mail_tip")
    shown: dict[str, object] = {
        "id": stored.entry.uuid,
        "address": stored.address,
        "roles": sorted(roles),
        "mail_tip": dict(tip) if isinstance(tip, dict) else {},
    }
    shown |= {name: service.value(stored, name) for name in names if name not in LISTS}
    lists = [name for name in names if name in LISTS]
    shown |= call.look(
        lambda directory: {name: list(_listed(call, directory, service, stored, name)) for name in lists}
    )
    return shown | ({"dn": stored.entry.dn} if own else {})


def _listed(call: Call, directory: Lookup, service: Groups, stored: Stored, name: str) -> Iterator[str]:
    there = _texts(service.value(stored, name))
    if GROUP[name].form is Form.NAMES:
        yield from _people(call, directory, service, there)
        if second := ADDRESSES_OF.get(name):
            yield from _texts(service.value(stored, second))
        return
    first = service.book.key(stored.address)
    yield from (value for value in there if name != "aliases" or service.book.key(value) != first)


def _people(call: Call, directory: Lookup, service: Groups, names: Iterable[str]) -> Iterator[str]:
    """Yield the addresses of entries; hidden groups only to whom may know of them."""
    placeholder = normalise(service.writer.placeholder) or ""
    roles = call.roles(directory)
    for name in names:
        entry = directory.by_dn(name)
        if is_placeholder(name.encode(), placeholder) or (
            isinstance(entry, Group) and not roles.knows_of(entry)
        ):
            continue
        yield entry.address if entry is not None and entry.address else name


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def tag(stored: Stored) -> str:
    """Return the entity tag (RFC 9110 section 8.8.3) of a group: another one as soon as anything of it changes."""
    version = stored.entry.attributes.get("entrycsn", ())
    parts = version or [
        name.encode() + b"\0" + raw
        for name, raws in sorted(stored.entry.attributes.items())
        for raw in sorted(raws)
    ]
    seal = hashlib.sha256(stored.entry.uuid.encode() + signature(values_of(stored.entry)))
    for part in parts:
        seal.update(len(part).to_bytes(4, "big") + part)
    return f'"{seal.hexdigest()[:32]}"'
