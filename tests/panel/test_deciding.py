"""A moderator's link over real HTTP: who asks sees little, who types the word decides, once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from tests.panel.standin import ALICE, JEAN, NOW, SENDER, Desk, Site, item, panel

from groupmilter.directory.writer import DirectoryUnavailable, WriteRefused
from groupmilter.language.catalogue import catalogue
from groupmilter.moderation.item import Event, Item, State, Way
from groupmilter.moderation.ledger import LedgerUnavailable
from groupmilter.moderation.remembering import BY_RULE
from groupmilter.panel.typed import word
from groupmilter.policy.facts import Strength

FRENCH, ENGLISH = "?lang=fr", "?lang=en"


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def site(desk: Desk) -> Iterator[Site]:
    with panel(desk, zone=timezone(timedelta(hours=1))) as running:
        yield running


def path_of(desk: Desk, held: Item, language: str = ENGLISH, **more: object) -> str:
    return f"/decide/{desk.token(held, **more)}{language}"  # type: ignore[arg-type]


def typed(desk: Desk, held: Item, language: str = "en", **more: object) -> str:
    return word(desk.token(held, **more), language)  # type: ignore[arg-type]


def test_the_page_shows_group_sender_strength_and_times(site: Site, desk: Desk) -> None:
    page = site.ask(path_of(desk, desk.put(item())))
    assert page.status == 200
    for shown in ("commercial@masociete.example", SENDER, "Not proven", "Jean Dupont", "Expires", "(UTC+1)"):
        assert shown in page.text
    assert item().name in page.text


def test_the_page_shows_neither_subject_nor_text(site: Site, desk: Desk) -> None:
    page = site.ask(path_of(desk, desk.put(item())))
    assert "secret" not in page.text
    assert "Le sujet" not in page.text


@pytest.mark.parametrize(
    ("strength", "sender", "words"),
    [
        (Strength.LOGIN, 1, "logged in"),
        (Strength.CERTIFICATE, 1, "by a certificate"),
        (Strength.NETWORK, 1, "trusted computer of"),
        (Strength.NETWORK, 0, "proven"),
        (Strength.DMARC, 0, "(DMARC)"),
        (Strength.CLAIMED, 0, "Not proven"),
        (99, 0, "Not proven"),
    ],
)
def test_strength_in_words(site: Site, desk: Desk, strength: int, sender: int, words: str) -> None:
    arrival = replace(item().arrival, strength=strength, sender=sender)
    page = site.ask(path_of(desk, desk.put(item(arrival=arrival))))
    assert words in page.text
    assert ("proof doubt" in page.text) is (not sender and strength != Strength.DMARC)


def test_a_display_name_is_not_shown(site: Site, desk: Desk) -> None:
    arrival = replace(item().arrival, author=f"Le Directeur <{SENDER}>")
    page = site.ask(path_of(desk, desk.put(item(arrival=arrival))))
    assert SENDER in page.text
    assert "Directeur" not in page.text


def test_looking_changes_nothing(site: Site, desk: Desk) -> None:
    path = path_of(desk, desk.put(item()))
    methods = ["GET", "HEAD"] * 50
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda method: site.ask(path, method), methods))
    assert {answer.status for answer in answers} == {200}
    assert [len(answer.body) > 0 for answer in answers] == [method == "GET" for method in methods]
    assert (desk.decided, desk.refusals, desk.remembered) == ([], [], [])
    assert desk.items[item().digest] == item()


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_the_word_decides(site: Site, desk: Desk, decision: str) -> None:
    held = desk.put(item())
    page = site.post(
        path_of(desk, held), decision=decision, word=typed(desk, held), reason="Merci  \r\nd'avance\x00 "
    )
    assert page.status == 200
    assert f"<h1>{decision.capitalize().rstrip('e')}ed</h1>" in page.text
    ((number, event, who, comment),) = desk.decided
    assert (number, event) == (held.id, Event(decision))
    assert (who.name, who.uuid, who.way, who.origin) == (JEAN.address, JEAN.uuid, Way.LINK, "127.0.0.1")
    assert comment == ("Merci  \nd'avance" if decision == "reject" else "")


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("spelling", ["{}", " {} ", "{}.", "«{}»"])
def test_the_word_of_either_language_counts(site: Site, desk: Desk, language: str, spelling: str) -> None:
    held = desk.put(item())
    text = spelling.format(typed(desk, held, language)).upper()
    assert site.post(path_of(desk, held), decision="approve", word=text).status == 200
    assert len(desk.decided) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"decision": "approve"},
        {"decision": "approve", "word": ""},
        {"decision": "approve", "word": "approve"},
        {"decision": "approve", "word": "{word} {word}"},
        {"word": "{word}"},
        {"decision": "", "word": "{word}"},
        {"decision": "release", "word": "{word}"},
        {"decision": "reject", "word": "{word}", "reason": "x" * 2001},
    ],
)
def test_anything_less_decides_nothing(site: Site, desk: Desk, fields: dict[str, str]) -> None:
    held = desk.put(item())
    sent = {name: value.replace("{word}", typed(desk, held)) for name, value in fields.items()}
    page = site.post(path_of(desk, held), **sent)
    assert page.status == 422
    assert "Nothing is decided yet." in page.text
    assert desk.decided == []


def test_what_was_typed_is_kept(site: Site, desk: Desk) -> None:
    desk.owners = frozenset({JEAN.uuid})
    held = desk.put(item())
    page = site.post(
        path_of(desk, held), decision="reject", word="nope", reason="Première\nseconde", block="yes"
    )
    assert "Première\nseconde</textarea>" in page.text
    assert 'value="nope"' in page.text
    assert 'value="reject" checked' in page.text
    assert 'value="approve" checked' not in page.text
    assert 'name="block" id="block" value="yes" checked' in page.text
    assert 'aria-invalid="true"' in page.text


def test_a_word_is_of_one_token_only(desk: Desk) -> None:
    words = {word(desk.token(desk.put(item(n))), "fr") for n in range(50)}
    assert len(words) > 10
    assert {len(text) for text in words} == {4}


def test_the_first_decision_stands(site: Site, desk: Desk) -> None:
    held = desk.put(item())
    fields = {"decision": "approve", "word": typed(desk, held)}
    site.post(path_of(desk, held), **fields)
    alices = desk.token(held, ALICE)
    late = site.post(f"/decide/{alices}{ENGLISH}", decision="reject", word=word(alices, "en"))
    assert late.status == 409
    assert "came too late" in late.text
    assert f"<bdi>{JEAN.address}</bdi> approved it on" in late.text
    assert "by link" in late.text
    assert len(desk.decided) == 1


def test_pressing_twice_is_no_quarrel(site: Site, desk: Desk) -> None:
    held = desk.put(item())
    fields = {"decision": "approve", "word": typed(desk, held)}
    site.post(path_of(desk, held), **fields)
    again = site.post(path_of(desk, held), **fields)
    assert again.status == 200
    assert "You approved it on" in again.text
    other = site.post(path_of(desk, held), **{**fields, "decision": "reject"})
    assert other.status == 409


def test_of_many_at_once_one_decides(site: Site, desk: Desk) -> None:
    held = desk.put(item())
    tokens = [desk.token(held, person) for person in (JEAN, ALICE)] * 10
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(
                lambda token: site.post(f"/decide/{token}", decision="reject", word=word(token, "fr")), tokens
            )
        )
    assert len(desk.decided) == 1
    assert {answer.status for answer in answers} == {200, 409}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.APPROVED, "on its way"),
        (State.RELEASED, "delivered to the group"),
        (State.REPORTED, "couldn't be delivered"),
        (State.REJECTED, "rejected it on"),
        (State.EXPIRED, "Nobody decided in time"),
    ],
)
def test_what_is_decided_is_said_and_not_asked(site: Site, desk: Desk, state: State, words: str) -> None:
    made = item(state=state, decided=NOW, decided_by=ALICE.address, way="mail", finished=NOW)
    page = site.ask(path_of(desk, desk.put(made)))
    assert page.status == 200
    assert words.replace("'", "&#39;") in page.text
    assert "<form" not in page.text


def test_a_shunted_item_waits_for_a_human(site: Site, desk: Desk) -> None:
    held = desk.put(item(state=State.SHUNTED))
    assert site.post(path_of(desk, held), decision="reject", word=typed(desk, held)).status == 200


def test_only_an_owner_may_have_the_sender_remembered(site: Site, desk: Desk) -> None:
    held = desk.put(item())
    assert 'name="allow"' not in site.ask(path_of(desk, held)).text
    site.post(path_of(desk, held), decision="approve", word=typed(desk, held), allow="yes")
    assert desk.remembered == []
    desk.owners = frozenset({JEAN.uuid})
    assert 'name="allow"' in site.ask(path_of(desk, desk.put(item(2)))).text


def test_what_cant_be_remembered_is_not_offered_and_the_page_says_why(site: Site, desk: Desk) -> None:
    desk.owners, desk.known = frozenset({JEAN.uuid}), {True: BY_RULE}
    page = site.ask(path_of(desk, desk.put(item()))).text
    assert 'name="allow"' not in page
    assert 'name="block"' in page
    assert "always allowed from here. A rule of this site holds such messages" in page


@pytest.mark.parametrize(
    ("decision", "ticked", "remembered"),
    [
        ("approve", ("allow",), [(1, True)]),
        ("reject", ("block",), [(1, False)]),
        ("approve", ("block",), []),
        ("reject", ("allow",), []),
        ("approve", ("allow", "block"), [(1, True)]),
        ("approve", (), []),
    ],
)
def test_the_sender_is_remembered_as_decided(
    site: Site, desk: Desk, decision: str, ticked: tuple[str, ...], remembered: list[tuple[int, bool]]
) -> None:
    desk.owners = frozenset({JEAN.uuid})
    held = desk.put(item())
    boxes = dict.fromkeys(ticked, "yes")
    page = site.post(path_of(desk, held), decision=decision, word=typed(desk, held), **boxes)
    assert page.status == 200
    assert desk.remembered == remembered
    assert ("From now on" in page.text) is bool(remembered)


@pytest.mark.parametrize(
    ("refusal", "words", "warned"),
    [
        ("That is an address of the group itself.", "address of the group itself", 0),
        (WriteRefused("slapd: insufficient access rights"), "doesn&#39;t take the change", 1),
        (DirectoryUnavailable("slapd: gone"), "can&#39;t be reached", 1),
    ],
)
def test_a_sender_not_remembered_leaves_the_decision(
    site: Site, desk: Desk, refusal: str | Exception, words: str, warned: int
) -> None:
    desk.owners, desk.refusal = frozenset({JEAN.uuid}), refusal
    held = desk.put(item())
    page = site.post(path_of(desk, held), decision="approve", word=typed(desk, held), allow="yes")
    assert page.status == 200
    assert "The sender isn&#39;t remembered." in page.text
    assert words in page.text
    assert "slapd" not in page.text
    assert len(desk.decided) == 1
    assert len(site.log.lines) == warned


@pytest.mark.parametrize(
    ("asked", "person", "accepted", "language"),
    [
        ("", JEAN, "en", "fr"),
        ("", ALICE, "fr", "en"),
        ("?lang=en", JEAN, "fr", "en"),
        ("?lang=fr", ALICE, "en", "fr"),
        ("?lang=xx", JEAN, "en", "fr"),
    ],
)
def test_a_page_speaks_the_persons_language(
    site: Site, desk: Desk, asked: str, person: object, accepted: str, language: str
) -> None:
    path = path_of(desk, desk.put(item()), asked, person=person)
    page = site.ask(path, headers={"accept-language": accepted})
    assert f'<html lang="{language}">' in page.text
    assert page.headers["content-language"] == language
    other = "en" if language == "fr" else "fr"
    assert f'href="?lang={other}"' in page.text
    assert f'action="?lang={language}"' in page.text


def test_a_ledger_that_is_down_is_said(site: Site, desk: Desk) -> None:
    path = path_of(desk, desk.put(item()))
    desk.failure = LedgerUnavailable("locked")
    for page in (site.ask(path), site.post(path, decision="approve", word="x")):
        assert page.status == 503
        assert page.headers["retry-after"] == "30"
        assert "Nothing was decided." in page.text
        assert "locked" not in page.text


def test_what_was_released_because_nobody_decided_names_nobody(desk: Desk) -> None:
    gone = item(state=State.RELEASED, decided=NOW, finished=NOW, decided_by="desk", way=Way.DESK)
    sentences = (
        (ENGLISH, "Nobody decided in time; it was released on"),
        (FRENCH, "Personne n’a décidé à temps"),
    )
    for language, said in sentences:
        with panel(desk, catalogue()) as site:
            page = site.ask(path_of(desk, desk.put(gone), language))
        assert said in page.text
        assert "desk" not in page.text.replace("/static/", "")
