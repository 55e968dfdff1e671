"""Logging in at the real panel, against a real slapd: cookies, planted ones, who is told what, what ends a session."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from tests.membership.offices import PEOPLE
from tests.panel.calling import calling, person
from tests.panel.house import ADMINISTRATORS, House, csrf, house, logged_in

from groupmilter.moderation.item import Way
from groupmilter.panel.cookie import form_cookie, session_cookie

NAME = "groupmilter"
JOSE = "jose.munoz@masociete.example"
LOCK = """\
dn: cn=lock,cn=schema,cn=config
changetype: add
objectClass: olcSchemaConfig
cn: lock
olcAttributeTypes: ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
"""
"""What 389 Directory Server locks accounts by."""
POLICY = """\
dn: cn=module{0},cn=config
changetype: modify
add: olcModuleLoad
olcModuleLoad: ppolicy

dn: olcOverlay=ppolicy,olcDatabase={1}mdb,cn=config
changetype: add
objectClass: olcOverlayConfig
objectClass: olcPPolicyConfig
olcOverlay: ppolicy
"""
"""The overlay that notes when a password was set (slapo-ppolicy(5))."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that slows nobody down while its tests try things."""
    patience = "{tries: 1000, tries_by_address: 100000}"
    more = f"panel: {{administrators: '{ADMINISTRATORS}', login: {patience}}}\n"
    with house(tmp_path_factory.mktemp("house"), more) as made:
        yield made


def is_in(client: httpx.Client) -> bool:
    return client.get("/login").status_code == 303


def token(client: httpx.Client) -> str:
    return client.cookies.get(NAME) or ""


def test_a_log_in_gives_a_new_token_whatever_the_browser_brought(home: House) -> None:
    with home.anybody() as client, home.anybody() as thief:
        client.cookies.set(NAME, "planted-by-somebody-else")
        answer = logged_in(client, "pierre", "pierre-secret")
        cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{NAME}="))
        assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
            "httponly",
            "path=/",
            "samesite=lax",
        }
        assert "planted" not in cookie
        thief.cookies.set(NAME, "planted-by-somebody-else")
        assert not is_in(thief)


def test_who_logs_in_again_ends_the_session_before(home: House) -> None:
    """A log-in form was still open in another tab."""
    with home.anybody() as client, home.anybody() as old:
        page = client.get("/login")
        wanted = {"csrf": csrf(page), "login": "pierre", "password": "pierre-secret"}
        assert client.post("/login", data=wanted).status_code == 303
        old.cookies.set(NAME, token(client))
        assert is_in(old)
        again = client.post("/login", data={**wanted, "login": "jean", "password": "jean-secret"})
        assert again.status_code == 303
        assert is_in(client)
        assert not is_in(old)


def test_nobody_is_logged_in_by_a_page_of_somebody_elses(home: House) -> None:
    wanted = {"login": "pierre", "password": "pierre-secret"}
    with home.anybody() as client, home.anybody() as other:
        word = csrf(other.get("/login"))
        for form in (wanted, {**wanted, "csrf": word}, {**wanted, "csrf": ""}):
            assert client.post("/login", data=form).status_code == 403
        client.get("/login")
        assert client.post("/login", data={**wanted, "csrf": word}).status_code == 403
        crossing = {"sec-fetch-site": "cross-site"}
        own = {**wanted, "csrf": csrf(client.get("/login"))}
        assert client.post("/login", data=own, headers=crossing).status_code == 403
        assert not is_in(client)


def test_an_unknown_name_can_not_be_told_from_a_wrong_password(home: House) -> None:
    """Neither by words, nor by status, nor by time."""
    times: dict[str, list[float]] = {"pierre": [], "no-such-person": []}
    pages: dict[str, set[tuple[int, str]]] = {name: set() for name in times}
    with home.anybody() as client:
        for _ in range(3):
            for name, taken in times.items():
                began = time.monotonic()
                answer = logged_in(client, name, "wrong")
                taken.append(time.monotonic() - began)
                pages[name].add((answer.status_code, answer.text.replace(name, "NAME")))
    assert pages["pierre"] == pages["no-such-person"]
    assert len(pages["pierre"]) == 1
    # Both wait for the same moment; a busy machine may add to either.
    assert min(min(taken) for taken in times.values()) >= 0.5
    assert abs(min(times["pierre"]) - min(times["no-such-person"])) < 5


def test_log_ins_good_and_bad_are_in_the_audit(home: House) -> None:
    bob = "bob.petit@masociete.example"
    typed = (("Bob", "bob-secret"), (bob, "wrong"), ("hunter2", "typed-into-the-wrong-field"))
    for name, password in typed:
        with home.anybody() as client:
            logged_in(client, name, password)
    rows = [row for row in home.parts.ledger.audit(limit=20) if row.action.startswith("log-in")]
    latest = sorted(rows, key=lambda row: row.id)[-3:]
    assert [(row.action, row.actor, row.detail) for row in latest] == [
        ("log-in", bob, ""), ("log-in-failed", bob, "wrong"), ("log-in-failed", "", "wrong"),
    ]  # fmt: skip
    assert {(row.way, row.origin) for row in latest} == {(Way.PANEL.value, "127.0.0.1")}
    secrets = ("hunter2", "typed-into", "bob-secret")
    assert not any(word in str(home.site.log) for word in secrets)
    assert not any(word in repr(row) for row in latest for word in secrets)


def test_a_session_ends_at_once_when_its_person_is_locked_and_when_he_is_gone(home: House) -> None:
    slapd = home.office.slapd
    slapd.configure_live(LOCK)
    # A search that runs already doesn't get what its attributes came to mean.
    slapd.stop()
    slapd.start()
    for uid in ("temp-locked", "temp-gone"):
        slapd.add(
            f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\nuid: {uid}\n"
            f"cn: {uid}\nsn: {uid}\nmail: {uid}@masociete.example\nuserPassword: {uid}-secret\n"
        )
    home.until(lambda: _known(home, "temp-gone"))
    with home.person("temp-locked") as locked, home.person("temp-gone") as gone:
        assert is_in(locked)
        assert is_in(gone)
        slapd.replace(f"uid=temp-locked,{PEOPLE}", nsAccountLock="TRUE")
        slapd.delete(f"uid=temp-gone,{PEOPLE}")
        home.until(lambda: not is_in(locked))
        home.until(lambda: not is_in(gone))
        slapd.replace(f"uid=temp-locked,{PEOPLE}", nsAccountLock=[])
        home.until(lambda: logged_in(locked, "temp-locked", "temp-locked-secret").status_code == 303)


def test_a_changed_password_ends_the_sessions_before_it_and_leaves_tokens(home: House) -> None:
    """Who knew the old password is out; programs, which never knew it, go on, and their person is told."""
    slapd = home.office.slapd
    slapd.configure_live(POLICY)
    # A search that runs already doesn't get what its attributes came to mean.
    slapd.stop()
    slapd.start()
    with home.person("anais", "fr") as thief, calling(home, "anais") as program:
        assert "plus ancien que votre mot de passe" not in thief.get("/account/tokens").text
        # Passwords are timed by the second, and session and token are of this one.
        began = int(time.time())
        home.until(lambda: int(time.time()) > began)
        slapd.replace(f"uid=anais,{PEOPLE}", userPassword="another-secret")
        with home.anybody("fr") as her:
            assert logged_in(her, "anais", "another-secret").status_code == 303
            home.until(lambda: person(home, "anais").password_changed)
            home.until(lambda: not is_in(thief))
            assert is_in(her), "also once the mirror knows"
            assert program.get("/me").status_code == 200
            page = her.get("/account/tokens").text
            assert "plus ancien que votre mot de passe" in page
            assert "Votre mot de passe a changé pour la dernière fois le" in page
    rows = [row for row in home.parts.ledger.audit(action="session-end") if row.detail == "password"]
    assert [row.actor for row in rows] == [f"uid=anais,{PEOPLE}"]


def _known(home: House, uid: str) -> bool:
    with home.parts.lookups.snapshot() as directory:
        return directory.by_dn(f"uid={uid},{PEOPLE}") is not None


def test_logging_out_everywhere_ends_all_sessions_and_no_page_stays_in_a_cache(home: House) -> None:
    with home.person("jose") as here, home.person("jose") as there, home.person("zoe") as other:
        page = here.get("/")
        assert page.headers["cache-control"] == "no-store"
        stale = here.post("/logout", data={"csrf": ""})
        assert here.post("/logout", data={"csrf": csrf(stale), "everywhere": "yes"}).status_code == 303
        assert (is_in(here), is_in(there), is_in(other)) == (False, False, True)
    row = home.parts.ledger.audit(action="log-out-everywhere")[-1]
    assert (row.actor, row.way, row.origin, row.detail) == (JOSE, "panel", "127.0.0.1", "sessions: 2")


def test_a_log_out_is_in_the_audit_as_the_log_in_is(home: House) -> None:
    with home.person("jose") as client:
        assert client.post("/logout", data={"csrf": csrf(client.get("/account"))}).status_code == 303
        assert not is_in(client)
    rows = [row for row in home.parts.ledger.audit(limit=100_000) if row.actor == JOSE]
    assert [(row.action, row.origin) for row in rows[-2:]] == [
        ("log-in", "127.0.0.1"),
        ("log-out", "127.0.0.1"),
    ]


def test_logging_out_everywhere_takes_the_tokens_where_that_is_wished(home: House) -> None:
    """Somebody who was in the account could have made himself one; but programs stop, so it is asked."""
    with home.person("jose") as client:
        assert 'name="tokens"' not in client.get("/account").text, "there are none"
    with calling(home, "jose") as program:
        for wish, answered in (({}, 200), ({"tokens": "yes"}, 401)):
            with home.person("jose") as client:
                page = client.get("/account")
                assert re.search(r'name="tokens" value="yes">', page.text), "not ticked"
                given = {"csrf": csrf(page), "everywhere": "yes", **wish}
                assert client.post("/logout", data=given).status_code == 303
                assert not is_in(client)
            assert program.get("/me").status_code == answered
    revoked = home.parts.ledger.audit(action="access-token-revoke")[-1]
    assert (revoked.actor, revoked.way) == (JOSE, "panel")


def test_too_many_failures_are_told_the_seconds(tmp_path: Path) -> None:
    more = "panel: {login: {tries: 2, longest_wait: 1h}}\n"
    with house(tmp_path, more) as strict, strict.anybody() as client:
        said = [logged_in(client, "pierre", "wrong")]
        # Waits double, so that however slow this machine is, one comes that isn't over yet.
        while said[-1].status_code == 403 and len(said) < 50:
            said.append(logged_in(client, "pierre", "wrong"))
        assert len(said) > 2
        assert said[-1].status_code == 429
        assert "Please wait" in said[-1].text
        assert logged_in(client, "jean", "jean-secret").status_code == 303, "another name"


def test_over_https_the_cookies_are_this_hosts_alone() -> None:
    request = Request({"type": "http", "headers": []})
    for cookie, value in (
        (session_cookie("https://g.example"), "v"),
        (form_cookie("https://g.example").cookie, "w"),
    ):
        response = Response()
        cookie.give(response, value)
        given = response.headers["set-cookie"]
        assert given.startswith("__Host-groupmilter")
        parts = {part.strip().lower() for part in given.split(";")[1:]}
        assert parts == {"httponly", "path=/", "samesite=lax", "secure"}
        # What a neighbouring host may set has not this name.
        tossed = Request({"type": "http", "headers": [(b"cookie", f"{cookie.name}=tossed".encode())]})
        assert cookie.read(tossed) == cookie.read(request) == ""
    assert not session_cookie("http://127.0.0.1:8025").secure
