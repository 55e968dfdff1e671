"""The commands of moderation on a host of their own: what they print for people and programs, what they refuse."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.moderation.hosts import NEWS, Host, host
from typer.testing import CliRunner

from groupmilter.cli.app import app
from groupmilter.cli.exits import Exit
from groupmilter.cli.times import iso
from groupmilter.moderation.item import DESK, Event, State, Way, Who
from groupmilter.moderation.ledger import Letter
from groupmilter.moderation.mailbox import Folder

CHLOE = Who("chloe@masociete.example", Way.MAIL, origin="<answer@masociete.example>")
BOARD = "board@masociete.example"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


def decide(site: Host, item_id: int, event: Event, who: Who = CHLOE, **words: str) -> None:
    ledger = site.opened()
    assert ledger.change(item_id, event, who, int(time.time()), **words).happened
    ledger.close()


def test_nothing_waits(site: Host) -> None:
    assert site.call("held", "list").stdout == "Nothing waits.\n"
    assert site.call("held", "list", "--group", NEWS).stdout == f"Nothing waits for {NEWS}.\n"
    found = site.asked("held", "list")
    assert (found["total"], found["messages"], found["states"]["held"]) == (0, [], 0)
    assert site.call("held", "release-all").stdout == "Nothing waits.\n"
    assert site.call("audit").stdout == "Nothing of the kind was recorded.\n"
    assert "each" in site.call("held", "rebuild").stdout


def test_what_waits_is_listed(site: Host) -> None:
    first = site.held(1, subject="the first", strength=4)
    second = site.held(2, BOARD, subject="[bold]the second[/] \x1b[31m")
    gone = site.held(3, subject="the third")
    decide(site, gone.id, Event.REJECT)
    shown = site.call("held", "list").stdout
    for part in (
        first.name,
        second.name,
        "the first",
        "not proven",
        "proven by log-in",
        "[bold]the second[/]",
        NEWS,
    ):
        assert part in shown
    assert gone.name not in shown
    assert "\x1b" not in shown
    assert "2 messages; 2 wait for a decision." in shown
    found = site.asked("held", "list")
    assert [one["name"] for one in found["messages"]] == [first.name, second.name]
    assert found["messages"][0]["since"] == iso(first.recorded)
    assert found["states"] == dict.fromkeys(map(str, State), 0) | {"held": 2, "rejected": 1}
    assert site.asked("held", "list", "-g", "BOARD@MASOCIETE.EXAMPLE")["total"] == 1
    assert site.asked("held", "list", "--state", "all")["total"] == 3
    assert site.asked("held", "list", "-s", "rejected")["messages"][0]["decided_by"] == CHLOE.name
    limited = site.call("held", "list", "--limit", "1").stdout
    assert "1 of 2 messages (--limit)" in limited
    site.call("held", "list", "--state", "lost", code=Exit.USAGE)
    assert "no mail address" in site.call("held", "list", "-g", "nonsense", code=Exit.FINDING).stderr


@pytest.mark.parametrize("width", [60, 80, 120, 159])
def test_a_narrow_screen_gets_several_lines_and_nothing_beyond_its_edge(site: Host, width: int) -> None:
    site.held(
        1, subject="a subject that is much too long for any screen of this width, and longer still " * 3
    )
    shunted = site.held(2, BOARD, subject="other")
    decide(site, shunted.id, Event.SHUNT, DESK, note="552 5.3.4 too large")
    runner = CliRunner(env={"COLUMNS": str(width), "FORCE_COLOR": "1", "TERM": "xterm"})
    shown = runner.invoke(app, ["-c", str(site.configuration.file), "held", "list"]).stdout
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, plain.splitlines())) <= width
    for part in ("not proven", "…", "shunted", shunted.name, " left"):
        assert part in plain


def test_everything_about_one_message(site: Host) -> None:
    lines = "\n".join(f"line {number}" for number in range(60))
    body = f"Dear all,\n\x1b[31mred\x1b[0m \u202eevil\n{lines}\n"
    item = site.held(1, subject="all about me", strength=4, body=body)
    ledger = site.opened()
    address = "chloe@masociete.example"
    ledger.letters.plan((Letter(0, item.id, "request", address, "Chloe", "fr", "u", 0, item.recorded, "0"),))
    ledger.letters.failed(ledger.letters.due(2**40)[0], item.recorded, "450 4.2.1 mailbox busy")
    ledger.close()
    shown = site.call("held", "show", item.name[:6]).stdout
    for part in (
        item.name, "all about me", f"{address} (moderator)", "proven by log-in", "the group is moderated",
        "hold, key 0, sealed", item.arrival.ticket, item.arrival.content, "line 5", "…", "rebuild → held",
        "not yet: 450 4.2.1 mailbox busy", "/hold/.Held/cur/",
    ):  # fmt: skip
        assert part in shown, part
    assert "line 40" not in shown
    assert not set(shown) & {"\x1b", "\u202e"}
    found = site.asked("held", "show", item.name)
    assert found["ticket_terms"]["kind"] == "hold"
    assert found["ticket_terms"]["key"] == 0
    assert {"address": address, "as": "moderator"} in found["may_decide"]
    assert found["letters"][0]["why"] == "450 4.2.1 mailbox busy"
    assert [row["action"] for row in found["history"]] == ["rebuild"]
    raw = CliRunner().invoke(app, ["-c", str(site.configuration.file), "held", "show", item.name, "--raw"])
    whole = site.hold.mailbox.read(item.arrival.file)
    assert raw.stdout_bytes == whole[whole.index(b"Received:") :]


def test_a_message_whose_file_or_group_is_gone(site: Host) -> None:
    item = site.held(1, subject="soon gone")
    site.hold.mailbox.remove(item.arrival.file)
    assert "no longer in the hold mailbox" in site.call("held", "show", item.name).stdout
    refused = site.call("held", "show", item.name, "--raw", code=Exit.STATE)
    assert "no longer in the hold mailbox" in refused.stderr
    site.configuration.site.mirror.rename(site.configuration.site.mirror.with_name("away.db"))
    assert site.asked("held", "show", item.name)["may_decide"] is None
    assert "can't be told" in site.call("held", "show", item.name).stdout


def test_the_first_decision_stands_and_the_exit_code_says_so(
    site: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "jean")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    one, two, three = (site.held(number, subject=f"subject {number}") for number in (1, 2, 3))
    said = site.call("held", "approve", one.name, two.name[:7], one.name, "--reason", "fine").stdout
    assert said.count("is approved") == 2
    assert "isn't running" in said
    assert [site.state(item) for item in (one, two, three)] == [State.APPROVED, State.APPROVED, State.HELD]
    later = site.call("held", "reject", one.name, three.name, "-r", "no", code=Exit.DECIDED).stdout
    assert f"{one.name} was already approved by jean on" in later
    assert "by command; that stands." in later
    assert (site.state(one), site.state(three)) == (State.APPROVED, State.REJECTED)
    found = site.asked("held", "approve", three.name, code=Exit.DECIDED)
    assert found["decisions"][0]["happened"] is False
    assert found["decisions"][0]["decided_by"] == "jean"
    assert found["running"] is False
    ledger = site.opened()
    row = ledger.audit(action="reject")[0]
    assert (row.actor, row.way, row.detail) == ("jean", "command", "no")
    ledger.close()


def test_who_is_told_of_another_way_is_told_which(site: Host) -> None:
    item = site.held(1)
    decide(site, item.id, Event.REJECT)
    said = site.call("held", "approve", item.name, code=Exit.DECIDED).stdout
    assert "already rejected by chloe@masociete.example" in said
    assert "by mail" in said


def test_what_was_shunted_can_be_decided_and_what_is_out_cannot(site: Host) -> None:
    shunted, released = site.held(1), site.held(2)
    decide(site, shunted.id, Event.SHUNT, DESK, note="552 5.3.4 too large")
    decide(site, released.id, Event.APPROVE)
    decide(site, released.id, Event.RELEASE, DESK)
    site.call("held", "approve", shunted.name)
    assert site.state(shunted) is State.APPROVED
    site.call("held", "reject", released.name, "--reason", "", code=Exit.DECIDED)
    assert site.state(released) is State.RELEASED


def test_what_has_no_group_any_more_can_only_be_rejected(site: Host) -> None:
    lost, waits = site.held(1), site.held(2)
    ledger = site.opened()
    with ledger.database.writing() as connection:
        # As if its entry were another one.
        connection.exec_driver_sql(f'UPDATE item SET "group" = "group" + 1 WHERE id = {lost.id}')
    ledger.close()
    refused = site.call("held", "approve", waits.name, lost.name, code=Exit.FINDING).stderr
    assert f"no group any more to which these could go: {lost.name}." in refused
    assert (site.state(lost), site.state(waits)) == (State.HELD, State.HELD)
    said = site.call("held", "release-all", "--yes").stdout
    assert "1 message stays: there is no group any more" in said
    assert "1 message approved" in said
    found = site.asked("held", "release-all", "--yes")
    assert (found["held"], found["approved"], found["nowhere"]) == (1, 0, 1)
    site.call("held", "reject", lost.name, "--reason", "gone")
    assert site.state(lost) is State.REJECTED


def test_a_name_that_is_none_decides_nothing(site: Host) -> None:
    items = [site.held(number) for number in range(30)]
    first = min(item.name[0] for item in items if sum(one.name[0] == item.name[0] for one in items) > 1)
    several = site.call("held", "approve", items[0].name, first, code=Exit.FINDING).stderr
    assert "several names begin so" in several
    assert "no held message has this name" in site.call("held", "approve", "zzzz", code=Exit.FINDING).stderr
    site.call("held", "show", "", code=Exit.FINDING)
    assert site.asked("held", "list", "-s", "held")["total"] == 30
    site.call("held", "reject", items[0].name, code=Exit.USAGE)


def test_release_all_asks_and_takes_what_was_held_then(site: Host) -> None:
    news = [site.held(number) for number in range(3)]
    board = site.held(9, BOARD)
    refused = site.call("held", "release-all", code=Exit.USAGE)
    assert "4 messages wait for a decision; --yes" in refused.stderr
    said = site.call("held", "release-all", "--group", NEWS, "--yes").stdout
    assert f"3 messages for {NEWS} approved." in said
    assert {site.state(item) for item in news} == {State.APPROVED}
    assert site.state(board) is State.HELD
    assert site.asked("held", "release-all", "-y", "-r", "spring cleaning")["approved"] == 1
    ledger = site.opened()
    assert ledger.audit(action="approve")[-1].detail == "spring cleaning"
    ledger.close()


def test_more_than_one_transaction_of_them(site: Host) -> None:
    for number in range(250):
        site.hold.delivered(site.ticket(number), Folder.HELD)
    assert site.asked("held", "rebuild")["recorded"] == 250
    assert site.asked("held", "release-all", "--yes")["approved"] == 250
    assert site.asked("held", "list", "-s", "approved", "-n", "999")["total"] == 250


def test_rebuild_tells_what_it_found(site: Host) -> None:
    site.lose_the_ledger()
    site.hold.delivered(site.ticket(1), Folder.HELD)
    site.hold.delivered(site.ticket(1), Folder.HELD)
    site.hold.delivered(site.ticket(2), Folder.APPROVED)
    site.hold.delivered("nonsense", Folder.HELD)
    said = site.call("held", "rebuild").stdout
    assert "4 messages in the hold mailbox" in said
    for part in ("2  recorded", "1  shunted", "1  there twice"):
        assert part in said
    assert site.configuration.site.state.stat().st_mode & 0o777 == 0o600
    broken = site.hold.mailbox.path / ".Held" / "cur" / "7.dir:2,S"
    broken.mkdir()
    assert "can't be read" in site.call("held", "rebuild", code=Exit.FINDING).stdout


def test_audit_chooses_and_counts(site: Host) -> None:
    one, two = site.held(1), site.held(2, BOARD)
    decide(site, one.id, Event.REJECT, comment="Not here.")
    rows = [json.loads(line) for line in site.call("audit", "--json").stdout.splitlines()]
    assert [row["action"] for row in rows] == ["rebuild", "rebuild", "reject"]
    assert (rows[2]["actor"], rows[2]["before"], rows[2]["after"]) == (CHLOE.name, "held", "rejected")
    assert rows[2]["at"].endswith("Z")

    def listed(*options: str) -> list[str]:
        found = [json.loads(line) for line in site.call("audit", *options, "--json").stdout.splitlines()]
        return [row["item"] for row in found]

    assert listed("--item", two.name[:5]) == [two.name]
    assert listed("--group", BOARD) == [two.name]
    assert listed("--action", "reject") == [one.name]
    assert listed("--limit", "1") == [one.name]
    assert len(listed("--since", "1h")) == 3
    assert listed("--since", "2099-01-01") == []
    shown = site.call("audit", "-n", "1").stdout
    assert re.search(rf"reject +{one.name}  chloe@masociete.example, by mail  {NEWS}  Not here\.", shown)
    assert "there may be more" in shown
    assert "wants a date" in site.call("audit", "--since", "yesterday", code=Exit.USAGE).stderr
    site.call("audit", "--item", "zzzz", code=Exit.FINDING)


def test_audit_follows(site: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    item = site.held(1)
    naps, here, real = list[float](), threading.get_ident(), time.sleep

    def sleep(seconds: float) -> None:
        if threading.get_ident() != here:
            # What other tests have left running is none of this.
            real(seconds)
            return
        naps.append(seconds)
        if len(naps) == 1:
            decide(site, item.id, Event.REJECT)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    rows = [json.loads(line) for line in site.call("audit", "--follow", "--json").stdout.splitlines()]
    assert [row["action"] for row in rows] == ["rebuild", "reject"]


def test_rebuild_without_a_directory_records_nothing(site: Host) -> None:
    site.hold.delivered(site.ticket(1), Folder.HELD)
    site.configuration.site.mirror.unlink()
    site.call("held", "rebuild", code=Exit.MIRROR)
    assert site.asked("held", "list")["total"] == 0


def completed(site: Host, shell: str, config: str = "") -> str:
    """What a shell is told about `groupmilter held show`, with nothing typed after it."""
    words = "groupmilter held show "
    told = {
        "_GROUPMILTER_COMPLETE": f"complete_{shell}",
        "GROUPMILTER_CONFIG": config or str(site.configuration.file),
        "COMP_WORDS": words,
        "COMP_CWORD": "3",
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    result = CliRunner(env=told).invoke(app, [], prog_name="groupmilter")
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_are_completed_and_nothing_that_an_outsider_wrote(site: Host, shell: str) -> None:
    waiting, gone = site.held(1, subject="$(touch /tmp/evil) `id` \"'"), site.held(2, subject="evil")
    decide(site, gone.id, Event.REJECT)
    told = completed(site, shell)
    assert waiting.name in told
    assert gone.name not in told
    assert not re.search(r"evil|touch|id`", told)
    assert completed(site, shell, "/nowhere/config.yaml").strip() in {"", "_files"}
    site.lose_the_ledger()
    assert waiting.name not in completed(site, shell)
    assert not site.configuration.site.state.exists()


TEAM, ALIAS = "equipe@masociete.example", "équipe@masociete.example"


def test_a_group_is_found_by_each_of_its_addresses(site: Host) -> None:
    item = site.held(1, TEAM)
    for address in (TEAM, ALIAS, TEAM.upper()):
        assert [one["name"] for one in site.asked("held", "list", "-g", address)["messages"]] == [item.name]
        assert item.name in site.call("audit", "-g", address).stdout
    assert site.asked("held", "release-all", "-y", "-g", ALIAS)["approved"] == 1
    site.configuration.site.mirror.unlink()
    assert site.call("held", "list", "-s", "all", "-g", TEAM).stdout.count(item.name) == 1
    assert site.call("held", "list", "-g", ALIAS).stdout == f"Nothing waits for {ALIAS}.\n"


def test_who_tried_a_bad_token_is_named_as_far_as_anybody_knows(site: Host) -> None:
    ledger = site.opened()
    ledger.note("token-forged", Who("", Way.LINK, origin="192.0.2.9"), 1, detail="GET 1234abcd")
    ledger.note("token-forged", Who(CHLOE.name, Way.MAIL, origin="2001:db8::7"), 1)
    ledger.note("token-foreign", CHLOE, 1)
    ledger.close()
    said = site.call("audit").stdout.splitlines()
    assert "somebody, by link (192.0.2.9)" in said[0]
    assert f"{CHLOE.name}, by mail (2001:db8::7)" in said[1]
    assert said[2].endswith(f"{CHLOE.name}, by mail")
