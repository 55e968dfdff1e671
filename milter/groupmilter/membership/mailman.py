"""The roster of a Mailman 3 list: what ``mailman members`` prints, or JSON of its REST interface. Pure.

One address to a line, with or without a name, or entries with ``email`` and ``role``. What a subscription has besides
(digests, disabled delivery, moderation of its own) has no counterpart here and is named. `BadFile` for anything else.
"""

from __future__ import annotations

import json
from email.utils import parseaddr

from groupmilter.language.catalogue import marked
from groupmilter.membership.draft import (
    NO_ADDRESS,
    NO_COUNTERPART,
    WORDS,
    BadFile,
    Draft,
    Drafts,
    Unmapped,
    unmapped,
)

_LINE = marked("line {number}: {written}")
_ENTRY = marked("entry {number}")
_NO_EMAIL = marked("it has no email")
_NO_ROLE = marked("no such role here")
_ROLES = {"member": "members", "owner": "owners", "moderator": "moderators"}
_USUAL = {
    "delivery_mode": {"regular", ""},
    "delivery_status": {"enabled", ""},
    "moderation_action": {"", "none", "accept"},
}


def roster(text: str, group: str, role: str = "member") -> Drafts:
    """Return the group that a roster makes.

    :param group: address of the group. ``role``: of the addresses, where the file doesn't say it.
    """
    if role not in _ROLES:
        raise BadFile(marked("“{role}” is none of {roles}"), role=role, roles=", ".join(_ROLES))
    lists: dict[str, dict[str, None]] = {}
    lost: list[Unmapped] = []
    if text.lstrip()[:1] in {"{", "["}:
        _entries(text, group, lists, lost)
    else:
        _lines(text, group, lists.setdefault(_ROLES[role], {}), lost)
    values = {name: tuple(found) for name, found in lists.items()}
    return Drafts((Draft(group, lists=values, unmapped=tuple(lost)),))


def _lines(text: str, group: str, found: dict[str, None], lost: list[Unmapped]) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        _, address = parseaddr(written)
        if "@" not in address:
            lost.append(unmapped(group, _LINE, NO_ADDRESS, number=number, written=written[:100]))
        else:
            found[address] = None


def _entries(text: str, group: str, lists: dict[str, dict[str, None]], lost: list[Unmapped]) -> None:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        raise BadFile(marked("no JSON from line {line}, character {column} on"), **place) from error
    except (ValueError, RecursionError) as error:
        raise BadFile(marked("this JSON is deeper, or has larger numbers, than any roster")) from error
    entries = content.get("entries", []) if isinstance(content, dict) else content
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadFile(marked("no roster: a list of entries with email and role is expected"))
    for number, entry in enumerate(entries, 1):
        address, role = str(entry.get("email") or ""), str(entry.get("role") or "member")
        if "@" not in address:
            lost.append(unmapped(group, _ENTRY, _NO_EMAIL, number=number))
        elif role not in _ROLES:
            lost.append(unmapped(group, WORDS, _NO_ROLE, words=f"{address}, {role}"))
        else:
            lists.setdefault(_ROLES[role], {})[address] = None
            for name, usual in _USUAL.items():
                value = str(entry.get(name) or "")
                if value not in usual:
                    words = f"{address}: {name} {value}"
                    lost.append(unmapped(group, WORDS, NO_COUNTERPART, words=words))
