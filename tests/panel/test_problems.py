"""Links that decide nothing, and requests that are none: a clear page, the right status, and little of it recorded."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network

import pytest
from tests.panel.standin import JEAN, NOW, Answer, Desk, Site, item, panel

from groupmilter.groups.person import Node, Person
from groupmilter.groups.ticket import Kind
from groupmilter.moderation.decision import Problem
from groupmilter.panel.typed import word

STRANGER = Person(Node(9), "u-stranger", "uid=x", "X", "x@masociete.example")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-robots-tag": "noindex, nofollow, noarchive",
}
LONGEST = 64 * 1024


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def site(desk: Desk) -> Iterator[Site]:
    with panel(desk) as running:
        yield running


def links(desk: Desk) -> dict[Problem, str]:
    held = desk.put(item())
    good = desk.token(held)
    return {
        Problem.FORGED: good[:-1] + ("a" if good[-1] != "a" else "b"),
        Problem.EXPIRED: desk.token(held, expires=NOW - 1),
        Problem.GONE: desk.token(item(77)),
        Problem.FOREIGN: desk.token(held, STRANGER),
    }


@pytest.mark.parametrize(
    ("problem", "status", "words"),
    [
        (Problem.FORGED, 404, "isn&#39;t valid"),
        (Problem.EXPIRED, 410, "has expired"),
        (Problem.GONE, 404, "no longer here"),
        (Problem.FOREIGN, 403, "can&#39;t decide"),
    ],
)
def test_a_bad_link_is_explained_and_recorded_once(
    site: Site, desk: Desk, problem: Problem, status: int, words: str
) -> None:
    token = links(desk)[problem]
    for at, page in enumerate(
        (site.ask(f"/decide/{token}"), site.post(f"/decide/{token}", decision="approve"))
    ):
        assert page.status == status
        assert words in page.text
        assert "Nothing was decided." in page.text
        found, who, detail = desk.refusals[at]
        assert (found, who.name, who.origin) == (problem, "", "127.0.0.1")
        assert token not in detail
    assert len(desk.refusals) == 2
    assert desk.decided == []


def test_a_mail_address_token_is_no_link(site: Site, desk: Desk) -> None:
    token = desk.token(desk.put(item()), kind=Kind.ANSWER)
    assert site.post(f"/decide/{token}", decision="approve", word=word(token, "en")).status == 404
    assert desk.decided == []


@pytest.mark.parametrize(
    "text", ["x", "a" * 51, "a" * 53, "a" * 5000, "%00" * 52, "%F0%9F%98%80" * 52, "%ff" * 52]
)
def test_nonsense_is_forged(site: Site, text: str) -> None:
    page = site.ask(f"/decide/{text}")
    assert page.status == 404
    assert "isn&#39;t valid" in page.text


def test_a_directory_that_can_not_tell_asks_to_come_again(site: Site, desk: Desk) -> None:
    desk.problem = Problem.UNKNOWN
    page = site.ask(f"/decide/{desk.token(desk.put(item()))}")
    assert page.status == 503
    assert page.headers["retry-after"] == "30"
    assert "Your link stays valid." in page.text
    assert desk.refusals == []


def test_many_bad_links_are_not_all_recorded(desk: Desk) -> None:
    with panel(desk, bad_tokens=5, monotonic=lambda: 100.0) as site:
        bad = [f"/decide/{'a' * 52}"] * 40
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(site.ask, bad))
        assert sorted(answer.status for answer in answers) == [404] * 5 + [429] * 35
        assert len(desk.refusals) == 5
        last = next(answer for answer in answers if answer.status == 429)
        assert last.headers["retry-after"] == "60"
        assert "valid links work all the time" in last.text
        good = desk.token(desk.put(item()))
        assert site.ask(f"/decide/{good}").status == 200
        assert site.post(f"/decide/{good}", decision="approve", word=word(good, "en")).status == 200


def test_a_minute_later_counting_begins_anew(desk: Desk) -> None:
    now = [100.0]
    with panel(desk, bad_tokens=1, monotonic=lambda: now[0]) as site:
        assert [site.ask("/decide/x").status for _ in range(3)] == [404, 429, 429]
        now[0] += 60
        assert site.ask("/decide/x").status == 404


def test_behind_a_proxy_each_client_counts_for_itself(desk: Desk) -> None:
    with panel(desk, bad_tokens=1, proxies=(ip_network("127.0.0.0/8"),)) as site:
        statuses = [
            site.ask("/decide/x", headers={"x-forwarded-for": f"10.9.9.9, 192.0.2.{n}"}).status
            for n in (1, 2, 1)
        ]
    assert statuses == [404, 404, 429]
    assert [who.origin for _, who, _ in desk.refusals] == ["192.0.2.1", "192.0.2.2"]


def test_nobody_else_is_believed_about_addresses(site: Site, desk: Desk) -> None:
    site.ask("/decide/x", headers={"x-forwarded-for": "192.0.2.1"})
    assert desk.refusals[0][1].origin == "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "null"}, 200),
        ({"origin": "http://127.0.0.1:{port}"}, 200),
        ({"origin": "https://panel.masociete.example"}, 200),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "https://[broken"}, 403),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:{port}"}, 403),
    ],
)
def test_a_form_from_elsewhere_decides_nothing(desk: Desk, headers: dict[str, str], status: int) -> None:
    token = desk.token(desk.put(item()))
    with panel(desk, url="https://panel.masociete.example/") as site:
        sent = {name: value.replace("{port}", str(site.port)) for name, value in headers.items()}
        page = site.post(f"/decide/{token}", sent, decision="approve", word=word(token, "en"))
    assert page.status == status
    assert len(desk.decided) == (status == 200)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b'{"decision":"approve"}', 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("text/plain", b"decision=approve", 415),
        ("", b"decision=approve", 415),
        ("application/x-www-form-urlencoded; charset=utf-8", b"decision=approve", 422),
        ("application/x-www-form-urlencoded", b"decision=\xff\xfe", 400),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(100)), 400),
        ("application/x-www-form-urlencoded", b"decision=%FF%00&word=%ED%A0%80", 422),
        ("application/x-www-form-urlencoded", b"reason=" + b"x" * (LONGEST - 7), 422),
        ("application/x-www-form-urlencoded", b"reason=" + b"x" * LONGEST, 413),
    ],
)
def test_what_is_no_form_is_refused(
    site: Site, desk: Desk, content_type: str, body: bytes, status: int
) -> None:
    token = desk.token(desk.put(item()))
    page = site.ask(f"/decide/{token}", "POST", body, {"content-type": content_type})
    assert page.status == status
    assert "Nothing" in page.text
    assert desk.decided == []


def test_methods_that_are_not_served(site: Site, desk: Desk) -> None:
    path = f"/decide/{desk.token(desk.put(item()))}"
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
        page = site.ask(path, method)
        assert page.status == 405
        assert set(page.headers["allow"].replace(" ", "").split(",")) <= {"GET", "HEAD", "POST"}
        assert "can&#39;t be used that way" in page.text
    assert site.ask("/healthz", "POST").status == 405


@pytest.mark.parametrize(
    "path", ["/", "/decide", "/decide/", "/decide/a/b", "/docs", "/openapi.json", "/static/x.css"]
)
def test_other_places_do_not_exist(site: Site, path: str) -> None:
    page = site.ask(path, headers={"accept-language": "fr-CA, en;q=0.5"})
    assert page.status == 404
    assert "[fr] There is no such page" in page.text
    assert 'href="/groups"' not in page.text, "there are none here"


def test_a_mistake_of_ours_is_logged_and_not_shown(site: Site, desk: Desk) -> None:
    token = desk.token(desk.put(item()))
    desk.failure = RuntimeError("the innermost secret")
    page = site.ask(f"/decide/{token}")
    assert page.status == 500
    assert "Something went wrong here" in page.text
    for hidden in ("secret", "Traceback", "RuntimeError", token):
        assert hidden not in page.text
    ((level, event, fields),) = site.log.lines
    assert (level, event, fields["kind"]) == ("error", "page failed", "RuntimeError")
    assert token not in str(fields)


def everything(site: Site, desk: Desk) -> list[Answer]:
    """One of each kind of answer."""
    token = desk.token(desk.put(item()))
    pages = [
        site.ask(path) for path in ("/healthz", "/robots.txt", "/nothing", "/decide/x", f"/decide/{token}")
    ]
    pages += [
        site.ask(f"/decide/{token}", "HEAD"),
        site.ask(f"/decide/{token}", "PUT"),
        site.post(f"/decide/{token}"),
    ]
    pages.append(site.post(f"/decide/{token}", decision="approve", word=word(token, "en")))
    pages.append(site.post(f"/decide/{token}", {"origin": "https://x.example"}))
    pages.append(site.ask(f"/decide/{token}", "POST", b"x" * LONGEST * 2))
    desk.failure = RuntimeError("x")
    return [*pages, site.ask(f"/decide/{token}")]


def test_every_answer_bears_the_strict_headers(site: Site, desk: Desk) -> None:
    answers = everything(site, desk)
    assert [answer.status for answer in answers] == [
        200,
        200,
        404,
        404,
        200,
        200,
        405,
        422,
        200,
        403,
        415,
        500,
    ]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert answer.headers["cache-control"] == "no-store"
        assert "camera=()" in answer.headers["permissions-policy"]
        assert "server" not in answer.headers
        assert "set-cookie" not in answer.headers


def test_pages_bring_no_script_and_nothing_from_elsewhere(site: Site, desk: Desk) -> None:
    for answer in everything(site, desk):
        for absent in (
            "<script",
            "javascript:",
            "http://",
            "https://",
            "style=",
            "onclick",
            "<img",
            "<iframe",
        ):
            assert absent not in answer.text


def test_the_stylesheet_is_named_by_its_content(site: Site, desk: Desk) -> None:
    page = site.ask(f"/decide/{desk.token(desk.put(item()))}").text
    path = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    style = site.ask(path)
    assert style.status == 200
    assert style.headers["content-type"].startswith("text/css")
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert {name: style.headers.get(name) for name in HEADERS} == HEADERS
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_small_pages(site: Site) -> None:
    assert site.ask("/healthz").body == b"ok\n"
    assert site.ask("/robots.txt").text == "User-agent: *\nDisallow: /\n"


def test_the_moderators_name_is_in_the_audit_and_no_token(site: Site, desk: Desk) -> None:
    token = desk.token(desk.put(item()))
    site.post(f"/decide/{token}", decision="approve", word=word(token, "en"))
    assert desk.decided[0][2].name == JEAN.address
    assert token not in str(desk.decided)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_link_with_something_more_leads_nowhere_else(site: Site, desk: Desk, method: str) -> None:
    token = desk.token(desk.put(item()))
    for path in (f"/decide/{token}/", f"/decide/{token}/?lang=fr", f"//decide/{token}", "/healthz/"):
        answer = site.ask(path, method, headers={"Host": "evil.example"})
        assert answer.status in (404, 405), path
        assert not any(name.lower() == "location" for name in answer.headers), path
        assert token not in answer.text
