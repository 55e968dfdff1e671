"""Disks that are full, a mailbox that can't be read, items that are none: held mail waits, and nothing is repaired."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from tests.faults.conftest import CALM
from tests.support.installation import Installation, installation
from tests.support.load import Shot, Shots
from tests.support.moderators import Moderators
from tests.support.office import OFFICE
from tests.support.service import Service, ServiceFailed

from groupmilter.directory.ages import MINUTES, Ages
from groupmilter.moderation.item import State
from groupmilter.moderation.ledger import LedgerUnavailable

SIZE = "12m"


@dataclass
class Disk:
    """A small file system of its own (tmpfs), which can be filled to the last block."""

    path: Path

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave no room until the end of the block."""
        ballast = self.path / "ballast"
        self._fill(ballast)
        try:
            yield
        finally:
            ballast.unlink()

    @staticmethod
    def _fill(ballast: Path) -> None:
        with ballast.open("wb", buffering=0) as file:
            for block in (1 << 16, 1 << 12):
                try:
                    while file.write(b"\0" * block) == block:
                        pass
                except OSError:
                    continue


@contextmanager
def mounted(path: Path) -> Iterator[Disk]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "tmpfs", path], check=True)
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture(name="state", scope="module")
def _state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    with mounted(tmp_path_factory.mktemp("state")) as disk:
        yield disk


@pytest.fixture(name="mail", scope="module")
def _mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    folder = tmp_path_factory.mktemp("mail")
    for path in (folder, *folder.parents[:3]):
        path.chmod(0o755)
    with mounted(folder) as disk:
        yield disk


class Elsewhere(Service):
    """A service whose hold mailbox stands on a disk of its own."""

    @property
    def hold(self) -> Path:
        """The hold mailbox."""
        return Path(str(self.options["hold_mailbox"]).removeprefix("maildir:"))


@pytest.fixture(name="site", scope="module")
def _site(state: Disk, mail: Disk) -> Iterator[Installation]:
    subprocess.run(["chown", "nobody", mail.path], check=True)
    options = {
        **CALM,
        "state": f"sqlite:///{state.path}/state.db",
        "hold_mailbox": f"maildir:{mail.path}/held",
    }
    with Elsewhere(f"ldif:{OFFICE}", options=options) as service, installation(service) as running:
        yield running


def _recorded(shots: Shots, shot: Shot) -> bool:
    return bool(shots.items(shot))


def _asked_about(jean: Moderators, shot: Shot) -> bool:
    return jean.letter(shot.mark) is not None


def _released(shots: Shots, shot: Shot) -> bool:
    return shots.items(shot)[0].state is State.RELEASED


def ends_well(site: Installation, shots: Shots) -> None:
    """Everything is recorded, asked about, approved and with the members, each once."""
    service, jean = site.service, Moderators(site)
    for shot in shots.shots:
        service.wait(partial(_recorded, shots, shot), f"{shot} recorded")
        service.wait(partial(_asked_about, jean, shot), f"a letter about {shot}")
        (item,) = shots.items(shot)
        assert jean.by_command(item.id, "approve").happened
        service.wait(partial(_released, shots, shot), f"{shot} released")
    site.settle()
    tally = shots.nothing_was_lost()
    assert (tally.released, tally.twice) == (len(shots.shots), 0)


def test_no_room_for_the_ledger(site: Installation, state: Disk) -> None:
    shots = Shots(site)
    known = shots.send()
    site.service.wait(lambda: bool(shots.items(known)), "recorded while there is room")
    with state.full():
        late = shots.send()
        assert late.accepted or (late.end is not None and 400 <= late.end.code < 500), late
        if late.accepted:
            # Else the milter had nowhere to note it either, and the desk may have nothing left to write.
            site.service.wait_line("desk can't go on with a step")
        with pytest.raises(LedgerUnavailable):
            Moderators(site).by_command(shots.items(known)[0].id, "approve")
        assert shots.items(known)[0].state is State.HELD, "what can't be written is not decided"
    if not late.accepted:
        shots.shots.remove(late)
    ends_well(site, shots)


def test_no_room_for_held_mail(site: Installation, mail: Disk) -> None:
    shots = Shots(site)
    with mail.full():
        shot = shots.send()
        assert shot.accepted, "the MTA has it"
        site.service.wait(lambda: site.postfix.message_count == 1, "it waits in the MTA's queue")
        assert shots.items(shot) == ()
    site.service.wait(lambda: _taken_in(site, shots), "delivered by the MTA, and recorded")
    ends_well(site, shots)


def _taken_in(site: Installation, shots: Shots) -> bool:
    site.postfix.flush()
    return all(shots.items(shot) for shot in shots.shots)


def test_the_mailbox_is_no_mailbox_for_a_while(site: Installation, mail: Disk) -> None:
    shots = Shots(site)
    mailbox, away = mail.path / "held", mail.path / "away"
    mailbox.rename(away)
    mailbox.touch()
    shot = shots.send()
    assert shot.accepted
    site.service.wait(lambda: site.postfix.message_count == 1, "it waits in the MTA's queue")
    mailbox.unlink()
    away.rename(mailbox)
    site.service.wait(lambda: _taken_in(site, shots), "delivered by the MTA, and recorded")
    ends_well(site, shots)


def test_what_is_no_message_keeps_no_other_waiting(site: Installation, mail: Disk) -> None:
    shots = Shots(site)
    new = mail.path / "held" / "new"
    (new / "1.directory.host").mkdir()
    (new / "2.garbage.host").write_bytes(b"\0\xff no header, no ticket\n" * 100)
    (new / "3.link.host").symlink_to("/etc/passwd")
    shot = shots.send()
    site.service.wait(partial(_recorded, shots, shot), "the message among them")
    with site.service.ledger() as ledger:
        files = [item.arrival.file for item in ledger.items({State.SHUNTED}, limit=10)]
    assert "2.garbage.host" in files
    # Whatever it is, it is never deleted, nor followed; the oracle reads files only.
    (new / "1.directory.host").rmdir()
    (new / "3.link.host").unlink()
    ends_well(site, shots)


def test_the_age_of_the_mirror_is_recorded_on_a_full_disk_too(state: Disk) -> None:
    there, late = Ages(state.path / "there.ages"), Ages(state.path / "late.ages")
    there.note(60, 1.0)
    with state.full():
        there.note(20 * 86_400, 2.0)
        with pytest.raises(OSError, match="No space left"):
            late.note(60, 1.0)
        assert there.between(MINUTES, 0, 30 * 86_400) == {60: 1.0, 20 * 86_400: 2.0}
    late.note(120, 3.0)
    assert late.between(MINUTES, 0, 30 * 86_400) == {120: 3.0}


def test_the_desk_records_the_age_of_the_mirror(site: Installation, state: Disk) -> None:
    ages = Ages(state.path / "state.ages")

    def recorded() -> bool:
        return bool(ages.between(MINUTES, 0, 2**32))

    # Each minute, and at once where there is a mirror: so this waits for a minute at the most, if at all.
    for _ in range(3):
        with suppress(ServiceFailed):
            site.service.wait(recorded, "an age")
            break
    assert recorded()
