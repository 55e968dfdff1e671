"""What the page that deletes a group says: which groups name it and where, hidden ones unnamed, and what waits."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import pytest
from tests.membership.offices import GROUPS, PEOPLE
from tests.moderation.ledgers import arrival
from tests.panel.house import House, house
from tests.panel.test_audit_parts import PARTS
from tests.panel.test_mine import asked

from groupmilter.directory.catalogue_details import Naming, naming
from groupmilter.groups.ticket import digest
from groupmilter.moderation.item import State, Terms

DN, ADDRESS = f"cn=partance,{GROUPS}", "partance@filiale.example"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house in which Pierre administers a domain, with a group of it that another group and a hidden one name."""
    with house(tmp_path_factory.mktemp("house"), PARTS) as made:
        made.office.slapd.add(
            f"dn: {DN}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\ncn: partance\n"
            f"displayName: Partance\nmail: {ADDRESS}\nowner: uid=zoe,{PEOPLE}\nmember: uid=zoe,{PEOPLE}\n"
            "dgJoinPolicy: approval\n"
        )
        for group, attribute in (
            ("contact", "member"),
            ("contact", "dgModerator"),
            ("cellule-de-crise", "member"),
        ):
            made.office.slapd.modify(f"dn: cn={group},{GROUPS}\nadd: {attribute}\n{attribute}: {DN}\n")
        made.until(lambda: len(_naming(made)) == 3)
        yield made


def _naming(made: House) -> tuple[Naming, ...]:
    with made.parts.lookups.snapshot() as directory:
        return naming(directory, DN)


def where(home: House) -> str:
    return f"/groups/{home.group('partance').uuid}"


def said(home: House, uid: str, language: str = "en") -> str:
    with home.person(uid, language) as client:
        page = client.get(f"{where(home)}/delete")
    assert page.status_code == 200
    return " ".join(unescape(page.text).replace("\u00a0", " ").split())


def test_it_says_which_groups_name_it(home: House) -> None:
    everything = said(home, "administrator")
    assert (
        "Other groups name it; after an undo they have it again only where the directory leaves" in everything
    )
    contact = f'<a href="/groups/{home.group("contact").uuid}"><bdi>Contact</bdi></a>'
    assert f"{contact} (Members, Moderators)" in everything
    assert "Cellule de crise</bdi></a> (Members)" in everything
    assert "aren't shown here" not in everything
    assert f"{contact} (Membres, Modérateurs)" in said(home, "administrator", "fr")


def test_a_hidden_group_is_counted_only(home: House) -> None:
    some = said(home, "pierre")
    assert "(Members, Moderators)" in some
    assert "crise" not in some.lower()
    assert "Others that aren't shown here: 1." in some


def test_it_says_what_waits_for_it(home: House) -> None:
    for words in ("can only be rejected", "Requests to join or leave"):
        assert words not in said(home, "administrator")
    group = home.group("partance")
    terms = Terms(group_uuid=group.uuid, group_address=ADDRESS, why="moderation", expires=0, remind=0)
    home.parts.ledger.record(arrival(group=digest(group.uuid)), terms, State.HELD, int(home.parts.now()))
    with home.person("bob") as bob:
        asked(bob, where(home), "join")
    told = said(home, "administrator")
    assert "Held messages that wait for it: 1. They can only be rejected then, also after an undo." in told
    asking = "Requests to join or leave that wait for its owners: 1."
    assert f"{asking} Nobody can accept them then, also after an undo." in told
    assert "Messages en attente pour ce groupe : 1." in said(home, "administrator", "fr")


def test_a_group_that_nobody_names_has_no_such_words(home: House) -> None:
    with home.person("administrator") as administrator:
        page = administrator.get(f"/groups/{home.group('newsletter').uuid}/delete").text
    assert "Other groups name it" not in page
