"""The commands of moderation as installed, beside a running desk and a real Postfix."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.test_moderation_ways import Site, answer, way
from tests.support.installation import installation, recipients
from tests.support.office import BOB, COMMERCIAL, JEAN, OFFICE, PIERRE
from tests.support.service import Service
from tests.support.serving import command

from groupmilter.cli.exits import Exit
from groupmilter.moderation.item import State

DEADLINE = 150.0


@pytest.fixture(name="site")
def _site() -> Iterator[Site]:
    with Service(f"ldif:{OFFICE}") as service, installation(service) as installed:
        yield Site(installed, service)


def call(site: Site, *arguments: str, code: Exit = Exit.OK, given: str = "") -> str:
    """Run the installed command and return what it prints; with its messages if it fails."""
    done = subprocess.run(
        [command(), "--config", site.service.path, *arguments],
        input=given, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + (done.stderr if code else "")


def asked(site: Site, *arguments: str, code: Exit = Exit.OK) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call(site, *arguments, "--json", code=code))
    return found


def both(site: Site, identity: str) -> None:
    site.until(lambda: recipients(site.copies(identity)) == [BOB, PIERRE], f"{identity} for both members")


def test_a_message_is_found_approved_and_delivered_by_command(site: Site, tmp_path: Path) -> None:
    identity = site.send("by-command")
    item = site.wait(identity, State.HELD)
    site.letter(item)
    (listed,) = asked(site, "held", "list")["messages"]
    assert (listed["name"], listed["group"], listed["strength"]) == (item.name, COMMERCIAL, "claimed")
    shown = asked(site, "held", "show", item.name[:5])
    assert {"address": JEAN, "as": "moderator"} in shown["may_decide"]
    assert [letter["to"] for letter in shown["letters"] if letter["sent"]] == [JEAN]
    assert shown["text"] == "Bonjour"
    raw = call(site, "held", "show", item.name, "--raw")
    assert raw.startswith("Received: ")
    assert "Delivered-To" not in raw
    assert call(site, "held", "approve", item.name[:5], "--reason", "by hand").startswith(item.name)
    site.wait(identity, State.RELEASED)
    both(site, identity)
    later = call(site, "held", "reject", item.name, "--reason", "too late", code=Exit.DECIDED)
    assert "already approved by" in later
    rows = [json.loads(line) for line in call(site, "audit", "--item", item.name, "--json").splitlines()]
    decided = next(row for row in rows if row["action"] == "approve")
    assert (decided["way"], decided["detail"]) == ("command", "by hand")
    assert decided["actor"] == site.items(identity)[0].decided_by
    traced_everywhere(site, identity, tmp_path)


def traced_everywhere(site: Site, identity: str, folder: Path) -> None:
    """The mail is found by each of its names, and the logs lead from the client to the members."""
    site.installation.settle()
    log = folder / "mail.log"
    log.write_text(site.installation.postfix.log())
    ours = site.service.folder / "log"
    by_id = asked(site, "trace", f"{identity}@outside.example", "--log", str(log), "--log", str(ours))
    (message,) = by_id["messages"]
    assert message["state"] == "released"
    (out,) = message["queue_ids_out"]
    assert {message["queue_id"], out} <= set(by_id["queue_ids"])
    lines = [entry["line"] for entry in by_id["log"]]
    for part in (
        f"{message['queue_id']}: client=", "delivered to maildir", f"{out}: client=", f"{out}: to=<{BOB}>",
        f"{out}: removed", '"event": "message"', '"event": "sent out"',
    ):  # fmt: skip
        assert any(part in line for line in lines), part
    assert not any(
        "removed" in line and f": {out}:" not in line and message["queue_id"] not in line for line in lines
    )
    for name in (message["queue_id"], out, message["name"], f"<{identity}@outside.example>"):
        found = asked(site, "trace", name, "--log", str(log), "--log", str(ours))
        assert [entry["line"] for entry in found["log"]] == lines, name
        assert [one["name"] for one in found["messages"]] == [message["name"]]


def test_mail_that_was_never_held_is_traced_through_the_log(site: Site) -> None:
    octets = b"From: x@outside.example\r\nMessage-ID: <plain@outside.example>\r\n\r\nhello\r\n"
    assert site.installation.send("x@outside.example", [BOB], octets).accepted
    site.installation.settle()
    assert "--log FILE" in call(site, "trace", "plain@outside.example", code=Exit.FINDING)
    log = site.installation.postfix.log()
    found = call(site, "trace", "plain@outside.example", "--log", "-", given=log)
    assert f"to=<{BOB}>" in found
    assert call(site, "trace", "nothing@outside.example", "--log", "-", given=log, code=Exit.FINDING)


def test_everything_held_is_released_at_once(site: Site) -> None:
    identities = [site.send(f"many-{number}") for number in range(5)]
    for identity in identities:
        site.wait(identity, State.HELD)
    assert "--yes" in call(site, "held", "release-all", code=Exit.USAGE)
    assert asked(site, "held", "release-all", "--group", COMMERCIAL.upper(), "--yes")["approved"] == 5
    for identity in identities:
        site.wait(identity, State.RELEASED)
        both(site, identity)
    assert asked(site, "held", "release-all", "--yes")["approved"] == 0


def test_a_lost_ledger_is_made_anew_and_old_letters_still_decide(site: Site) -> None:
    approved, rejected = site.send("letter-one"), site.send("letter-two")
    letters = {name: site.letter(site.wait(name, State.HELD)) for name in (approved, rejected)}
    site.service.stop()
    for path in site.service.folder.glob("state.db*"):
        path.unlink()
    assert asked(site, "held", "rebuild")["recorded"] == 2
    assert asked(site, "held", "rebuild")["recorded"] == 0
    site.service.start()
    answer(site, "jean", JEAN, way(letters[approved], "approve"))
    site.wait(approved, State.RELEASED)
    both(site, approved)
    # And once more, with nobody giving a command: the desk heals by itself.
    site.service.stop()
    for path in site.service.folder.glob("state.db*"):
        path.unlink()
    site.service.start()
    site.wait(rejected, State.HELD)
    answer(site, "jean", JEAN, way(letters[rejected], "reject"))
    site.wait(rejected, State.REJECTED)
    assert site.copies(rejected) == []
    assert recipients(site.copies(approved)) == [BOB, PIERRE], "what was released is not sent again"


def test_a_new_key_seals_and_old_letters_still_decide(site: Site) -> None:
    before = site.send("before-rotation")
    old = site.letter(site.wait(before, State.HELD))
    rotated = asked(site, "keys", "rotate")
    assert rotated["reloaded"] is True
    site.service.wait(site.service.settled, "all processes replaced")
    after = site.send("after-rotation")
    new = site.letter(site.wait(after, State.HELD))
    keys = {key["id"]: key for key in asked(site, "keys", "list")["keys"]}
    assert keys[rotated["key"]]["sealing"]
    assert [key["open_items"] for key in keys.values()] == [1, 1]
    assert "stays" in call(site, "keys", "drop", "0", code=Exit.IN_THE_WAY)
    for letter, identity in ((old, before), (new, after)):
        answer(site, "jean", JEAN, way(letter, "approve"))
        site.wait(identity, State.RELEASED)
        both(site, identity)
    assert not site.service.lines("shunted")
    assert asked(site, "keys", "drop", "0", "--force")["reloaded"] is True


def test_a_backup_while_mail_comes_in_brings_everything_back(site: Site, tmp_path: Path) -> None:
    waiting = site.send("saved-waiting")
    letter = site.letter(site.wait(waiting, State.HELD))
    decided = site.send("saved-decided")
    site.wait(decided, State.HELD)
    archive = tmp_path / "backup.tgz"
    coming, stop = list[str](), threading.Event()

    def send() -> None:
        while not stop.is_set() and len(coming) < 30:
            coming.append(site.send(f"meanwhile-{len(coming)}"))

    sender = threading.Thread(target=send)
    sender.start()
    saved = asked(site, "backup", str(archive))
    stop.set()
    sender.join(DEADLINE)
    assert archive.stat().st_mode & 0o777 == 0o600
    assert saved["missing"] == []
    site.until(lambda: all(site.state(one) is State.HELD for one in coming), "all are held")
    call(site, "held", "reject", site.items(decided)[0].name, "--reason", "after the backup")
    assert "running" in call(site, "restore", str(archive), "--force", code=Exit.IN_THE_WAY)
    lost = destroy(site, {waiting, decided, *coming}, archive)
    restored = asked(site, "restore", str(archive))
    assert restored["brought_in"] == saved["mail"]
    site.service.start()
    there = {waiting, decided, *coming} - lost
    site.until(lambda: all(site.state(one) is State.HELD for one in there), "what was saved is held again")
    assert (site.service.hold / "new").stat().st_uid == (site.service.hold.parent).stat().st_uid
    answer(site, "jean", JEAN, way(letter, "approve"))
    site.wait(waiting, State.RELEASED)
    both(site, waiting)
    fresh = site.send("after-the-restore")
    call(site, "held", "approve", site.wait(fresh, State.HELD).name)
    both(site, fresh)
    assert not site.service.lines("shunted")


def destroy(site: Site, identities: set[str], archive: Path) -> set[str]:
    """Delete all state of the host; return which messages the archive can't have, since they came after it."""
    files = {site.items(one)[0].arrival.file: one for one in identities}
    site.service.stop()
    folder = site.service.folder
    for path in (*folder.glob("state.db*"), folder / "ticket.key", folder / "release.secret"):
        path.unlink()
    shutil.rmtree(site.service.hold)
    listed = subprocess.run(["tar", "tzf", archive], capture_output=True, text=True, check=True).stdout
    saved = {line.rpartition("/")[2].partition(":")[0] for line in listed.splitlines()}
    return {identity for file, identity in files.items() if file not in saved}
