"""Joining, leaving and writing to owners by mail, through real Postfix, slapd and the desk."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.e2e.enrolling import CAVE, CHOIR, CLUB, NEWS, READER, Clubs, clubs, fetched, link, text, way
from tests.support.installation import OUTSIDER, recipients
from tests.support.office import ADMINISTRATOR, ALICE, BOB, JEAN, PIERRE, identity, message
from tests.support.signing import Signer

from groupmilter.moderation.request import Stage

SERVICE = "groups.masociete.example"


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Clubs]:
    with clubs() as running:
        yield running


def at(group: str, extension: str) -> str:
    return group.replace("@", f"+{extension}@")


def test_who_has_logged_in_joins_and_leaves_an_open_group_at_once(site: Clubs) -> None:
    assert site.write(at(CLUB, "join"), PIERRE, "pierre").accepted
    site.letter(PIERRE, "Vous êtes maintenant membre de club")
    assert "uid=pierre" in site.members("club")
    site.until(lambda: _known(site, PIERRE, CLUB), "the mirror follows by itself")
    assert site.write(at(CLUB, "leave"), PIERRE, "pierre").accepted
    site.letter(PIERRE, "Vous avez quitté club")
    assert "uid=pierre" not in site.members("club")


def _known(site: Clubs, address: str, group: str) -> bool:
    with site.installation.service.directory() as directory:
        found, person = directory.find(group), directory.find(address)
        assert found is not None
        assert person is not None
        return found.node in directory.containing(person.node)


def test_an_outsider_whose_domain_signs_is_proven(site: Clubs) -> None:
    signer = Signer(domain=b"signe.example")
    signer.publish(site.installation.service.dns)
    assert site.write(at(NEWS, "join"), "paul@signe.example", signer=signer).accepted
    site.letter("paul@signe.example", "lettre")
    assert "paul@signe.example" in site.members("lettre", "dgMemberAddress")


def test_anybody_else_only_gets_a_letter_that_asks_to_confirm(site: Clubs) -> None:
    assert site.write(at(NEWS, "join"), READER).accepted
    letter = site.letter(READER, "confirm")
    assert [row.origin for row in site.ledger.audit(action="confirmation-sent")][-1:] == [OUTSIDER]
    assert site.stands(READER, NEWS, Stage.UNCONFIRMED)
    assert letter["Reply-To"] == way(letter, "confirm")
    assert READER not in site.members("lettre", "dgMemberAddress")
    # A reply to it is enough, from wherever; a program's is not.
    assert site.write(str(letter["Reply-To"]), READER, Auto_Submitted="auto-replied").accepted
    site.until(lambda: site.ledger.audit(action="answer-ignored"), "the automatic answer is dropped")
    assert site.write(str(letter["Reply-To"]), "someone@dehors.example").accepted
    site.stands(READER, NEWS, Stage.DONE)
    assert READER in site.members("lettre", "dgMemberAddress")
    site.letter(READER, "You are now a member of")
    assert site.write(str(letter["Reply-To"]), READER).accepted
    site.quiet()
    assert len(site.requests(READER, NEWS)) == 1


def test_a_forged_person_hears_of_it_and_of_nothing_else(site: Clubs) -> None:
    before = len(site.letters(BOB))
    assert site.write(at(CLUB, "join"), BOB).accepted
    letter = site.letter(BOB, "Please confirm")
    site.quiet()
    assert len(site.letters(BOB)) == before + 1
    assert "uid=bob" not in site.members("club")
    status, page = fetched(link(letter))
    assert status == 200
    assert site.stands(BOB, CLUB, Stage.UNCONFIRMED), "looking at the page confirms nothing"
    word = re.search(r'class="show-word">([a-z]+)<', page)
    assert word
    assert fetched(link(letter), {"word": "other"})[0] == 422
    assert fetched(link(letter), {"word": word[1]})[0] == 200
    site.stands(BOB, CLUB, Stage.DONE)
    assert "uid=bob" in site.members("club")


def test_an_owner_accepts_by_answering(site: Clubs) -> None:
    assert site.write(at(CHOIR, "join"), PIERRE, "pierre", "J'ai une voix de basse.").accepted
    site.letter(PIERRE, "attend ses propriétaires")
    letter = site.letter(JEAN, "Pierre Durand demande à rejoindre")
    assert "J'ai une voix de basse." in text(letter)
    assert "550 5.7.1" in site.answered(way(letter, "approve"), PIERRE, "pierre")
    assert site.write(way(letter, "approve"), JEAN, "jean").accepted
    site.letter(PIERRE, "Vous êtes maintenant membre de chorale")
    assert "uid=pierre" in site.members("chorale")
    assert site.stands(PIERRE, CHOIR, Stage.DONE).decided_by == JEAN
    # Who comes later is told.
    assert site.write(way(letter, "reject"), JEAN, "jean").accepted
    assert "Vous l’avez acceptée" in text(site.letter(JEAN, "Déjà décidé"))


def test_an_owner_declines_with_a_reason_by_the_page(site: Clubs) -> None:
    assert site.write(at(CHOIR, "join"), BOB, "bob").accepted
    letter = site.letter(JEAN, "Bob Petit demande à rejoindre")
    status, page = fetched(link(letter))
    word = re.search(r'class="show-word">([a-z]+)<', page)
    assert status == 200
    assert word
    assert fetched(link(letter), {"decision": "reject", "word": "other"})[0] == 422
    form = {"decision": "reject", "word": word[1], "reason": "Complet pour l'instant."}
    assert fetched(link(letter), form)[0] == 200
    told = site.letter(BOB, "was declined")
    assert "Complet pour l'instant." in text(told)
    assert JEAN not in told.as_string(), "no letter names the owner"
    assert fetched(link(letter), form | {"decision": "approve"})[0] == 409
    assert "uid=bob" not in site.members("chorale")


def test_what_the_rules_never_allow_is_refused_at_once_and_names_the_owners(site: Clubs) -> None:
    refused = site.answered(at(CHOIR, "leave"), PIERRE, "pierre")
    assert "550 5.7.1" in refused
    assert at(CHOIR, "owner") in refused
    assert "550 5.7.1" in site.answered(at(CLUB, "join"), "nobody@dehors.example")


def test_a_hidden_group_answers_like_an_unknown_address(site: Clubs) -> None:
    for extension in ("join", "leave", "owner"):
        hidden = site.answered(at(CAVE, extension), READER)
        unknown = f"550 5.1.1 <{at(CAVE, extension)}>: Recipient address rejected: User unknown"
        assert hidden.startswith(unknown), "what Postfix says of an address that it doesn't know"
    assert site.answered(at(CAVE, "join"), PIERRE, "pierre").startswith("550 5.1.1")
    assert site.write(at(CAVE, "leave"), BOB, "bob").accepted
    site.letter(BOB, "You have left cave")


def test_anybody_may_write_to_the_owners_and_nobody_else_gets_it(site: Clubs) -> None:
    mark = identity()
    to = at(CHOIR, "owner")
    octets = message(mark, READER, f"To: {to}".encode(), f"Disposition-Notification-To: {READER}".encode())
    assert site.installation.send(READER, [to], octets).accepted
    site.installation.settle()
    [copy] = site.installation.delivered(mark)
    assert recipients([copy]) == [JEAN]
    assert copy.sender.startswith("bounce+"), "a report names the owner, so it doesn't go to the stranger"
    assert copy.sender.endswith(SERVICE)
    assert b"disposition-notification-to" not in copy.content.lower()
    # What comes back here has been through already.
    looped = site.installation.send(JEAN, [to], copy.content, login="jean")
    assert str(looped.end).startswith("554 5.4.6")
    automatic = site.answered(to, READER, Auto_Submitted="auto-replied")
    assert "550 5.7.1" in automatic


def test_a_colleague_writes_to_the_owners_under_his_own_return_path(site: Clubs) -> None:
    mark = identity()
    octets = message(mark, ALICE, f"To: {at(CLUB, 'owner')}".encode())
    assert site.installation.send(ALICE, [at(CLUB, "owner")], octets, login="alice").accepted
    site.installation.settle()
    [copy] = site.installation.delivered(mark)
    assert (recipients([copy]), copy.sender) == ([ADMINISTRATOR], ALICE)


def test_programs_that_ask_are_refused(site: Clubs) -> None:
    before = len(site.installation.sink.messages)
    for fields in ({"Auto_Submitted": "auto-generated"}, {"Precedence": "bulk"}):
        assert "550 5.7.1" in site.answered(at(CLUB, "join"), PIERRE, "pierre", **fields)
    assert "550 5.7.1" in site.answered(at(NEWS, "join"), "")
    site.quiet()
    assert len(site.installation.sink.messages) == before


def test_with_the_directory_down_an_answer_by_mail_waits(site: Clubs) -> None:
    assert site.write(at(CHOIR, "join"), ADMINISTRATOR, "administrator").accepted
    letter = site.letter(JEAN, "dministrat")
    site.slapd.stop()
    try:
        assert site.write(way(letter, "approve"), JEAN, "jean").accepted
        site.until(
            lambda: "desk can't go on with a step" in site.installation.service.log(), "the answer waits"
        )
        site.stands(ADMINISTRATOR, CHOIR, Stage.WAITING)
    finally:
        site.slapd.start()
    site.stands(ADMINISTRATOR, CHOIR, Stage.DONE)
    assert "uid=administrator" in site.members("chorale")
