"""What no form of ours sends: numbers beyond measure, and names of several lines."""

from __future__ import annotations

import pytest
from tests.panel.clubs import dissolved, founded
from tests.panel.house import House, csrf

ENDLESS = "9" * 5_000


@pytest.mark.parametrize("number", [ENDLESS, "9" * 30])
def test_a_number_beyond_measure_is_no_number(home: House, number: str) -> None:
    with home.person("zoe") as zoe:
        token = csrf(zoe.get("/account"))
        assert zoe.get("/groups", params={"page": number}).status_code == 200
        undone = zoe.post("/audit/undo", data={"csrf": token, "row": number})
        assert undone.headers["location"] == "/audit?said=no-change-chosen"
        fields = {"csrf": token, "name": "x", "scopes": "read", "days": number}
        assert zoe.post("/account/tokens", data=fields).status_code == 422


def test_a_name_has_one_line(home: House) -> None:
    path = founded(home, "lines")
    with home.person("zoe") as zoe:
        fields = {"csrf": csrf(zoe.get(path)), "seen.name": "The lines", "name": "One\nBcc: two@far.example"}
        assert zoe.post(path, data=fields).status_code == 303
    assert home.office.values("lines", "displayName") == ["One Bcc: two@far.example"]
    dissolved(home, "lines")
