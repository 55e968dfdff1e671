"""The list of groups and the pages of their rules: who sees what, what is saved, what goes wrong, how it is said."""

from __future__ import annotations

import json

import pytest
from tests.membership.offices import GROUPS, PEOPLE
from tests.panel.filling import filled, form_of
from tests.panel.house import House


def path(home: House, name: str, place: str = "") -> str:
    return f"/groups/{home.group(name).uuid}{place}"


def test_a_mistyped_address_leads_back_to_the_groups(home: House) -> None:
    with home.person("pierre", "fr") as pierre:
        page = pierre.get("/group")
    assert page.status_code == 404
    assert '<a href="/groups">Vers les groupes</a>' in page.text


def test_the_list_is_searched_sorted_and_filtered(home: House) -> None:
    with home.person("helene", "fr") as admin:
        page = admin.get("/groups")
        assert "<h1>Groupes de distribution</h1>" in page.text
        assert ">Nouveau</a>" in page.text
        assert "Cellule de crise" in page.text, "administrators see hidden groups"
        found = admin.get("/groups", params={"q": "equipe technique"}).text
        assert "Équipe technique" in found, "accents make no difference"
        assert "Tout le monde" not in found
        ordered = admin.get("/groups", params={"sort": "name", "way": "down"}).text
        assert ordered.index("UK sales") < ordered.index("Administrateurs de messagerie")
        assert 'aria-sort="descending"' in ordered
        refusing = admin.get("/groups", params={"flag": "disabled"}).text
        assert "Archives" in refusing
        assert "Tout le monde" not in refusing
        empty = admin.get("/groups", params={"q": "nothing of this name"}).text
        assert "Aucun groupe trouvé." in empty
        assert "Afficher tous les groupes" in empty


def test_everybody_sees_his_own_and_no_hidden_ones(home: House) -> None:
    with home.person("pierre") as pierre:
        every = pierre.get("/groups").text
        assert "Cellule de crise" not in every
        assert 'name="flag"' not in every, "what is remarkable is the administrators'"
        assert ">New</a>" not in every
        mine = pierre.get("/groups?show=mine").text
        assert "Service commercial" in mine
        assert "Newsletter" not in mine
        assert "You own no group." in pierre.get("/groups?show=owned").text
    with home.person("zoe") as zoe:
        assert "Équipe technique" in zoe.get("/groups?show=owned").text


def test_hidden_groups_are_there_for_their_people_only(home: House) -> None:
    where = path(home, "cellule-de-crise")
    for uid, status in (("pierre", 404), ("jurgen", 200), ("anais", 200), ("helene", 200)):
        with home.person(uid) as client:
            assert client.get(where).status_code == status, uid
    with home.person("pierre") as pierre:
        for place in ("/owners", "/delivery", "/moderation", "/suspend", "/delete"):
            assert pierre.get(where + place).status_code == 404
            assert (
                pierre.post(where + place, data=form_of(pierre.get("/groups"), "/logout")).status_code == 404
            )


def test_hidden_members_are_not_even_counted(home: House) -> None:
    with home.person("pierre") as pierre:
        page = pierre.get("/groups?q=direction").text
        assert 'data-label="Members"><span class="quiet">hidden</span>' in page
        assert '/members">' not in pierre.get(path(home, "direction")).text
    with home.person("anais") as anais:
        assert "hidden</span>" not in anais.get("/groups?q=direction").text
        assert path(home, "direction", '/members">') in anais.get(path(home, "direction")).text


def test_who_may_only_look_gets_no_form(home: House) -> None:
    with home.person("pierre") as pierre:
        for place in ("", "/owners", "/delivery", "/moderation"):
            where = path(home, "commercial", place)
            page = pierre.get(where)
            assert page.status_code == 200
            assert f'action="{where}"' not in page.text
            assert "Refuse everything" not in page.text
            token = form_of(page, "/logout")["csrf"]
            assert pierre.post(where, data={"csrf": token, "name": "x", "seen.name": "y"}).status_code == 404
        assert "Messages wait until a moderator has approved them." in pierre.get(where).text
        assert "spam.example" not in pierre.get(path(home, "support", "/delivery")).text


def test_what_is_saved_stands_there_at_once_and_in_the_journal(home: House) -> None:
    where = path(home, "equipe")
    with home.person("zoe", "fr") as zoe:
        answer = filled(
            zoe,
            where,
            {
                "name": "Technique",
                "description": "Pour\r\nles pannes",
                "mail_tip.fr": "Un instant",
                "hidden": "yes",
            },
        )
        assert answer.headers["location"] == f"{where}?said=saved"
        page = zoe.get(answer.headers["location"])
        assert "C’est enregistré." in page.text
        shown = form_of(page, where)
        assert (shown["name"], shown["description"]) == (["Technique"], ["Pour\nles pannes"])
        assert (shown["mail_tip.fr"], shown["hidden"]) == (["Un instant"], ["yes"])
        again = filled(zoe, where, page=page)
        assert again.headers["location"].endswith("said=nothing")
        assert filled(zoe, where, without=["hidden"]).headers["location"].endswith("said=saved")
    assert home.office.values("equipe", "dgHidden") == ["FALSE"]
    [first, last] = home.office.journal("group-edit")[-2:]
    assert (first.way, first.actor) == ("panel", "zoe.coeurdacier@masociete.example")
    assert json.loads(first.after)["name"] == "Technique"
    assert json.loads(last.after) == {"hidden": False}


def test_owners_set_no_address(home: House) -> None:
    where = path(home, "equipe")
    with home.person("zoe") as zoe:
        page = zoe.get(where)
        assert "address" not in form_of(page, where)
        assert "Addresses are set by administrators." in page.text
        answer = filled(
            zoe, where, {"address": "boss@masociete.example", "seen.address": "equipe@masociete.example"}
        )
        assert answer.headers["location"].endswith("said=nothing")
    assert home.office.values("equipe", "mail") == ["equipe@masociete.example"]


def test_an_address_that_somebody_has_is_named_and_what_was_typed_stays(home: House) -> None:
    where = path(home, "newsletter")
    with home.person("helene", "fr") as admin:
        answer = filled(
            admin, where, {"aliases.add": "jean@masociete.example\nneu@masociete.example", "name": "Neu"}
        )
        assert answer.status_code == 422
        assert "Rien n’est encore enregistré." in answer.text
        assert "adresse déjà prise par" in answer.text
        assert "Jean Dupont" in answer.text
        assert '<a href="#aliases">Autres adresses</a>' in answer.text
        kept = form_of(answer, where)
        assert kept["name"] == ["Neu"]
        assert kept["aliases.add"] == ["jean@masociete.example\nneu@masociete.example"]
        done = filled(admin, where, {"aliases.add": "neu@masociete.example"}, page=answer)
        assert done.headers["location"].endswith("said=saved")
        shown = form_of(admin.get(where), where)
        assert shown["name"] == ["Neu"]
        gone = filled(admin, where, {"aliases.remove": ["neu@masociete.example"]})
        assert gone.headers["location"].endswith("said=saved")
    assert home.office.values("newsletter", "dgAlias") == []


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "a number of at least 1 is wanted."), ("fr", "il faut un nombre d’au moins 1.")],
)
def test_what_cannot_be_read_is_said_at_its_field(home: House, language: str, words: str) -> None:
    where = path(home, "projet-arctique", "/moderation")
    with home.person("zoe", language) as zoe:
        answer = filled(
            zoe, where, {"hold_hours": "soon", "moderators.add": "Nobody Atall", "moderated": "yes"}
        )
        assert answer.status_code == 422
        assert words in answer.text
        kept = form_of(answer, where)
        assert (kept["hold_hours"], kept["moderators.add"]) == (["soon"], ["Nobody Atall"])
        assert kept["moderated"] == ["yes"]
        assert 'aria-describedby="hold_hours-hint hold_hours-wrong" aria-invalid="true"' in answer.text
    assert home.office.values("projet-arctique", "dgModerated") == []


def test_two_who_change_the_same_value_see_both_and_choose(home: House) -> None:
    where = path(home, "sales-uk")
    with home.person("alice") as alice, home.person("helene", "fr") as helene:
        mine, hers = alice.get(where), helene.get(where)
        assert filled(helene, where, {"name": "Ventes R.-U."}, page=hers).status_code == 303
        clash = filled(alice, where, {"name": "British sales", "description": "All of them"}, page=mine)
        assert clash.status_code == 409
        for words in (
            "Somebody else was faster",
            "UK sales",
            "British sales",
            "Ventes R.-U.",
            "Hélène Lefèvre",
        ):
            assert words in clash.text
        theirs = filled(alice, where, {"choice.name": "theirs"}, page=clash)
        assert theirs.headers["location"].endswith("said=saved")
        assert home.office.values("sales-uk", "displayName") == ["Ventes R.-U."]
        assert home.office.values("sales-uk", "description") == ["All of them"]
        late = filled(helene, where, {"description": "Vente"}, page=hers)
        assert late.status_code == 409
        assert "Quelqu’un a été plus rapide" in late.text
        own = filled(helene, where, {"choice.description": "mine"}, page=late)
        assert own.headers["location"].endswith("said=saved")
    assert home.office.values("sales-uk", "description") == ["Vente"]
    assert home.office.values("sales-uk", "displayName") == ["Ventes R.-U."]


def test_two_who_change_a_list_lose_nothing(home: House) -> None:
    where = path(home, "ventes", "/owners")
    with home.person("helene") as one, home.person("administrator") as other:
        first, second = one.get(where), other.get(where)
        assert filled(one, where, {"owners.add": "Zoë Cœurdacier"}, page=first).status_code == 303
        other_way = {"owners.add": "anais.lhopital@masociete.example"}
        assert filled(other, where, other_way, page=second).status_code == 303
        assert "Zoë Cœurdacier" in other.get(where).text
        out = f"uid=zoe,{PEOPLE}"
        assert filled(one, where, {"owners.remove": [out]}).headers["location"].endswith("said=saved")
    assert sorted(home.office.values("ventes", "owner")) == [f"uid=anais,{PEOPLE}", f"uid=helene,{PEOPLE}"]


def test_a_group_is_left_to_nobody_by_no_form(home: House) -> None:
    where = path(home, "sales-uk", "/owners")
    with home.person("alice", "fr") as alice:
        answer = filled(alice, where, {"owners.remove": [f"uid=alice,{PEOPLE}"]})
        assert answer.status_code == 422
        assert "Quelqu’un doit rester ici" in answer.text
        assert 'value="uid=alice' in answer.text
        spelt = f"UID=Alice, {PEOPLE}".replace("ou=people", "OU = p\\65ople")
        answer = filled(alice, where, {"owners.remove": [spelt]})
        assert answer.status_code == 422
        assert "Quelqu’un doit rester ici" in answer.text
        answer = filled(alice, where, {"owners.remove": [f"uid=alice,{PEOPLE}"], "owners.add": " , "})
        assert answer.status_code == 422
        given = filled(alice, where, {"owners.remove": [f"uid=alice,{PEOPLE}"], "owners.add": "bob"})
        assert given.headers["location"].endswith("said=saved")
        assert f'action="{where}"' not in alice.get(where).text
    assert home.office.values("sales-uk", "owner") == [f"uid=bob,{PEOPLE}"]


def test_delivery_opens_a_group_and_says_so(home: House) -> None:
    where = path(home, "contact", "/delivery")
    with home.person("administrator", "fr") as admin:
        page = admin.get(where)
        assert "Gestion de remise" in page.text
        assert form_of(page, where)["require_authentication"] == ["yes"]
        answer = filled(
            admin,
            where,
            {
                "require_authentication": "no",
                "max_size": "10 Mo",
                "denied.add": "@spam.example; Paul Partner",
                "external_senders.add": "@.partenaire.example",
            },
        )
        assert answer.headers["location"].endswith("said=saved"), answer.text
        page = admin.get(where)
        assert "Tout Internet peut écrire à ce groupe" in page.text
        assert form_of(page, where)["max_size"] == ["10 MB"]
    assert home.office.values("contact", "dgRequireAuthentication") == ["FALSE"]
    assert home.office.values("contact", "dgMaxMessageSize") == ["10000000"]
    assert home.office.values("contact", "dgDeniedSenderAddress") == ["@spam.example"]
    assert len(home.office.values("contact", "dgDeniedSender")) == 1
    assert home.office.values("contact", "dgExternalSender") == ["@.partenaire.example"]


def test_a_moderated_group_with_nobody_to_decide_is_a_warning(home: House) -> None:
    where = path(home, "tous", "/moderation")
    with home.person("helene") as admin:
        assert (
            filled(admin, where, {"moderated": "yes", "moderators.add": "jean@masociete.example"}).status_code
            == 303
        )
        words = "nobody is there to decide"
        assert words not in admin.get(where).text
        home.office.slapd.modify(
            f"dn: cn=tous,{GROUPS}\nchangetype: modify\nreplace: dgModerator\ndgModerator: uid=left,{PEOPLE}\n"
        )
        home.until(lambda: words in admin.get(where).text)
        page = admin.get(where)
        assert "No longer in the directory" in page.text or f"uid=left,{PEOPLE}" in page.text
        lost = form_of(page, where)
        assert lost["moderated"] == ["yes"]
        gone = filled(admin, where, {"moderators.remove": [f"uid=left,{PEOPLE}"]}, without=["moderated"])
        assert gone.headers["location"].endswith("said=saved")
        assert words not in admin.get(where).text
    with home.person("pierre") as pierre:
        assert "Please look at this" not in pierre.get(where).text
    assert home.office.values("tous", "dgModerator") == []


def test_everything_is_refused_by_one_click_and_a_confirmation(home: House) -> None:
    where = path(home, "newsletter")
    with home.person("sian", "fr") as owner:
        assert f'href="{where}/suspend">Tout refuser pour ce groupe maintenant' in owner.get(where).text
        assert home.office.values("newsletter", "dgEnabled") == []
        answer = filled(owner, f"{where}/suspend")
        assert answer.headers["location"] == f"{where}?said=suspended"
        page = owner.get(answer.headers["location"])
        assert "Le groupe refuse maintenant tout message." in page.text
        assert "Ce groupe refuse actuellement tout message." in page.text
        assert home.office.values("newsletter", "dgEnabled") == ["FALSE"]
        with home.person("pierre") as pierre:
            seen = pierre.get(where).text
            assert "This group refuses every message at the moment." in seen
            assert "/resume" not in seen
        answer = filled(owner, f"{where}/resume")
        assert answer.headers["location"] == f"{where}?said=resumed"
        assert "refuse actuellement" not in owner.get(where).text
    assert home.office.values("newsletter", "dgEnabled") == ["TRUE"]


def test_a_group_is_made_looked_at_and_deleted(home: House) -> None:
    with home.person("helene", "fr") as admin:
        page = admin.get("/groups/new")
        fresh = form_of(page, "/groups/new")
        assert fresh["owners.add"] == ["helene.lefevre@masociete.example"]
        assert (fresh["join_policy"], fresh["leave_policy"]) == (["closed"], ["open"])
        typed = {
            "name": "Équipe été",
            "address": "jean",
            "description": "Vacances",
            "members.add": "Pierre Durand\nx@ailleurs.example, y@ailleurs.example",
            "join_policy": "approval",
        }
        refused = filled(admin, "/groups/new", typed, page=page)
        assert refused.status_code == 422
        assert "Jean Dupont" in refused.text
        assert form_of(refused, "/groups/new")["members.add"] == [typed["members.add"]]
        made = filled(admin, "/groups/new", {"address": "ete"}, page=refused)
        assert made.headers["location"] == f"{path(home, 'ete')}?said=made"
        assert "Le groupe est créé." in admin.get(made.headers["location"]).text
        assert set(home.office.values("ete", "member")) == {
            f"uid={uid},{PEOPLE}" for uid in ("helene", "pierre")
        }
        assert home.office.values("ete", "owner") == [f"uid=helene,{PEOPLE}"]
        assert set(home.office.values("ete", "dgMemberAddress")) == {
            "x@ailleurs.example",
            "y@ailleurs.example",
        }
        assert home.office.values("ete", "dgJoinPolicy") == ["approval"]
        where = path(home, "ete", "/delete")
        assert "Membres qui n’en recevront plus le courrier\u00a0: 4." in admin.get(where).text
        wrong = filled(admin, where, {"address": "contact@masociete.example"})
        assert wrong.status_code == 422
        assert "Merci de saisir l’adresse du groupe" in wrong.text
        gone = filled(admin, where, {"address": "ETE@masociete.example"})
        assert gone.headers["location"] == "/groups?said=deleted"
        assert admin.get(path_of(where)).status_code == 404
    assert [row.action for row in home.office.journal("group-delete")] == ["group-delete"]


def path_of(where: str) -> str:
    """The group's first page."""
    return where.removesuffix("/delete")


@pytest.mark.parametrize("typed", ["", "  "])
def test_a_group_without_address_is_asked_for_one(home: House, typed: str) -> None:
    with home.person("helene", "fr") as admin:
        answer = filled(admin, "/groups/new", {"address": typed, "members.add": "Nobody Atall"})
    assert answer.status_code == 422
    assert answer.text.count("Un groupe doit avoir une adresse.") == 2, "in the summary and at the field"
    assert "serveur de messagerie accepte" not in answer.text
    assert "personne dans l’annuaire n’a ce nom" in answer.text, "and what else is wrong is said as well"


def test_owners_delete_nothing_and_not_everybody_makes_groups(home: House) -> None:
    with home.person("sian") as sian:
        where = path(home, "newsletter")
        assert "Delete this group" not in sian.get(where).text
        assert sian.get(f"{where}/delete").status_code == 404
        assert sian.get("/groups/new").status_code == 403
        assert "You may not create groups." in sian.get("/groups/new").text


def test_a_right_that_is_gone_in_the_directory_is_gone_at_once(home: House) -> None:
    where = path(home, "projet-arctique")
    with home.person("zoe") as zoe:
        page = zoe.get(where)
        home.office.slapd.modify(
            f"dn: cn=projet-arctique,{GROUPS}\nchangetype: modify\nreplace: owner\nowner: uid=jose,{PEOPLE}\n"
        )
        answer = filled(zoe, where, {"name": "Mine"}, page=page)
        assert answer.status_code in {403, 404}, "whether the mirror knows it yet or not"
        assert "Mine" not in home.office.values("projet-arctique", "displayName")
        home.until(lambda: 'name="csrf"' in zoe.get(where).text and "seen.name" not in zoe.get(where).text)
