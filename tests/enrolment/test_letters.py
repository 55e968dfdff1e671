"""The letters about requests: what they say in which language, and what can't be put into them."""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest

from groupmilter.enrolment.letters import Doors, RequestLetters
from groupmilter.language.catalogue import catalogue
from groupmilter.moderation.request import Request, Stage, Wanted
from groupmilter.moderation.stationery import Addressee

NOW = 1_795_680_000
LETTERS = RequestLetters("groups.own.example", catalogue(), "fr", ZoneInfo("Europe/Paris"))
REQUEST = Request(
    id=1, stage=Stage.WAITING, asked=NOW - 600, digest=123_456_789_012, kind=Wanted.JOIN, group_uuid="uuid-1",
    group_address="choir@own.example", address="pierre@own.example", person_uuid="uuid-2",
    person_name="Pierre Durand", reason="J'ai une voix de basse.", way="mail", expires=NOW + 86_400,
)  # fmt: skip
OWNER, OWNERS = "jean@own.example", "choir+owner@own.example"
TOKEN = "b" * 52
DOORS = Doors(
    f"approve+{TOKEN}@groups.own.example",
    f"reject+{TOKEN}@groups.own.example",
    f"confirm+{TOKEN}@groups.own.example",
    f"https://groups.own.example/decide/{TOKEN}",
)


def texts(letter: EmailMessage) -> tuple[str, str]:
    """The plain text and the HTML."""
    found = []
    for kind in ("plain", "html"):
        part = letter.get_body((kind,))
        assert part is not None
        found.append(str(part.get_content()))
    return found[0], found[1]


def letters(language: str = "fr", **changes: object) -> dict[str, EmailMessage]:
    """All letters about a request, to somebody of a language."""
    request = replace(REQUEST, **changes)  # type: ignore[arg-type]  # fields of any type, as tests like
    owner, asker = Addressee(OWNER, "Jean", language, "j"), Addressee(request.address, "", language)
    stages = [Stage.WAITING, Stage.DONE, Stage.REJECTED, Stage.EXPIRED, Stage.REFUSED, Stage.FAILED]
    made = {
        "ask": LETTERS.ask(request, owner, DOORS, NOW),
        "reminder": LETTERS.ask(request, owner, DOORS, NOW, reminder=True),
        "confirm": LETTERS.confirm(request, asker, DOORS, NOW),
        "late": LETTERS.late(replace(request, stage=Stage.DONE, decided_by="x@own.example"), owner, NOW),
    }
    for stage in stages:
        decided = replace(request, stage=stage, decided_by=OWNER, comment="Complet.", note="closed")
        made[stage.value] = LETTERS.outcome(decided, asker, OWNERS, NOW)
    return made


@pytest.mark.parametrize(("language", "word"), [("fr", "Groupe"), ("en", "Group:")])
def test_each_letter_speaks_its_readers_language_in_both_forms(language: str, word: str) -> None:
    for kind, letter in letters(language).items():
        plain, html = texts(letter)
        assert word in plain, kind
        assert f'<html lang="{language}">' in html
        assert letter["Auto-Submitted"] == "auto-generated"
        assert max(map(len, plain.splitlines())) <= 100, kind


@pytest.mark.parametrize("kind", Wanted)
def test_who_speaks_no_known_language_reads_both(kind: Wanted) -> None:
    plain, _ = texts(letters("", kind=kind)["done"])
    assert ("You are now a member of" in plain) is (kind is Wanted.JOIN)
    assert ("Vous avez quitté" in plain) is (kind is Wanted.LEAVE)


def test_who_decides_gets_his_own_ways_and_the_reason() -> None:
    plain, html = texts(letters()["ask"])
    for way in (DOORS.accept, DOORS.decline, DOORS.link):
        assert way in plain
        assert way in html
    assert "> J'ai une voix de basse." in plain
    assert "Pierre Durand demande à rejoindre" in str(letters()["ask"]["Subject"])


@pytest.mark.parametrize(("language", "asks"), [("fr", "demande à rejoindre"), ("en", "asks to join")])
def test_the_group_is_called_what_people_call_it_with_its_address_beside(language: str, asks: str) -> None:
    titled = replace(LETTERS, title=lambda _: "Chœur d'hommes")
    owner, asker = Addressee(OWNER, "Jean", language, "j"), Addressee(REQUEST.address, "", language, "p")
    asked = titled.ask(REQUEST, owner, DOORS, NOW)
    late = titled.late(replace(REQUEST, stage=Stage.DONE, decided_by="x@own.example"), owner, NOW)
    done = titled.outcome(replace(REQUEST, stage=Stage.DONE), asker, OWNERS, NOW)
    for letter in (asked, late, done):
        assert "Chœur d'hommes (choir@own.example)" in texts(letter)[0]
        assert "Chœur d'hommes" in str(letter["From"])
        assert str(letter["Subject"]).endswith("Chœur d'hommes")
    assert f"Pierre Durand {asks} Chœur d'hommes" in texts(asked)[0]


def test_strangers_and_who_has_not_proven_to_ask_are_not_told_what_it_is_called() -> None:
    titled = replace(LETTERS, title=lambda _: "Chœur d'hommes")
    stranger = replace(REQUEST, person_uuid="", person_name="", address="x@elsewhere.example")
    to = Addressee(stranger.address, "", "fr")
    confirm = titled.confirm(REQUEST, Addressee(REQUEST.address, "", "fr"), DOORS, NOW)
    for letter in (confirm, titled.outcome(replace(stranger, stage=Stage.DONE), to, OWNERS, NOW)):
        assert "Chœur" not in letter.as_string() + str(letter["From"]) + texts(letter)[0]
        assert "choir@own.example" in texts(letter)[0]


def test_what_a_group_is_called_can_not_pass_for_ours() -> None:
    titled = replace(LETTERS, title=lambda _: f"approve+{TOKEN}@groups.own.example\r\nBcc: x@evil.example")
    letter = titled.ask(replace(REQUEST, reason=""), Addressee(OWNER, "Jean", "fr", "j"), DOORS, NOW)
    bare = letters(reason="")["ask"]
    assert texts(letter)[0].count(TOKEN) == texts(bare)[0].count(TOKEN)
    assert letter.keys() == bare.keys()


def test_a_reply_confirms() -> None:
    letter = letters()["confirm"]
    assert letter["Reply-To"] == DOORS.confirm
    assert REQUEST.reason not in letter.as_string(), "nobody's words go to an address that may be anybody's"


@pytest.mark.parametrize("stage", ["done", "rejected", "expired", "failed"])
def test_who_asked_never_learns_who_decided(stage: str) -> None:
    plain, html = texts(letters()[stage])
    assert OWNER not in plain + html
    assert ("Complet." in plain) is (stage == "rejected")


@pytest.mark.parametrize(
    "reason",
    [
        f"approve+{TOKEN}@groups.own.example",
        f"Confirm+{TOKEN}@groups.own.example",
        f"https://groups.own.example/decide/{TOKEN}",
        "<a href='https://evil.example'>x</a>\r\nBcc: x@evil.example",
    ],
)
def test_what_somebody_wrote_cannot_pass_for_ours(reason: str) -> None:
    bare = letters(reason="")["ask"]
    letter = letters(reason=reason)["ask"]
    plain, html = texts(letter)
    assert plain.count(TOKEN) == texts(bare)[0].count(TOKEN)
    assert html.count(TOKEN) == texts(bare)[1].count(TOKEN)
    assert "<a href='https://evil" not in html
    assert letter["Bcc"] is None
    assert letter.keys() == bare.keys()


def test_a_name_cannot_either() -> None:
    letter = letters(person_name=f"approve+{TOKEN}@groups.own.example\r\nBcc: x@evil.example")["ask"]
    assert TOKEN not in str(letter["Subject"])
    assert letter["Bcc"] is None


def test_where_no_owner_can_be_reached_the_contact_learns_what_to_type() -> None:
    plain, _ = texts(LETTERS.ask(REQUEST, Addressee("postmaster@own.example"), Doors(), NOW))
    assert f"groupmilter requests show {REQUEST.name}" in plain
    assert "approve+" not in plain
