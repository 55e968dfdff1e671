"""The frame around every page: log-in, the way back, forms of one's own session, languages, the directory down."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest
from tests.panel.house import House, csrf, logged_in


def test_whoever_is_not_logged_in_gets_to_the_form_and_back(home: House) -> None:
    with home.anybody() as client:
        answer = client.get("/?tab=1")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=%2F%3Ftab%3D1"
        form = client.get(answer.headers["location"])
        assert 'value="/?tab=1"' in form.text
        wanted = {"csrf": csrf(form), "next": "/?tab=1", "login": "jean", "password": "jean-secret"}
        assert client.post("/login", data=wanted).headers["location"] == "/?tab=1"


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:1"]
)
def test_a_link_leads_nowhere_else_after_the_login(home: House, elsewhere: str) -> None:
    with home.anybody() as client:
        form = client.get("/login", params={"next": elsewhere})
        assert 'name="next" value="/"' in form.text
        wanted = {"csrf": csrf(form), "next": elsewhere, "login": "jean", "password": "jean-secret"}
        assert client.post("/login", data=wanted).headers["location"] == "/"


def test_a_wrong_password_says_no_more_than_that(home: House) -> None:
    with home.anybody() as client:
        answer = logged_in(client, "jean", "wrong")
        assert answer.status_code == 403
        assert "The log-in name or the password is wrong." in answer.text
        assert 'value="jean"' in answer.text
        assert "wrong&#34;" not in answer.text
        assert home.parts.door.cookie.full_name not in client.cookies


def test_a_form_of_another_session_changes_nothing_and_keeps_what_was_typed(home: House) -> None:
    with home.person("jean") as client:
        answer = client.post("/logout", data={"csrf": "another's", "note": "mine & <yours>"})
        assert answer.status_code == 403
        assert "mine &amp; &lt;yours&gt;" in answer.text
        assert "another" not in answer.text
        assert client.get("/login").status_code == 303, "still logged in"
        again = client.post("/logout", data={"csrf": csrf(answer)})
        assert again.headers["location"] == "/login?said=out"
        assert client.get("/login?said=out").text.count("You are logged out.") == 1


def test_what_was_typed_outlives_the_session_and_is_called_by_the_names_of_the_page(home: House) -> None:
    where = f"/groups/{home.group('equipe').uuid}"
    typed = {"seen.description": "", "description": "Outlived", "aliases.add": "", "owners.add": "bob"}
    with home.person("zoe", "fr") as client:
        client.cookies.delete(home.parts.door.cookie.full_name)
        answer = client.post(where, data=typed)
        assert answer.status_code == 401
        assert "<dt>Description</dt>" in answer.text
        assert "<dt>Propriétaires (Ajouter)</dt>" in answer.text
        assert "<dt>seen" not in answer.text
        assert "Autres adresses" not in answer.text
        logged_in(client, "zoe", "zoe-secret")
        again = client.post(where, data={name: kept(answer, name) for name in typed})
        assert again.status_code == 403
        assert "Veuillez confirmer" in again.text
        sent = {name: kept(again, name) for name in ("seen.description", "description")}
        assert client.post(where, data={"csrf": csrf(again), **sent}).status_code == 303
    assert home.office.values("equipe", "description") == ["Outlived"]


def kept(page: httpx.Response, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{re.escape(name)}" value="([^"]*)">', page.text)
    assert found is not None, page.text
    return unescape(found[1])


def test_a_foreign_page_sends_no_form(home: House) -> None:
    with home.person("jean") as client:
        token = csrf(client.post("/logout", data={"csrf": ""}))
        for header in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            answer = client.post("/logout", data={"csrf": token}, headers=header)
            assert answer.status_code == 403
        assert client.get("/login").status_code == 303


def test_the_language_is_the_persons_then_what_he_chooses(home: House) -> None:
    with home.anybody("fr") as client:
        assert '<html lang="fr">' in client.get("/login").text
        assert '<html lang="en">' in client.get("/login?lang=en").text
        assert '<html lang="en">' in client.get("/login").text


def test_every_page_has_the_strict_headers(home: House) -> None:
    with home.person("jean") as client:
        headers = client.get("/login").headers
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        page = client.get("/nowhere")
        assert page.status_code == 404
        assert not re.search(r"<[^>]* (style|on[a-z]+)=", page.text)


def test_a_partial_question_without_session_sends_the_whole_browser_to_the_form(home: House) -> None:
    with home.anybody() as client:
        answer = client.get("/", headers={"hx-request": "true"})
        assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/login?next=%2F")
