"""Each field of each form with what nobody should send: an answer in the visitor's language, and never a failure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest
from tests.panel.clubs import dissolved, founded
from tests.panel.filling import Fields, forms_of
from tests.panel.house import House

from groupmilter.panel.form import cleaned

NASTY = {
    "blanks": "  \t ",
    "nul": "a\x00b",
    "surrogate": "a\ud800b",
    "right-to-left": "\u202egro\u2066.elpmaxe@x\u200f",
    "look-alike": "z\u043ee@masoci\u0435te.example",
    "escapes": "cn=a\\,b\\00c\\, \\#,dc=x",
    "lines": "a\r\nBcc: x@y.example\r\n\r\nz",
    "braces": "{0} {why} {x!r} %s",
    "markup": "<b>&amp;\"'",
    "number": "9" * 5000,
    "long": "x" * 300_000,
    "formula": "=1+1@x.example",
    "filter": "ldap:///dc=masociete,dc=example??sub?(cn=\\zz)",
}
PAGES = (
    "/groups/new", "{club}", "{club}/owners", "{club}/members", "{club}/members/import",
    "{club}/members/dynamic", "{club}/membership", "{club}/delivery", "{club}/moderation", "{club}/suspend",
    "{club}/delete", "/groups", "/mine", "/requests", "/held", "/explain", "/trace", "/audit", "/status",
    "/account", "/pick",
)  # fmt: skip
LEFT_ALONE = frozenset({"csrf"})


@pytest.fixture(scope="module")
def club(home: House) -> Iterator[str]:
    yield founded(home, "nasty", "description: The nasty\n")
    dissolved(home, "nasty")


def body(fields: Fields) -> bytes:
    pairs = [(name, value) for name, values in fields.items() for value in values]
    return urlencode(pairs, errors="surrogatepass").encode()


def sent(client: httpx.Client, method: str, action: str, fields: Fields) -> httpx.Response:
    if method == "get":
        return client.get(f"{action}?{body(fields).decode()}")
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return client.post(action, content=body(fields), headers=kind)


def wrong(answer: httpx.Response, name: str, typed: str) -> str:
    """What is wrong with an answer: it failed, speaks another language, names no field, or has lost what was typed."""
    if answer.status_code >= 500:
        return "failed"
    if answer.status_code != 422:
        return ""
    if '<html lang="fr"' not in answer.text:
        return "language"
    if 'href="#' not in answer.text.partition('role="alert"')[2].partition("</div>")[0]:
        return "no field named"
    if name.startswith("seen.") or any(
        typed in values for _, _, f in forms_of(answer) for values in f.values()
    ):
        return ""
    return "not kept"


@pytest.mark.parametrize("page", PAGES)
def test_no_field_of_a_page_can_make_it_fail(home: House, club: str, page: str) -> None:
    path = page.format(club=club)
    with home.person("helene", "fr") as helene:
        shown = helene.get(path)
        assert shown.status_code == 200, path
        failures = []
        for method, action, fields in forms_of(shown):
            if action in ("/logout",):
                continue
            for name in fields.keys() - LEFT_ALONE:
                for kind, value in NASTY.items():
                    if method == "get" and kind == "long":
                        continue
                    answer = sent(helene, method, action or path, {**fields, name: [value]})
                    if why := wrong(answer, name, cleaned(value)):
                        failures.append((action, name, kind, answer.status_code, why))
        assert failures == []
