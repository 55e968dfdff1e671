"""The office of the conformance cases with more groups in it, for the tests beyond the corpus."""

from __future__ import annotations

from itertools import count
from pathlib import Path

OFFICE = Path(__file__).resolve().parents[1] / "cases" / "conformance" / "office.ldif"
GROUPS = "ou=groups,dc=masociete,dc=example"
PEOPLE = "ou=people,dc=masociete,dc=example"
CONTACT = "contact@masociete.example"
"""For internal senders only: Jean and Pierre."""
COMMERCIAL = "commercial@masociete.example"
"""Open to the world, moderated by Jean: Pierre and Bob."""
OPEN = "ouvert@masociete.example"
"""Open to the world: Jean and Bob."""
CLOSED = "direction@masociete.example"
"""For its members only: Alice and Jean."""
CROWD = "foule@masociete.example"
"""For internal senders: outsiders, as many as `CROWD_SIZE`."""
CROWD_SIZE = 1500
JEAN, PIERRE = "jean.dupont@masociete.example", "pierre.durand@masociete.example"
ALICE, BOB = "alice.martin@masociete.example", "bob.petit@masociete.example"
ADMINISTRATOR = "administrator@masociete.example"
_NUMBERS = count(1)


def group(name: str, *more: str) -> str:
    """An entry of a group whose address is its name, with further lines of LDIF."""
    lines = (
        f"dn: cn={name},{GROUPS}",
        "objectClass: groupOfNames",
        "objectClass: distributionGroup",
        f"cn: {name}",
        f"mail: {name}@masociete.example",
        f"owner: uid=administrator,{PEOPLE}",
        *more,
    )
    return "\n".join(lines) + "\n\n"


def member(*logins: str) -> tuple[str, ...]:
    """The lines that make persons members."""
    return tuple(f"member: uid={login},{PEOPLE}" for login in logins)


PLACEHOLDER = "member: cn=placeholder"
"""What a groupOfNames holds that has nobody else."""


def crowd() -> list[str]:
    """The addresses of the crowd, sorted."""
    return [f"m{number:05d}@crowd.example" for number in range(CROWD_SIZE)]


MORE = "".join(
    (
        group("ouvert", "dgRequireAuthentication: FALSE", *member("jean", "bob")),
        group("foule", PLACEHOLDER, *(f"dgMemberAddress: {address}" for address in crowd())),
        group("vide", PLACEHOLDER),
        group("secret", "dgRequireAuthentication: FALSE", "dgHiddenMembers: TRUE", *member("jean", "bob")),
    )
)


def identity() -> str:
    """A text that no other message of this test run has in it."""
    return f"unmistakable-{next(_NUMBERS)}-text"


def message(
    mark: str, author: str = "x@outside.example", *fields: bytes, body: bytes = b"hello\r\n"
) -> bytes:
    """A message with its mark in the Message-ID, and further header lines."""
    head = (f"From: {author}".encode(), f"Message-ID: <{mark}@test.example>".encode(), *fields)
    return b"\r\n".join((*head, b"", body))
