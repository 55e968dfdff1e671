"""``group delete`` against a real slapd: what it shows, whom it asks, what goes, and what an undo brings back."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from tests.membership.offices import CONTACT, DEADLINE, GROUPS, JEAN, PEOPLE, WHO, ZOE, Office
from tests.moderation.ledgers import arrival
from tests.support.slapd import Slapd

from groupmilter import bootstrap
from groupmilter.cli.exits import Exit
from groupmilter.config.reload import load
from groupmilter.groups.ticket import digest
from groupmilter.moderation.item import State, Terms
from groupmilter.moderation.request import Draft, Stage, Wanted

PARIS, DN = "paris@masociete.example", f"cn=paris,{GROUPS}"


@pytest.fixture(autouse=True)
def _paris(office: Office) -> Iterator[None]:
    """A group that another one has among its members and its moderators, and for which a message waits."""
    office.asked(
        "group", "create", PARIS, "--name", "Équipe Paris", "--owner", JEAN, "--member", ZOE,
        "--member", "x@ailleurs.example", "--alias", "lutece@masociete.example", "--set", "hold_hours=5",
    )  # fmt: skip
    office.asked("group", "edit", CONTACT, "--add", f"members={PARIS}", "--add", f"moderators={PARIS}")
    office.asked("directory", "sync")
    yield
    office.asked("group", "edit", CONTACT, "--remove", f"members={DN}", "--remove", f"moderators={DN}")
    if office.values("paris", "mail"):
        office.slapd.delete(DN)


def _held(office: Office) -> None:
    uuid = _uuid(office.slapd)
    ledger = bootstrap.ledger(load(office.config))
    terms = Terms(group_uuid=uuid, group_address=PARIS, why="moderation", expires=0, remind=0)
    ledger.record(arrival(group=digest(uuid)), terms, State.HELD, 1_795_540_000)
    draft = Draft(digest=1, kind=Wanted.JOIN, group_uuid=uuid, group_address=PARIS, address=JEAN)
    ledger.requests.record(draft, Stage.WAITING, WHO, 1_795_540_000)
    ledger.close()


def _uuid(slapd: Slapd) -> str:
    shown = slapd.search(GROUPS, "(cn=paris)", "entryUUID").splitlines()
    return next(line.partition(": ")[2] for line in shown if line.startswith("entryUUID: "))


def test_a_dry_run_tells_what_would_go_and_nothing_goes(office: Office) -> None:
    _held(office)
    told = office.asked("group", "delete", PARIS, "--dry-run")
    assert told == {
        "group": PARIS,
        "dn": DN,
        "name": "Équipe Paris",
        "aliases": ["lutece@masociete.example"],
        "owners": [JEAN],
        "members": 2,
        "rules": 0,
        "named_by": [
            {"group": CONTACT, "dn": f"cn=contact,{GROUPS}", "field": "members"},
            {"group": CONTACT, "dn": f"cn=contact,{GROUPS}", "field": "moderators"},
        ],
        "waiting": 1,
        "requests": 1,
        "dry_run": True,
        "deleted": False,
        "audit": None,
    }
    shown = office.call("group", "delete", "lutece@masociete.example", "--dry-run").stdout
    for said in (
        f"{PARIS}: would be deleted",
        "Équipe Paris",
        "owners: jean.dupont@masociete.example",
        "members: 2",
        f"named by: {CONTACT} (members, moderators)",
        "1 held message waits for it; it can only be rejected then, also after an undo",
        "1 request to join or leave waits for it; nobody can accept it then, also after an undo",
    ):
        assert said in shown, said
    assert office.values("paris", "mail")
    assert office.journal("group-delete") == ()


def test_nobody_is_asked_without_a_terminal_so_nothing_goes(office: Office) -> None:
    for given in (None, "y\n"):
        refused = office.call("group", "delete", PARIS, stdin=given)
        assert refused.exit_code == Exit.USAGE
        said = " ".join(refused.stderr.split())
        assert f"{PARIS} would go, with 2 members; --yes deletes without asking, --dry-run shows" in said
    assert office.values("paris", "mail")
    assert office.journal("group-delete") == ()


def test_a_deleted_group_comes_back_by_the_undo_that_was_named(office: Office) -> None:
    attributes = ("mail", "owner", "member", "dgMemberAddress", "dgHoldHours", "displayName")
    before = {name: office.values("paris", name) for name in attributes}
    done = office.asked("group", "delete", PARIS, "--yes")
    [row] = office.journal("group-delete")
    assert (done["deleted"], done["dry_run"], done["audit"]) == (True, False, row.id)
    assert (row.group, row.way, row.detail) == (PARIS, "command", DN)
    assert office.values("paris", "mail") == []
    undone = office.call("audit", "undo", str(row.id))
    assert undone.exit_code == Exit.OK, undone.output
    assert {name: office.values("paris", name) for name in attributes} == before
    assert DN in office.values("contact", "member"), "a directory that keeps names finds the group again"
    again = office.call("group", "delete", DN, "--yes").stdout
    number = office.journal("group-delete")[-1].id
    assert f"{PARIS}: deleted" in again
    assert f"groupmilter audit undo {number} brings it back" in again


def test_what_isnt_there_or_is_no_group_is_said(office: Office) -> None:
    for who in ("nobody@masociete.example", JEAN, f"uid=jean,{PEOPLE}"):
        missed = office.call("group", "delete", who, "--yes")
        assert missed.exit_code == Exit.FINDING, who
        assert "no group" in missed.stderr
    assert office.values("jean", "mail") == []


def test_without_a_mirror_it_says_that_nobody_knows_who_names_it(office: Office) -> None:
    (office.folder / "mirror.db").unlink()
    assert office.asked("group", "delete", PARIS, "--dry-run")["named_by"] is None
    assert "can't be told" in office.call("group", "delete", PARIS, "--dry-run").stdout


@pytest.mark.parametrize(("answer", "code"), [("n", Exit.FINDING), ("y", Exit.OK)])
def test_on_a_terminal_it_shows_and_asks(office: Office, answer: str, code: Exit) -> None:
    said, status = _on_terminal(office, answer)
    assert status == code, said
    asked = said.index("Delete it?")
    assert -1 < said.index("would be deleted") < said.index("named by") < asked
    assert ("nothing was deleted" if answer == "n" else f"{PARIS}: deleted") in said[asked:]
    assert bool(office.values("paris", "mail")) is (answer == "n")


def test_a_group_that_was_changed_while_the_question_stood_stays(office: Office) -> None:
    said, status = _on_terminal(
        office, "y", meanwhile=lambda: office.asked("group", "edit", PARIS, "--set", "hold_hours=7")
    )
    assert status == Exit.DIRECTORY, said
    assert "has been changed meanwhile" in " ".join(said.split())
    assert office.values("paris", "dgHoldHours") == ["7"]


def _on_terminal(
    office: Office, answer: str, meanwhile: Callable[[], object] = lambda: None
) -> tuple[str, int]:
    """Give the command on a terminal of its own, answer its question, and return what was said and its exit code."""
    ours, theirs = pty.openpty()
    command = (sys.executable, "-m", "groupmilter", "--config", str(office.config), "group", "delete", PARIS)
    wide = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=wide)
    os.close(theirs)
    received, answered = b"", False
    try:
        while chunk := os.read(ours, 65_536):
            received += chunk
            if not answered and b"Delete it?" in received:
                answered = True
                meanwhile()
                os.write(ours, f"{answer}\n".encode())
    except OSError:
        # Linux says EIO once the last process has closed its end (pty(7)).
        received += b""
    finally:
        os.close(ours)
    return received.decode(), process.wait(DEADLINE)
