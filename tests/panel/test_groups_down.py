"""The directory is down: pages of groups are shown from the mirror, and nothing that was typed is lost."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import httpx
import pytest
from tests.panel.filling import filled, form_of
from tests.panel.house import house

WORDS = {
    "en": "The directory can't be reached at the moment.",
    "fr": "L’annuaire est injoignable pour l’instant.",
}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_go_on_and_forms_keep_what_was_typed(tmp_path: Path, language: str) -> None:
    with house(tmp_path) as home, home.person("helene", language) as admin:
        group = home.group("commercial")
        where, slapd = f"/groups/{group.uuid}", home.office.slapd
        forms = {
            where: {"name": "Autre & <nom>"},
            f"{where}/owners": {"owners.add": "Zoë Cœurdacier"},
            f"{where}/delivery": {"max_size": "12 MB"},
            f"{where}/moderation": {"hold_hours": "24"},
            "/groups/new": {"address": "neuf", "name": "Neuf", "members.add": "Pierre Durand"},
        }
        slapd.stop()
        try:
            assert "Service commercial" in admin.get("/groups").text
            answers = {path: filled(admin, path, typed) for path, typed in forms.items()}
            suspended = filled(admin, f"{where}/suspend")
            deleted = filled(admin, f"{where}/delete", {"address": group.address})
            with home.anybody(language) as client:
                outside = filled(client, "/login", {"login": "pierre", "password": "pierre-secret"})
        finally:
            slapd.start()
        _kept(outside, "/login", {"login": "pierre", "password": ""}, language)
        for path, typed in forms.items():
            _kept(answers[path], path, typed, language)
        assert (suspended.status_code, deleted.status_code) == (503, 503)
        assert form_of(deleted, f"{where}/delete")["address"] == [group.address]
        assert home.group("commercial").enabled
        for path in forms:
            again = filled(admin, path, page=answers[path])
            assert again.status_code == 303, path
            assert "said=" in again.headers["location"]
        assert home.office.values("commercial", "displayName") == ["Autre & <nom>"]
        assert home.office.values("commercial", "dgMaxMessageSize") == ["12000000"]
        assert home.office.values("neuf", "displayName") == ["Neuf"]


def _kept(answer: httpx.Response, path: str, typed: dict[str, str], language: str) -> None:
    assert answer.status_code == 503, path
    assert WORDS[language] in unescape(answer.text)
    shown = form_of(answer, path)
    assert {name: shown[name] for name in typed} == {name: [value] for name, value in typed.items()}
