"""The page of access tokens: one is made and shown once, works, is listed, and is revoked."""

from __future__ import annotations

import re

import pytest
from tests.membership.offices import JEAN
from tests.panel.calling import person, tokens
from tests.panel.house import House, sent

from groupmilter.panel.api.access import PREFIX

PAGE = "/account/tokens"
FORM: dict[str, str | list[str]] = {"name": "Paie <1>", "scopes": ["read", "write"], "days": "90"}
TOKEN = re.compile(rf'value="({PREFIX}[\w-]+)"')


def test_a_token_is_shown_once_and_works_until_it_is_revoked(home: House) -> None:
    with home.person("jean", "fr") as client, home.anybody() as program:
        assert "Vous n’avez pas encore de jeton." in client.get(PAGE).text
        made = sent(client, PAGE, **FORM)
        assert made.status_code == 200
        found = TOKEN.search(made.text)
        assert found is not None
        bearer = {"authorization": f"Bearer {found[1]}"}
        me = program.get("/api/v1/me", headers=bearer).json()
        assert (me["address"], me["token"], me["scopes"]) == (JEAN, "Paie <1>", ["read", "write"])
        again = client.get(PAGE)
        assert PREFIX not in again.text
        assert "Paie &lt;1&gt;" in again.text
        assert client.get("/account").text.count(f'href="{PAGE}"') == 1
        gone = client.post(f"{PAGE}/revoke", data={"csrf": csrf_of(again.text), "name": "Paie <1>"})
        assert gone.headers["location"] == f"{PAGE}?said=token-revoked"
        assert program.get("/api/v1/me", headers=bearer).status_code == 401
    [*_, revoked] = [row for row in home.parts.ledger.audit() if row.action == "access-token-revoke"]
    assert (revoked.way, revoked.actor) == ("panel", JEAN)


def csrf_of(text: str) -> str:
    found = re.search(r'name="csrf" value="([^"]*)"', text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"name": ""}, "name"), ({"scopes": []}, "scopes"), ({"days": "x"}, "days"), ({"days": "9999"}, "days")],
)
def test_what_is_wrong_is_told_and_what_was_typed_is_kept(
    home: House, change: dict[str, str | list[str]], field: str
) -> None:
    with home.person("zoe") as client:
        answer = sent(client, PAGE, **FORM | change)
        assert answer.status_code == 422
        assert f'<a href="#{field}">' in answer.text
        assert f'id="{field}-wrong"' in answer.text
        assert ("name" in change) or 'value="Paie &lt;1&gt;"' in answer.text
        assert 'value="write" checked' in answer.text or "scopes" in change
    assert tokens(home).of(person(home, "zoe").uuid) == ()


def test_nobody_revokes_somebody_elses(home: House) -> None:
    with home.person("zoe") as zoe, home.person("bob") as bob:
        sent(zoe, PAGE, **FORM)
        token = csrf_of(bob.get(PAGE).text)
        assert bob.post(f"{PAGE}/revoke", data={"csrf": token, "name": "Paie <1>"}).status_code == 404
    assert len(tokens(home).of(person(home, "zoe").uuid)) == 1
