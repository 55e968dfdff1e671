"""French and English are equals: what code and templates say is in the French catalogue, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from tests.qa.source import PACKAGE

from groupmilter.language.catalogue import LANGUAGES, catalogue

KEYWORDS = dict.fromkeys(("t", "say", "marked", "_")) | {"counted": (1, 2)}
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
PLACE = re.compile(r"\{[^}]*\}")
SAME = {"Description", "Message", "Messages"}
PLURALS = {"fr": "(n > 1)"}


@dataclass(frozen=True)
class Sentence:
    """One sentence of the source: its English form or forms, and where it is said."""

    forms: tuple[str, ...]
    where: str


@cache
def sentences() -> list[Sentence]:
    found: dict[tuple[str, ...], Sentence] = {}
    for file, line, message, _, _ in extract_from_dir(str(PACKAGE), METHODS, keywords=KEYWORDS):
        forms = (message,) if isinstance(message, str) else tuple(message)
        found.setdefault(forms, Sentence(forms, f"{file}:{line}"))
    return sorted(found.values(), key=lambda sentence: sentence.forms)


@cache
def french() -> Catalog:
    path = PACKAGE / "locale" / "fr" / "LC_MESSAGES" / "groupmilter.po"
    with path.open("rb") as file:
        return read_po(file, locale="fr", abort_invalid=True)


def translated(sentence: Sentence) -> tuple[str, ...]:
    entry = french().get(sentence.forms[0] if len(sentence.forms) == 1 else sentence.forms)
    assert entry is not None, f"{sentence.where}: not in French: {sentence.forms[0]}"
    return (entry.string,) if isinstance(entry.string, str) else tuple(entry.string or ())


def test_there_are_sentences_of_pages_and_letters() -> None:
    places = {sentence.where.split("/")[0] for sentence in sentences()}
    assert places == {"directory", "enrolment", "membership", "moderation", "panel"}
    assert len(sentences()) > 150


@pytest.mark.parametrize("sentence", sentences(), ids=lambda sentence: sentence.forms[0][:60])
def test_each_is_there_in_french_with_the_same_places(sentence: Sentence) -> None:
    for form, text in zip(sentence.forms, translated(sentence), strict=True):
        assert text
        assert sorted(PLACE.findall(text)) == sorted(PLACE.findall(form))
        assert text != form or form in SAME or not re.search("[a-z]{3}", PLACE.sub("", form))


@pytest.mark.parametrize("sentence", sentences(), ids=lambda sentence: sentence.forms[0][:60])
def test_french_is_set_as_french_wants_it(sentence: Sentence) -> None:
    for text in translated(sentence):
        assert "'" not in text, "the apostrophe is ’"
        assert not re.search(r"[^\u00a0][:;»!?]|«[^\u00a0]", text), "no-break spaces"
        assert not re.search(r"\d \d|[\d}] (?:s|h|Mo|ko)(?![\w’])", text), (
            "numbers and their units stay together"
        )


def test_the_french_catalogue_says_nothing_that_nobody_says() -> None:
    said = {form for sentence in sentences() for form in sentence.forms[:1]}
    kept = {entry.id if isinstance(entry.id, str) else entry.id[0] for entry in french() if entry.id}
    assert kept - said == set()


def counted() -> list[Sentence]:
    return [sentence for sentence in sentences() if len(sentence.forms) == 2]


@pytest.mark.parametrize("sentence", counted(), ids=lambda sentence: sentence.forms[0][:60])
def test_a_count_has_the_forms_of_each_language(sentence: Sentence) -> None:
    said, (one, many) = catalogue(), sentence.forms
    assert [said.counted("en", one, many, number) for number in (0, 1, 2)] == [many, one, many]
    french_one, french_many = translated(sentence)
    assert [said.counted("fr", one, many, n) for n in (0, 1, 2)] == [french_one, french_one, french_many]
    assert french().plural_expr == PLURALS["fr"]


def test_a_language_without_catalogue_is_shown_english() -> None:
    said = catalogue()
    assert set(said.translations) == set(LANGUAGES)
    assert said("de", "Approve") == said("en", "Approve") == "Approve"
    assert [said.counted("de", "one", "many", number) for number in (0, 1, 2)] == ["many", "one", "many"]
