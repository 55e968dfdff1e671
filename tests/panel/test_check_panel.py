"""``check`` names who is to administer the panel and isn't in the directory."""

from __future__ import annotations

from pathlib import Path

from tests.panel.house import ADMINISTRATORS, House, house

NOWHERE = "cn=nowhere,ou=groups,dc=masociete,dc=example"


def told(home: House, code: int) -> list[tuple[str, str]]:
    checks = home.office.asked("check", "--no-postfix", "--no-dns", code=code)["checks"]
    return [(one["level"], one["subject"]) for one in checks if one["area"] == "panel"]


def test_all_are_there(home: House) -> None:
    assert told(home, 0) == [("ok", "administrators")]


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    more = f"panel: {{administrators: ['{ADMINISTRATORS}', '{NOWHERE}'], create: {{who: ['{NOWHERE}']}}}}\n"
    with house(tmp_path, more) as home:
        assert told(home, 1) == [("error", "administrators"), ("error", "create.who")]
