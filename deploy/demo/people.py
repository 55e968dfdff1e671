"""Who has a mailbox in the demonstration: read from the sample directory itself.

Fails with ValueError when the directory's answer is not understood.
"""

from __future__ import annotations

import base64
import secrets
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


def give_passwords(slapd: Slapd, people: tuple[Mailbox, ...]) -> None:
    """Give everybody the one password in the directory too, where the panel asks for it."""
    changes = (
        f"dn: uid={person.login},ou=people,{slapd.suffix}\nchangetype: modify\n"
        f"replace: userPassword\nuserPassword: {PASSWORD}\n"
        for person in people
    )
    slapd.modify("\n".join(changes))


def account(slapd: Slapd, name: str) -> tuple[str, str]:
    """Give one of groupmilter's own accounts a password; return its DN and that."""
    dn, password = f"cn={name},{slapd.suffix}", secrets.token_urlsafe(24)
    slapd.modify(f"dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n")
    return dn, password


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
