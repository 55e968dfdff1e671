"""Each field of each form with what nobody should send: an answer in the visitor's language, and never a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from urllib.parse import urlencode

import httpx
import pytest
from babel.messages.pofile import read_po
from tests.panel.clubs import dissolved, founded
from tests.panel.filling import Fields, forms_of
from tests.panel.house import House
from tests.qa.source import PACKAGE

from groupmilter.panel.form import cleaned

NASTY = {
    "blanks": "  \t ",
    "unseen": "a\x00b {0} {why!r} %s <b>&amp;\"'",
    "surrogate": "a\ud800b\r\nBcc: x@y.example\r\n\r\nz",
    "look-alike": "z\u043ee@masoci\u0435te.example",
    "right-to-left": "\u202egro\u2066.elpmaxe@x\u200f",
    "escapes": "cn=a\\,b\\00c\\, \\#,dc=x",
    "filter": "ldap:///dc=masociete,dc=example??sub?(cn=\\zz)",
    "number": "9" * 5000,
    "long": "x" * 300_000,
}
"""Control characters, places of sentences, markup, header lines, directions of writing, and what has no end."""

PAGES = (
    "/groups/new", "{club}", "{club}/owners", "{club}/members", "{club}/members/import",
    "{club}/members/dynamic", "{club}/membership", "{club}/delivery", "{club}/moderation", "{club}/suspend",
    "{club}/delete", "/groups", "/mine", "/requests", "/held", "/explain", "/trace", "/audit", "/status",
    "/account", "/pick",
)  # fmt: skip
LEFT_ALONE = frozenset({"csrf"})
_BEGINNING = 60
"""Of what is too long for its field, so much is kept at least."""


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


@cache
def english() -> tuple[str, ...]:
    """What only English sentences of the catalogue say: their parts between values, of three words at least."""
    path = PACKAGE / "locale" / "fr" / "LC_MESSAGES" / "groupmilter.po"
    with path.open("rb") as file:
        entries = [entry for entry in read_po(file, locale="fr") if entry.id]
    sentences = [
        text for entry in entries for text in ((entry.id,) if isinstance(entry.id, str) else entry.id)
    ]
    parts = {part.strip(" .:,") for text in sentences for part in re.split(r"\{[^}]*\}", text)}
    french = "\n".join(str(entry.string) for entry in entries)
    return tuple(part for part in parts if part.count(" ") >= 2 and part not in french)


def squeezed(text: str) -> str:
    """A text without what parts lists of names, which a page may set otherwise."""
    return re.sub(r"[\s,;]+", "", text)


def wrong(answer: httpx.Response, typed: str) -> str:
    """What is wrong with an answer: it failed, speaks another language, marks no field, or has lost what was typed.

    :param typed: into a field for texts.
    """
    if answer.status_code >= 500:
        return "failed"
    if answer.status_code != 422:
        return ""
    if '<html lang="fr"' not in answer.text:
        return "language"
    text = unescape(answer.text)
    if found := [part for part in english() if part in text]:
        return f"English: {found}"
    if 'class="wrong"' not in answer.text:
        return "no field marked"
    kept = [value for form in forms_of(answer) for values in form[2].values() for value in values]
    if any(squeezed(typed)[:_BEGINNING] in squeezed(value) for value in kept):
        return ""
    return "not kept"


@pytest.mark.parametrize("page", PAGES)
def test_no_field_of_a_page_can_make_it_fail(home: House, club: str, page: str) -> None:
    path = page.format(club=club)
    with home.person("helene", "fr") as helene:
        shown = helene.get(path)
        assert shown.status_code == 200, path
        failures = []
        for method, action, fields, texts in forms_of(shown):
            if action in ("/logout",):
                continue
            for name in fields.keys() - LEFT_ALONE:
                for kind, value in NASTY.items():
                    if method == "get" and kind == "long":
                        continue
                    answer = sent(helene, method, action or path, {**fields, name: [value]})
                    if why := wrong(answer, cleaned(value) if name in texts and kind != "surrogate" else ""):
                        failures.append((action, name, kind, answer.status_code, why))
        assert failures == []
