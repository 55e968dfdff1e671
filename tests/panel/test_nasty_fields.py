"""Each field of each form with what nobody should send: an answer in the visitor's language, and never a failure.

All fields for texts of a form get the same at once, and so do the others; one by one where that tells nothing of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    "long": "x",
}
"""Control characters, places of sentences, markup, header lines, directions of writing, and what has no end."""

PAGES = (
    "/groups/new", "{club}", "{club}/owners", "{club}/members", "{club}/members/import",
    "{club}/members/dynamic", "{club}/membership", "{club}/delivery", "{club}/moderation", "{club}/suspend",
    "{club}/delete", "/groups", "/mine", "/requests", "/held", "/explain", "/trace", "/audit", "/status",
    "/account", "/pick",
)  # fmt: skip
LEFT_ALONE = frozenset({"csrf"})
_LARGE, _USUAL = 300_000, 50_000
"""Octets of a form that is too long for its fields, and not for its page."""
_TELLING = frozenset({200, 303, 422})
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


def wrong(answer: httpx.Response, typed: Mapping[str, str]) -> str:
    """What is wrong with an answer: it failed, speaks another language, marks no field, or has lost what was typed.

    :param typed: into fields for texts.
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
    forms = [form[2] for form in forms_of(answer)]
    lost = [
        name
        for name, value in typed.items()
        if not any(
            squeezed(value)[:_BEGINNING] in squeezed(kept) for form in forms for kept in form.get(name, ())
        )
    ]
    return f"not kept: {lost}" if lost else ""


@dataclass(frozen=True)
class Trial:
    """A form that is filled in badly."""

    client: httpx.Client
    method: str
    action: str
    fields: Fields
    texts: frozenset[str]

    def parts(self) -> list[frozenset[str]]:
        """The fields that are filled in together: those for texts, and the others."""
        names = self.fields.keys() - LEFT_ALONE
        return [part for part in (frozenset(names & self.texts), frozenset(names - self.texts)) if part]

    def failures(self, names: frozenset[str], kind: str) -> list[tuple[object, ...]]:
        """Fill in some fields, and then each by itself where that failed or the answer is about none of them."""
        answer, why = self._sent(names, kind)
        if len(names) > 1 and (why or answer.status_code not in _TELLING):
            single = [found for name in names for found in self.failures(frozenset({name}), kind)]
            if single:
                return single
        return [(self.action, sorted(names), kind, answer.status_code, why)] if why else []

    def _sent(self, names: frozenset[str], kind: str) -> tuple[httpx.Response, str]:
        value = NASTY[kind]
        if kind == "long":
            room = _LARGE if self.action.endswith(("/members", "/import")) else _USUAL
            value *= room // len(names)
        answer = sent(
            self.client, self.method, self.action, {**self.fields, **{name: [value] for name in names}}
        )
        typed = dict.fromkeys(names & self.texts, cleaned(value)) if kind != "surrogate" else {}
        return answer, wrong(answer, typed)


@pytest.mark.parametrize("page", PAGES)
def test_no_field_of_a_page_can_make_it_fail(home: House, club: str, page: str) -> None:
    path = page.format(club=club)
    with home.person("helene", "fr") as helene:
        shown = helene.get(path)
        assert shown.status_code == 200, path
        trials = [
            Trial(helene, method, action or path, fields, frozenset(texts))
            for method, action, fields, texts in forms_of(shown)
            if action != "/logout"
        ]
        failures = [
            failure
            for trial in trials
            for names in trial.parts()
            for kind in NASTY
            if (trial.method, kind) != ("get", "long")
            for failure in trial.failures(names, kind)
        ]
        assert failures == []
