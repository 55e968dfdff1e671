"""Approved mail that the MTA doesn't take: refused for good, put off, or left without an answer; and a disk that says
at the worst moment that it has written nothing.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.faults.conftest import CALM
from tests.support.installation import Installation, installation
from tests.support.load import Shot, Shots
from tests.support.moderators import Moderators
from tests.support.office import COMMERCIAL, OFFICE
from tests.support.service import Service

from groupmilter.moderation.item import Item, State


@pytest.fixture(name="office", scope="module")
def _office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("office") / "office.ldif"
    file.write_text(OFFICE.read_text("utf-8"), "utf-8")
    return file


@pytest.fixture(name="site", scope="module")
def _site(office: Path) -> Iterator[Installation]:
    options = {**CALM, "directory": {"poll": "1s"}}
    with (
        Service(f"ldif:{office}", options=options, staged=True) as service,
        installation(service) as site,
    ):
        yield site


@pytest.fixture(name="shots")
def _shots(site: Installation) -> Shots:
    return Shots(site)


def item_of(shots: Shots, shot: Shot) -> Item:
    (item,) = shots.items(shot)
    return item


def held(shots: Shots) -> Shot:
    shot = shots.send()
    assert shot.accepted, shot
    shots.site.service.wait(lambda: bool(shots.items(shot)), "recorded")
    return shot


def approve(shots: Shots, shot: Shot) -> None:
    assert Moderators(shots.site).by_command(item_of(shots, shot).id, "approve").happened


def wait(shots: Shots, shot: Shot, state: State) -> None:
    shots.site.service.wait(lambda: item_of(shots, shot).state is state, f"{shot} {state}")


def test_refused_for_good_it_is_shown_to_a_human_and_can_be_approved_again(
    site: Installation, shots: Shots, office: Path
) -> None:
    shot, whole = held(shots), office.read_text("utf-8")
    without = "\n\n".join(entry for entry in whole.split("\n\n") if f"mail: {COMMERCIAL}" not in entry)
    known = site.service.generation()
    office.write_text(without, "utf-8")
    site.service.wait_change(known)
    approve(shots, shot)
    wait(shots, shot, State.SHUNTED)
    assert item_of(shots, shot).note
    known = site.service.generation()
    office.write_text(whole, "utf-8")
    site.service.wait_change(known)
    approve(shots, shot)
    wait(shots, shot, State.RELEASED)
    site.settle()
    assert shots.nothing_was_lost().twice == 0


def test_with_nobody_listening_it_is_tried_later_and_later(site: Installation, shots: Shots) -> None:
    shot = held(shots)
    name = item_of(shots, shot).name
    site.settle()
    site.postfix.stop()
    approve(shots, shot)
    site.service.wait(
        lambda: len(site.service.lines("not sent out yet", item=name)) >= 2, "two attempts that failed"
    )
    pauses = [line["seconds"] for line in site.service.lines("not sent out yet", item=name)]
    assert pauses[0] < pauses[1]
    site.postfix.start()
    wait(shots, shot, State.RELEASED)
    site.settle()
    assert shots.nothing_was_lost().twice == 0


def test_a_worker_that_hangs_puts_a_release_off_and_delivers_it_once(
    site: Installation, shots: Shots
) -> None:
    shot = held(shots)
    site.service.stage(point="release: before spending", effect="12")
    approve(shots, shot)
    site.service.wait(lambda: site.service.fired, "the worker hangs")
    wait(shots, shot, State.RELEASED)
    site.service.stage()
    site.settle()
    assert shots.nothing_was_lost().twice == 0


@contextmanager
def failing(pid: int, calls: str) -> Iterator[None]:
    """Let a process's next calls that bring data to disk fail (EIO), as strace(1) injects it."""
    inject = f"inject={calls}:error=EIO"
    command = ["strace", "-f", "-q", "-o", "/dev/null", "-e", f"trace={calls}", "-e", inject, "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as tracing:
        try:
            yield
        finally:
            tracing.terminate()
            tracing.wait(30)


def test_a_disk_that_fails_to_write_the_ledger_makes_held_mail_wait(site: Installation, shots: Shots) -> None:
    site.service.reload()  # workers that hang from before would rather put mail off
    (desk,) = site.service.processes("desk")
    with failing(desk, "fsync,fdatasync"):
        site.service.wait(lambda: _traced(desk), "strace at the desk")
        shot = shots.send()
        assert shot.accepted, shot
        site.settle()
        site.service.wait(
            lambda: any("disk I/O error" in str(line.get("why")) for line in site.service.lines()),
            "the failure",
        )
        assert shots.items(shot) == ()
        assert any(shot.mark.encode() in octets for octets in site.held())
    site.service.wait(lambda: bool(shots.items(shot)), "recorded after all")
    approve(shots, shot)
    wait(shots, shot, State.RELEASED)
    site.settle()
    assert shots.nothing_was_lost().twice == 0


def _traced(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return "TracerPid:\t0\n" not in status


@contextmanager
def small_queue(site: Installation) -> Iterator[Path]:
    """Postfix with its queue on a small disk of its own; afterwards on the old one."""
    queue = site.postfix.layout.queue
    site.postfix.stop()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m,mode=0755", "tmpfs", queue], check=True)
    try:
        site.postfix.start()
        yield queue
        site.postfix.stop()
    finally:
        subprocess.run(["umount", "--lazy", queue], check=True)
    site.postfix.start()


def test_no_room_in_the_queue_puts_the_client_and_a_release_off(site: Installation, shots: Shots) -> None:
    waiting = held(shots)
    name = item_of(shots, waiting).name
    site.settle()
    with small_queue(site) as queue:
        ballast = queue / "ballast"
        full = subprocess.run(
            ["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], capture_output=True, check=False
        )
        assert full.returncode != 0
        with site.session() as session:
            assert session.mail("x@outside.example").code == 452
        approve(shots, waiting)
        site.service.wait(lambda: bool(site.service.lines("not sent out yet", item=name)), "put off")
        assert item_of(shots, waiting).state is State.APPROVED
        ballast.unlink()
        late = held(shots)
        approve(shots, late)
        wait(shots, waiting, State.RELEASED)
        wait(shots, late, State.RELEASED)
        site.settle()
    tally = shots.nothing_was_lost()
    assert (tally.released, tally.twice) == (2, 0)
