"""A person: one entry with mail, whose every address counts as that person.

`Node` numbers a distinguished name in the mirror. Rights and membership compare nodes, never DN strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

Node = NewType("Node", int)


@dataclass(frozen=True, slots=True)
class Person:
    """A person or contact of the directory.

    :param node: the number of the entry's DN in the mirror.
    :param uuid: entryUUID or objectGUID, as text.
    :param address: where mail for the person goes (for a contact the outside address); strict, or empty.
    :param addresses: all canonical addresses, the primary one first.
    :param logins: names under which the person authenticates.
    :param language: a preferredLanguage such as ``fr``, or empty.
    :param disabled: a locked account: no rights, no mail.
    :param password_changed: when his password was set, by the directory's clock; seconds since 1970, 0 for unknown.
    """

    node: Node
    uuid: str
    dn: str
    name: str
    address: str
    addresses: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    language: str = ""
    disabled: bool = False
    password_changed: int = 0
