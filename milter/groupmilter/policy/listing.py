"""Pure. The fields by which mail programs know a group as a list, and by which programs that answer keep quiet.

A message that carries another list's fields keeps them and gets none of ours: mixed, an "unsubscribe" of theirs would
stand beside a name of ours. Sources: RFC 2369 (section 4 on lists within lists), RFC 2919, RFC 3834 section 2,
RFC 6068 section 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from groupmilter.mail.address import canonical_domain, strict
from groupmilter.policy.facts import Content

QUIET: Mapping[str, str] = {"Precedence": "list", "X-Auto-Response-Suppress": "OOF, AutoReply"}
"""What keeps the members' automatic answers from the sender."""

_LONGEST_ID = 255
_ESCAPED = re.compile(rb"[^A-Za-z0-9._~!$'*+-]")
"""What a mailto URI holds only as ``%`` and two digits."""

_LINK = re.compile(r"https?://([A-Za-z0-9.-]{1,253})(?::\d{1,5})?(?:[/?#][!#-;=?-\[\]_a-z~]*)?")


def of_another_list(content: Content) -> bool:
    """Tell whether a message has come through another list, or from a sender of mass mail."""
    return any(name.startswith("list-") for name in content.headers)


def list_fields(address: str, contact: str, leave: str = "") -> dict[str, str]:
    """Return the fields of a group; without List-Owner where the contact is neither address nor link.

    Without List-Unsubscribe-Post (RFC 8058): that wants a link of each member's own under a signature of ours, and all
    members get the same copy, with its author's signature.

    :param address: of the group.
    :param contact: whom its replies name. ``leave``: the address by which it is left, empty where it can't be.
    """
    fields = {
        "List-Id": _list_id(address), "List-Post": _uri(address), "List-Owner": _uri(contact),
        "List-Unsubscribe": _uri(leave) if leave else "",
    }  # fmt: skip
    return {name: f"<{value}>" for name, value in fields.items() if value}


def _list_id(address: str) -> str:
    """Return the address with a dot for its ``@``; a local part beyond ASCII as an A-label would be (RFC 3492)."""
    local, _, domain = address.rpartition("@")
    label = local if local.isascii() else f"xn--{local.encode('punycode').decode('ascii')}"
    whole = f"{label}.{domain}"
    return whole if len(whole) <= _LONGEST_ID else ""


def _uri(contact: str) -> str:
    address = strict(contact)
    if address is not None:
        local, _, domain = address.rpartition("@")
        escaped = _ESCAPED.sub(lambda found: b"%%%02X" % found[0][0], local.encode())
        return f"mailto:{escaped.decode('ascii')}@{domain}"
    link = _LINK.fullmatch(contact)
    return contact if link is not None and canonical_domain(link[1]) is not None else ""
