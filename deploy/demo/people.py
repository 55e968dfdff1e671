"""Who has a mailbox in the demonstration: read from the sample directory itself.

Fails with ValueError when the directory's answer is not understood.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from tests.support.slapd import Slapd

PASSWORD = "demo"  # noqa: S105  (printed on the screen: it is what people log in with, on loopback)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One person: log-in, name and addresses, the first one being the main one."""

    login: str
    name: str
    addresses: tuple[str, ...]


def mailboxes(slapd: Slapd) -> tuple[Mailbox, ...]:
    """Return everybody who can log in, in the directory's order."""
    found = slapd.search(slapd.suffix, "(&(uid=*)(mail=*))", "uid", "cn", "mail", "mailLocalAddress")
    return tuple(_mailbox(record) for record in found.strip().split("\n\n"))


def recipients(people: tuple[Mailbox, ...]) -> str:
    """Return a Postfix table (texthash:) from each address to its Maildir, below virtual_mailbox_base."""
    return "".join(f"{address} {person.login}/\n" for person in people for address in person.addresses)


def _mailbox(record: str) -> Mailbox:
    values: dict[str, list[str]] = {}
    for line in record.splitlines():
        name, _, value = line.partition(":")
        text = base64.b64decode(value[1:]).decode() if value.startswith(":") else value.strip()
        values.setdefault(name, []).append(text)
    if not {"uid", "cn", "mail"} <= values.keys():
        raise ValueError(f"not a person: {record!r}")
    return Mailbox(values["uid"][0], values["cn"][0], (*values["mail"], *values.get("mailLocalAddress", ())))
