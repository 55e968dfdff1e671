"""The demonstration does what it says, leaves nothing behind, and notices when a message fares otherwise.

What deploy/demo/run does before (Debian and Python packages) is tried on a bare system by tests/fresh/run.
"""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deploy.demo import telling
from deploy.demo.__main__ import explained
from deploy.demo.deciding import Came, asked, decide, wait
from deploy.demo.decisions import DECISIONS, LEFT_FOR_YOU, MODERATORS, Decided, Way
from deploy.demo.guide import invite
from deploy.demo.play import Exchange, Outcome, play
from deploy.demo.post import parsed, text_of
from deploy.demo.site import Site
from deploy.demo.story import STORY, Expected, Scene
from rich.console import Console
from tests.support.installation import delivered_to, return_path
from tests.support.processes import of_group, of_session

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 200.0
ACCEPTED, OUTSIDER, FORGED, MODERATED, NESTED = STORY


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(lambda _: None) as running:
        yield running


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A place for the demonstration's files that Postfix may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    ("scene", "verdict"),
    list(zip(STORY, ("expand", "refuse", "refuse", "hold", "expand"), strict=True)),
    ids=("accepted", "outsider", "forged", "held", "nested"),
)
def test_each_message_fares_as_told_and_the_explanation_agrees(
    site: Site, scene: Scene, verdict: str
) -> None:
    outcome = play(site, scene)
    assert outcome.matches(scene), outcome
    [recipient] = explained(site, scene).answer["recipients"]
    assert recipient["verdict"] == verdict
    assert recipient["trace"]
    if verdict == "refuse":
        assert (recipient["at"], recipient["reply"]) == (outcome.at, outcome.reply)
    if verdict == "expand":
        assert recipient["members"] == len(outcome.delivered)


def test_the_story_tells_what_the_readme_promises() -> None:
    assert [scene.expected.reply for scene in STORY] == ["250", "550 5.7.1", "550 5.7.1", "250", "250"]
    assert ACCEPTED.expected.delivered == {"jean", "pierre"}
    assert FORGED.sender.endswith("@masociete.example")
    assert FORGED.login is None
    assert (MODERATED.expected.held, MODERATED.expected.delivered) == (1, frozenset())
    assert len(NESTED.expected.delivered) == 7


def test_the_held_message_bears_a_ticket_and_its_return_path(site: Site) -> None:
    [name] = play(site, MODERATED).held
    message = site.read(name)
    assert re.fullmatch(r"hold\+[a-z2-7]{59}@groups\.masociete\.example", delivered_to(message))
    assert return_path(message) == MODERATED.sender


def test_a_held_message_is_read_though_the_desk_moves_it_just_then(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    [name] = play(site, MODERATED).held
    looked, gone = site.held, [{name: site.hold / "new" / name}]
    wait(lambda: looked()[name] not in gone[0].values(), "the desk's taking it in")
    monkeypatch.setattr(site, "held", lambda: gone.pop() if gone else looked())
    assert return_path(site.read(name)) == MODERATED.sender


def test_what_is_shown_names_everybody_who_got_it(site: Site) -> None:
    outcome = play(site, NESTED)
    console = Console(width=130, record=True, file=io.StringIO())
    console.print(telling.scene(5, NESTED, outcome, explained(site, NESTED), []))
    printed = console.export_text()
    assert all(login in printed for login in NESTED.expected.delivered)
    assert "RCPT TO:<tous@masociete.example>" in printed
    assert "equipe@masociete.example" in printed
    assert "as it should be" in printed


@pytest.mark.parametrize(
    "otherwise",
    [
        replace(ACCEPTED.expected, reply="451"),
        replace(ACCEPTED.expected, at="rcpt"),
        replace(ACCEPTED.expected, delivered=frozenset({"jean"})),
        replace(ACCEPTED.expected, held=1),
    ],
)
def test_a_difference_is_noticed(otherwise: Expected) -> None:
    outcome = Outcome((Exchange("DATA … .", "250 2.0.0 Ok"),), "end", ("jean", "pierre"), ())
    assert outcome.matches(ACCEPTED)
    assert not outcome.matches(replace(ACCEPTED, expected=otherwise))


def test_a_copy_too_many_is_noticed() -> None:
    outcome = Outcome((Exchange("DATA … .", "250 2.0.0 Ok"),), "end", ("jean", "jean", "pierre"), ())
    assert not outcome.matches(ACCEPTED)


def once(decided: Decided) -> Decided:
    """A decision about a message that no other test sends."""
    return replace(
        decided, scene=replace(decided.scene, subject=f"{decided.scene.subject} {time.monotonic_ns()}")
    )


@pytest.mark.parametrize("told", DECISIONS, ids=("mail", "link", "command", "rejected"))
def test_each_decision_has_the_effect_that_is_told(site: Site, told: Decided) -> None:
    decided = once(told)
    [name] = play(site, decided.scene).held
    assert asked(site, decided.scene).keys() == MODERATORS
    came = decide(site, decided, name)
    assert came.matches(decided), came


def test_the_story_shows_each_way_and_a_rejection_with_its_reason(site: Site) -> None:
    assert {decided.way for decided in DECISIONS} == set(Way)
    [rejected] = [once(decided) for decided in DECISIONS if not decided.approves]
    [name] = play(site, rejected.scene).held
    [told] = decide(site, rejected, name).told.values()
    assert rejected.reason in " ".join(text_of(told).split())


@pytest.mark.parametrize(
    "otherwise",
    [{"delivered": frozenset({"pierre"})}, {"told": frozenset({"bob"})}, {"approves": False}],
)
def test_a_decision_that_fares_otherwise_is_noticed(otherwise: dict[str, Any]) -> None:
    came = Came((), ("francois", "pierre"), {}, "Approved", 0.1)
    decided = DECISIONS[0]
    assert came.matches(decided)
    assert not came.matches(replace(decided, **otherwise))


def test_what_is_left_for_the_visitor_works_as_printed(site: Site) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    invite(console, site)
    lines = [line.strip() for line in console.export_text().splitlines()]
    for start, code, part in (
        ("./send bob", 0, "250 2.0.0 Ok"),
        ("./send x@outside.example", 1, "550 5.7.1"),
        ('./send cliente@ailleurs.example accueil@masociete.example "One"', 1, "550 5.1.1"),
        ("./read sian", 0, "To approve, send an empty message to:"),
        ("./groupmilter expand", 0, "zoe.coeurdacier@masociete.example"),
        ("./groupmilter held list", 0, LEFT_FOR_YOU.subject),
        ("./send sian approve+", 0, "250 2.0.0 Ok"),
    ):
        [line] = [line for line in lines if line.startswith(start)]
        ran = subprocess.run(line, shell=True, cwd=site.folder, capture_output=True, text=True, check=False)
        assert (ran.returncode, part in ran.stdout) == (code, True), ran
    wait(lambda: LEFT_FOR_YOU.subject in subjects(site, "pierre"), "the approved message")


def subjects(site: Site, login: str) -> list[str]:
    return [str(parsed(path)["Subject"]) for path in site.copies(login)]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    with (folder / "output").open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.demo", *arguments],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True,
            start_new_session=True,
        )  # fmt: skip


def shown(folder: Path) -> str:
    return (folder / "output").read_text("utf-8")


def wait_for(text: str, folder: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + DEADLINE
    while text not in shown(folder):
        assert process.poll() is None, shown(folder)
        assert time.monotonic() < deadline, shown(folder)
        time.sleep(0.1)


def left_behind(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != "output"]


def test_once_ends_by_itself_and_leaves_nothing(temporary: Path) -> None:
    process = start(temporary, "--once")
    assert process.wait(DEADLINE) == 0, shown(temporary)
    assert "All 10 messages, decisions and pages fared as they should." in shown(temporary)
    assert left_behind(temporary) == []
    assert of_session(process.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stays_up_until_told_to_end_and_leaves_nothing(temporary: Path, number: signal.Signals) -> None:
    process = start(temporary)
    try:
        wait_for("It stays up: now you.", temporary, process)
        masters = list(temporary.glob("groupmilter-postfix-*/queue/pid/master.pid"))
        [postfix] = [int(path.read_text("ascii")) for path in masters]
        process.send_signal(number)
        assert process.wait(DEADLINE) == 0, shown(temporary)
    finally:
        process.kill()
        process.wait()
    assert left_behind(temporary) == []
    assert of_group(postfix) == []


def test_it_ends_in_good_order_when_interrupted_while_it_starts(temporary: Path) -> None:
    process = start(temporary)
    try:
        wait_for("groupmilter: first load", temporary, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0, shown(temporary)
    finally:
        process.kill()
        process.wait()
    assert left_behind(temporary) == []


def test_help_says_what_it_does_before_anything_is_installed(tmp_path: Path) -> None:
    there = tmp_path / "cache"
    environment = {**os.environ, "GROUPMILTER_DEMO_CACHE": str(there)}
    asked_for = [str(ROOT / "deploy" / "demo" / "run"), "--help"]
    shown = subprocess.run(
        asked_for, env=environment, capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    assert all(option in shown.stdout for option in ("--once", "--forget"))
    assert not there.exists()
