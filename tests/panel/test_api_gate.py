"""Who gets to the API, and what everybody else is told: by token alone, in problems, with the guard's headers."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.membership.offices import PEOPLE
from tests.panel.calling import ADMINISTRATOR, MAKER, at_fault, calling, person, problem, token, tokens
from tests.panel.house import House

from groupmilter.panel.api.access import PREFIX, Scope
from groupmilter.panel.api.app import api
from groupmilter.panel.api.gate import Bounds
from groupmilter.panel.client import Clients

CONTACT = "/groups/contact@masociete.example"


def test_the_token_says_who_calls_and_what_for(home: House) -> None:
    with calling(home, "jean", [Scope.READ]) as jean:
        me = jean.get("/me").json()
    assert (me["address"], me["scopes"], me["administers"]) == (
        "jean.dupont@masociete.example",
        ["read"],
        False,
    )
    with calling(home, ADMINISTRATOR) as administrator:
        assert administrator.get("/me").json()["administers_everything"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", f"Bearer {PREFIX}unknown", "Basic amVhbjpqZWFu"]
)
@pytest.mark.parametrize("path", ["/me", "/openapi.json", "/nothing"])
def test_nobody_without_a_token_learns_anything(home: House, header: str, path: str) -> None:
    with home.anybody() as program:
        answer = program.get(f"/api/v1{path}", headers={"authorization": header} if header else {})
    problem(answer, 401, "no-token")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"


def test_a_browsers_session_is_none_here(home: House) -> None:
    with home.person("jean") as browser:
        problem(browser.get("/api/v1/me"), 401, "no-token")


def test_a_token_does_no_more_than_it_was_made_for(home: House) -> None:
    with calling(home, ADMINISTRATOR, [Scope.READ]) as reader:
        assert reader.get(CONTACT).status_code == 200
        said = problem(reader.patch(CONTACT, json={"name": "Mine"}), 403, "not-in-scope")
        assert "write" in said["detail"]
    with calling(home, ADMINISTRATOR, [Scope.DECIDE]) as decider:
        problem(decider.get("/me"), 403, "not-in-scope")


def test_a_revoked_token_is_none_at_once(home: House) -> None:
    with calling(home, "jean") as jean:
        assert jean.get("/me").status_code == 200
        for row in tokens(home).of(person(home, "jean").uuid):
            tokens(home).revoke(row, MAKER)
        problem(jean.get("/me"), 401, "no-token")


def test_sentences_come_in_the_language_that_is_asked_for(home: House) -> None:
    with calling(home, "jean", language="fr") as jean:
        said = problem(jean.get("/groups/rien@masociete.example"), 404, "not-found")
        assert said["detail"] == "Cela n’existe pas, ou ne vous concerne pas."
        assert jean.get("/nothing").headers["content-language"] == "fr"
        wrong = at_fault(problem(jean.post("/groups", json={"hidden": "oui"}), 422, "invalid"))
        assert wrong == {"address": "Ce champ est nécessaire.", "hidden": "Il faut true ou false."}


def test_what_is_no_call(home: House) -> None:
    with calling(home, "jean") as jean:
        problem(jean.get("/nothing"), 404, "not-found")
        answer = jean.put(CONTACT, json={})
        problem(answer, 405, "method")
        assert answer.headers["allow"] == "DELETE, GET, PATCH"
        json = {"content-type": "application/json"}
        problem(jean.post("/groups", content=b"{", headers=json), 400, "malformed")
        problem(jean.post("/groups", content=b"{}", headers={"content-type": "text/plain"}), 415, "media")
        problem(jean.post("/groups", content=b"x" * 70_000, headers=json), 413, "too-large")


def test_too_many_calls_and_too_many_bad_tokens_wait(home: House) -> None:
    bounded = api(
        home.parts, lambda _, said: said, Clients(), lambda _, __: None, Bounds(calls=3), lambda: 0.0
    )
    good = {"authorization": f"Bearer {token(home, 'jean')}"}
    transport = httpx.ASGITransport(bounded, client=("192.0.2.1", 1))

    async def asked(headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://panel") as client:
            return await client.get("/me", headers=headers)

    for _ in range(20):
        problem(asyncio.run(asked({})), 401, "no-token")
    waiting = asyncio.run(asked({}))
    problem(waiting, 429, "too-many")
    assert 1 <= int(waiting.headers["retry-after"]) <= 60
    assert [asyncio.run(asked(good)).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_it_describes_itself_to_whoever_has_a_token(home: House) -> None:
    with calling(home, "jean", [Scope.READ]) as jean:
        document = jean.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    calls = [call for path in document["paths"].values() for call in path.values()]
    assert len({call["operationId"] for call in calls}) == len(calls)
    for call in calls:
        assert {"401", "403", "422", "429", "500", "503"} <= call["responses"].keys(), call["operationId"]
        assert call["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert f"uid=jean,{PEOPLE}" not in str(document)
