"""The directory is down: members are shown from the mirror, and what was typed is kept and can be sent again."""

from __future__ import annotations

from pathlib import Path

from tests.panel.clubs import founded, members, person
from tests.panel.filling import form_of
from tests.panel.house import csrf, house

OPEN = "dgJoinPolicy: open\n"


def test_the_list_goes_on_and_nothing_typed_is_lost(tmp_path: Path) -> None:
    with house(tmp_path) as home, home.person("zoe", "fr") as zoe:
        path = f"/groups/{home.group('equipe').uuid}/members"
        token = csrf(zoe.get(path))
        home.office.slapd.stop()
        try:
            assert "Zoë Cœurdacier" in zoe.get(path).text
            assert "Équipe technique" in zoe.get("/mine?show=owned").text
            assert "helene.lefevre" in zoe.get("/pick?q=helene").text
            asked = {
                path: {"members.add": "jean\nPierre Durand"},
                f"{path}/remove": {"who": person("zoe")},
                f"{path}/import": {"text": "bob\nalice", "how": "add"},
            }
            answers = {to: zoe.post(to, data={"csrf": token, **typed}) for to, typed in asked.items()}
        finally:
            home.office.slapd.start()
        for to, typed in asked.items():
            assert answers[to].status_code == 503
            assert "L’annuaire est injoignable pour l’instant." in answers[to].text
            kept = form_of(answers[to], to)
            assert {name: kept[name] for name in typed} == {name: [value] for name, value in typed.items()}
        again = zoe.post(path, data=form_of(answers[path], path))
        assert again.headers["location"] == f"{path}?added=2&were=0"
        assert {person("jean"), person("pierre")} <= members(home, path)


def test_joining_is_done_once_the_directory_is_back(tmp_path: Path) -> None:
    with house(tmp_path) as home, home.person("pierre") as pierre:
        path = f"/mine/{founded(home, 'later', OPEN).rpartition('/')[2]}/join"
        token = csrf(pierre.get("/mine"))
        home.office.slapd.stop()
        try:
            answer = pierre.post(path, data={"csrf": token})
        finally:
            home.office.slapd.start()
        assert answer.headers["location"] == "/mine?said=request-soon"
        page = pierre.get(answer.headers["location"]).text
        assert "as soon as it can" in page
        assert "Join" in page.partition("What you have asked for")[2]
        assert person("pierre") not in home.office.values("later", "member")
