"""Tracing mail, keys, backup and restore by command, and what commands say where something is missing."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.moderation.hosts import NEWS, Host, host
from tests.moderation.test_commands import BOARD, decide
from typer.testing import CliRunner

from groupmilter.cli.app import app
from groupmilter.cli.exits import Exit
from groupmilter.cli.times import ago, brief, iso, moment, until
from groupmilter.config.keys import read_keys
from groupmilter.moderation.item import DESK, Event, State
from groupmilter.moderation.mailbox import Folder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


def test_a_mail_is_traced_by_each_of_its_names(site: Host, tmp_path: Path) -> None:
    item = site.held(1)
    decide(site, item.id, Event.APPROVE)
    decide(site, item.id, Event.RELEASE, DESK, note="4F2A0B9999")
    names = (
        item.name[:5],
        item.arrival.message_id,
        item.arrival.message_id.strip("<>"),
        "4F2A0B3C5D",
        "4F2A0B9999",
    )
    for name in names:
        found = site.asked("trace", name)
        assert [one["name"] for one in found["messages"]] == [item.name], name
        assert found["messages"][0]["queue_ids_out"] == ["4F2A0B9999"]
        assert found["messages"][0]["path"].endswith(f"{item.arrival.file}:2,S")
        assert [row["action"] for row in found["messages"][0]["history"]] == ["rebuild", "approve", "release"]
    for part in ("4F2A0B", "2A0B9999", "4F2A0B999"):
        assert "doesn't know" in site.call("trace", part, code=Exit.FINDING).stderr
    shown = site.call("trace", item.name).stdout
    for part in ("released", "4F2A0B3C5D", "4F2A0B9999", "Went as", "History"):
        assert part in shown
    log = tmp_path / "mail.log"
    log.write_text("Nov 26 10:00:00 mx postfix/qmgr[3]: 4F2A0B9999: removed\nNov 26 other\n")
    assert "4F2A0B9999: removed" in site.call("trace", item.name, "--log", str(log)).stdout
    unknown = site.call("trace", "nobody@outside.example", code=Exit.FINDING).stderr
    assert "the ledger doesn't know such a mail" in unknown
    both = site.call("trace", "nobody@outside.example", "-l", str(log), code=Exit.FINDING).stderr
    assert "neither the ledger nor the logs" in both
    missing = site.call("trace", "x@y", "--log", str(tmp_path / "none.log"), code=Exit.CONFIGURATION).stderr
    assert "none.log: No such file" in missing


@pytest.mark.parametrize(
    ("ending", "pack"), [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)]
)
def test_packed_logs_are_read(
    site: Host, tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    line = b"Nov 26 10:00:00 mx postfix/cleanup[3]: 4F2A0B9999: message-id=<a@x.example>\n"
    log = tmp_path / f"mail.log.{ending}"
    log.write_bytes(pack(line))
    site.lose_the_ledger()
    assert "4F2A0B9999" in site.call("trace", "a@x.example", "--log", str(log)).stdout


def test_a_mail_to_several_moderated_groups_has_an_item_for_each(site: Host) -> None:
    first = site.held(1)
    octets = site.hold.mailbox.read(first.arrival.file)
    ticket = site.ticket(2, BOARD)
    name = site.hold.delivered(ticket, Folder.HELD)
    site.hold.mailbox.find(name).write_bytes(octets.replace(first.arrival.ticket.encode(), ticket.encode()))
    site.call("held", "rebuild")
    assert [one["group"] for one in site.asked("trace", first.name)["messages"]] == [NEWS, BOARD]


def test_keys_rotate_list_and_drop(site: Host) -> None:
    item = site.held(1)
    assert site.asked("keys", "list")["keys"][0]["sealing"] is True
    rotated = site.call("keys", "rotate").stdout
    assert "Key 1 seals now" in rotated
    assert "isn't running" in rotated
    keys = site.asked("keys", "list")["keys"]
    assert [(key["id"], key["sealing"], key["open_items"]) for key in keys] == [(1, True, 0), (0, False, 1)]
    shown = site.call("keys", "list").stdout
    assert "1 open message bears its ticket" in shown
    for secret in (key.secret.hex() for key in read_keys(site.configuration.site.service.key_file).keys):
        assert secret not in shown
    assert "seals" in site.call("keys", "drop", "1", code=Exit.IN_THE_WAY).stderr
    assert "there are 1, 0" in site.call("keys", "drop", "9", code=Exit.FINDING).stderr
    needed = site.call("keys", "drop", "0", code=Exit.IN_THE_WAY).stderr
    assert "bears its ticket" in needed
    assert "--force" in needed
    decide(site, item.id, Event.REJECT)
    assert "ten days" in site.call("keys", "drop", "0", code=Exit.IN_THE_WAY).stderr
    assert "gone" in site.call("keys", "drop", "0", "--force").stdout
    assert [key["id"] for key in site.asked("keys", "list")["keys"]] == [1]
    site.lose_the_ledger()
    site.call("keys", "rotate")
    assert site.asked("keys", "list")["keys"][1]["open_items"] is None
    assert "no ledger" in site.call("keys", "drop", "1", code=Exit.IN_THE_WAY).stderr


def test_backup_and_restore(site: Host, tmp_path: Path) -> None:
    item = site.held(1)
    archive = tmp_path / "backup.tgz"
    said = site.call("backup", str(archive)).stdout
    assert "the ledger with 1 item, 1 held; 1 message; the keys." in said
    assert archive.stat().st_mode & 0o777 == 0o600
    refused = site.call("backup", str(archive), code=Exit.IN_THE_WAY).stderr
    assert "there already" in refused
    assert site.asked("backup", str(archive), "--force")["mail"] == 1
    assert not list(tmp_path.glob(".backup*"))
    streamed = CliRunner().invoke(app, ["-c", str(site.configuration.file), "backup", "-"])
    assert streamed.exit_code == 0
    (tmp_path / "streamed.tgz").write_bytes(streamed.stdout_bytes)
    assert "--force" in site.call("restore", str(archive), code=Exit.IN_THE_WAY).stderr
    site.lose_the_ledger()
    site.hold.mailbox.remove(item.arrival.file)
    restored = site.asked("restore", str(tmp_path / "streamed.tgz"))
    assert (restored["brought_in"], restored["there"], restored["kept"]) == (1, 0, [])
    assert site.state(item) is State.HELD
    again = site.call("restore", str(archive), "--force").stdout
    assert "stayed" in again
    assert "state.db.before-" in again
    rows = [json.loads(line) for line in site.call("audit", "-a", "restore", "--json").stdout.splitlines()]
    assert [row["detail"] for row in rows] == ["backup.tgz"]


@pytest.mark.parametrize(
    "octets",
    [b"", b"no archive at all", b"\x1f\x8b\x08\x00broken", bytes(5000)],
    ids=["empty", "text", "gzip", "nul"],
)
def test_what_is_no_backup_is_one_sentence(site: Host, tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "bad.tgz").write_bytes(octets)
    site.lose_the_ledger()
    said = site.call("restore", str(tmp_path / "bad.tgz"), code=Exit.STATE).stderr
    assert said.count("\n") == 1
    assert "bad.tgz: " in said
    assert not site.configuration.site.state.exists()


COMMANDS = (
    ("held", "list"), ("held", "show", "x"), ("held", "approve", "x"), ("held", "reject", "x", "-r", "y"),
    ("held", "release-all", "-y"), ("audit",), ("trace", "x"), ("backup", "FILE"),
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_ledger_a_command_says_so_and_makes_none(
    site: Host, tmp_path: Path, command: tuple[str, ...]
) -> None:
    site.lose_the_ledger()
    words = [str(tmp_path / "b.tgz") if word == "FILE" else word for word in command]
    assert "there is no ledger" in site.call(*words, code=Exit.STATE).stderr
    assert site.asked(*words, code=Exit.STATE)["exit"] == Exit.STATE
    assert not site.configuration.site.state.exists()
    assert not (tmp_path / "b.tgz").exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_ledger_that_is_none_or_of_a_later_version(
    site: Host, tmp_path: Path, command: tuple[str, ...]
) -> None:
    words = [str(tmp_path / "b.tgz") if word == "FILE" else word for word in command]
    ledger = site.opened()
    with ledger.database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    ledger.close()
    assert "later version" in site.call(*words, code=Exit.STATE).stderr
    site.configuration.site.state.write_bytes(b"rubbish" * 1000)
    assert "state.db" in site.call(*words, code=Exit.STATE).stderr


@pytest.mark.parametrize(
    "command", [("held", "rebuild"), ("keys", "rotate"), ("held", "approve", "x"), ("backup", "b")]
)
def test_without_a_key_a_command_says_so(site: Host, command: tuple[str, ...]) -> None:
    site.configuration.site.service.key_file.unlink()
    assert "there is no ticket key" in site.call(*command, code=Exit.CONFIGURATION).stderr
    assert not site.configuration.site.service.key_file.exists()


def test_times_as_people_write_and_read_them() -> None:
    now = 1_795_624_000
    assert [moment(text, now) for text in ("90m", "2h", "3d", "1w", " 5 s ")] == [
        now - 5400, now - 7200, now - 259_200, now - 604_800, now - 5,
    ]  # fmt: skip
    assert moment("2026-11-25T16:26:40Z", now) == moment("2026-11-25T17:26:40+01:00", now) == now
    assert iso(moment("2026-11-25T16:26:40Z", 0)) == "2026-11-25T16:26:40Z"
    for nonsense in ("", "yesterday", "2h3m", "-2h", "2026-13-01"):
        with pytest.raises(ValueError, match=r"."):
            moment(nonsense, now)
    lengths = (0, 45, 119, 120, 7_199, 7_200, 172_799, 172_800, 8_640_000)
    assert [brief(length) for length in lengths] == [
        "0 s", "45 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days", "100 days",
    ]  # fmt: skip
    assert (until(0, now), until(now - 1, now), until(now + 60, now)) == ("never", "overdue", "in 60 s")
    assert (ago(now, now), ago(now - 60, now)) == ("just now", "60 s ago")


@pytest.mark.parametrize("folder", list(Folder))
def test_what_lies_in_any_folder_comes_back(site: Host, tmp_path: Path, folder: Folder) -> None:
    name = site.hold.delivered("bounce", folder)
    archive = tmp_path / "b.tgz"
    assert site.asked("backup", str(archive))["mail"] == 1
    site.lose_the_ledger()
    site.hold.mailbox.remove(name)
    assert site.asked("restore", str(archive))["brought_in"] == 1
    assert list(site.hold.mailbox.names(folder)) == [name]
