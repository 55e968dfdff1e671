"""Programs that call the API of a house on somebody's behalf, with a token of his."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import httpx
from tests.membership.offices import GROUPS, PEOPLE
from tests.panel.house import DEADLINE, ONE_BY_ONE, House

from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.moderation.item import Way, Who
from groupmilter.panel.api.access import AccessTokens, Scope

MAKER = Who("root", Way.COMMAND)
ADMINISTRATOR = "administrator"


def tokens(home: House) -> AccessTokens:
    """The tokens of a house."""
    return AccessTokens(home.parts.ledger, home.parts.lookups, home.parts.now)


def person(home: House, uid: str) -> Person:
    """Somebody of the mirror, by his log-in name."""
    with home.parts.lookups.snapshot() as directory:
        found = directory.by_dn(f"uid={uid},{PEOPLE}")
    assert isinstance(found, Person), uid
    return found


def token(home: House, uid: str, scopes: Iterable[Scope] = tuple(Scope)) -> str:
    """A new token of somebody."""
    return tokens(home).make(person(home, uid), secrets.token_hex(4), scopes, 1, MAKER)


def calling(
    home: House, uid: str, scopes: Iterable[Scope] = tuple(Scope), language: str = "en"
) -> httpx.Client:
    """A program with a new token of somebody."""
    headers = {"authorization": f"Bearer {token(home, uid, scopes)}", "accept-language": language}
    return httpx.Client(base_url=f"{home.url}/api/v1", headers=headers, timeout=DEADLINE, limits=ONE_BY_ONE)


def mirrored(home: House, name: str) -> None:
    """Wait until the mirror has a group that was just made, by its DN's first part."""

    def there() -> bool:
        with home.parts.lookups.snapshot() as directory:
            return isinstance(directory.by_dn(f"cn={name},{GROUPS}"), Group)

    home.until(there)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that an answer has to be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert (said["status"], said["code"]) == (status, code)
    assert said["detail"]
    return said


def at_fault(said: dict[str, Any]) -> dict[str, str]:
    """The fields that a problem names, with what it says of each."""
    return {each["field"]: each["detail"] for each in said["errors"]}
