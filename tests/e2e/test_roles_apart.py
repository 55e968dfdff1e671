"""Each role under a supervisor of its own, none of them root, as the systemd units of single roles run them.

The folders are those of docs/install.md: the state is the service's own, the sockets' folder gives them to Postfix.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.installation import Installation, installation, recipients
from tests.support.office import BOB, COMMERCIAL, OFFICE, PIERRE, identity, message
from tests.support.service import DEADLINE, MAILBOX_USER, Service
from tests.support.serving import Serving, command, unprivileged_user

from groupmilter.bootstrap.serving import ROLES
from groupmilter.moderation.item import DESK, Event, State
from groupmilter.moderation.ledger import Ledger
from groupmilter.supervision import ControlError, ask

LIKE_OTHERS = ("map", "hold")


class Apart(Service):
    """A service whose roles have a process each, of the user that virtual(8) writes the hold mailbox as."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.supervisors: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all roles, and wait until all is ready."""
        self.settle_in()
        for role in ROLES:
            self.start_role(role)
        self._process = self.supervisors["milter"]
        self.wait(self.loaded, "readiness")

    def start_role(self, role: str) -> None:
        """Start one role."""
        with self._log.open("ab") as log:
            self.supervisors[role] = subprocess.Popen(
                [command(), "serve", role, "--config", self.path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
                user=MAILBOX_USER, group="nogroup", extra_groups=[], env={"PATH": os.environ["PATH"]},
            )  # fmt: skip

    def stop_role(self, role: str) -> None:
        """End one role in good order."""
        self.supervisors[role].terminate()
        assert self.supervisors[role].wait(DEADLINE) == 0

    def settle_in(self) -> None:
        """Give everything to the service's user, and the folder of the sockets to Postfix's group as well."""
        for path in (self.folder, *(self.folder / name for name in LIKE_OTHERS)):
            shutil.chown(path, MAILBOX_USER, "postfix" if path == self.folder else "nogroup")
        self.folder.chmod(0o2755)

    def settled(self) -> bool:
        """Whether every role is there and serves."""
        try:
            return all(
                ask(self.folder / f"control-{role}.sock", {"command": "status"}, DEADLINE)["settled"]
                for role in ROLES
            )
        except ControlError:
            return False

    def stop(self) -> None:
        """End all roles in good order."""
        for role in ROLES:
            self.stop_role(role)
        self._process = None

    def kill(self) -> None:
        """End all roles at once."""
        for supervisor in self.supervisors.values():
            if supervisor.poll() is None:
                os.killpg(supervisor.pid, signal.SIGKILL)
                supervisor.wait()
        super().kill()


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Installation]:
    if unprivileged_user() is None:
        pytest.fail("wants root, and a checkout that others may read")
    with Apart(f"ldif:{OFFICE}") as service, installation(service) as site:
        yield site


def until(site: Installation, question: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not question():
        assert time.monotonic() < deadline, f"{what}\n{site.service.log()[-3000:]}"
        time.sleep(0.05)


def test_what_is_held_is_asked_about_released_and_filed(site: Installation) -> None:
    mark = identity()
    assert site.send("client@outside.example", [COMMERCIAL], message(mark)).accepted
    ledger = Ledger.open(f"sqlite:///{site.service.folder}/state.db", timeout=30.0)
    until(site, lambda: ledger.items({State.HELD}, limit=10), "a held message")
    [item] = ledger.items({State.HELD}, limit=10)
    assert ledger.change(item.id, Event.APPROVE, DESK, int(time.time())).happened

    def members() -> list[str]:
        return recipients([m for m in site.delivered(mark) if not m.told])

    until(site, lambda: len(members()) == 2, "both copies")
    assert members() == [BOB, PIERRE]
    filed = site.service.hold / ".Approved" / "cur"
    until(site, lambda: any(filed.iterdir()), "its folder")
    ledger.close()


def test_everything_belongs_to_the_services_user(site: Installation) -> None:
    assert site.send("client@outside.example", [COMMERCIAL], message(identity())).accepted
    until(site, lambda: any((site.service.hold / ".Held" / "cur").iterdir()), "a filed message")
    roots = {path for path, owner in owned(site.service.folder) if owner != MAILBOX_USER}
    wrote = {site.service.folder / name for name in ("config.yaml", "log", "stage.json")}
    assert roots <= wrote, "only what the test wrote is root's"
    assert all(path.owner() == "root" for path in roots)
    where = ("--postfix-config", str(site.postfix.config_directory))
    ran = Serving(site.service.folder, "", site.service.control).run("check", "--no-directory", *where)
    assert f"{MAILBOX_USER} may move what Postfix writes there" in ran.stdout
    assert "the release listener takes our log-in" in ran.stdout


def owned(folder: Path) -> Iterator[tuple[Path, str]]:
    """Everything in a folder with its owner, but for what is moved or gone while we look."""
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent), *(Path(parent, name) for name in (*folders, *files))):
            with suppress(FileNotFoundError):
                yield path, path.owner()


def test_what_comes_while_the_desk_restarts_is_taken_in_when_it_is_back(site: Installation) -> None:
    service = site.service
    assert isinstance(service, Apart)
    service.stop_role("desk")
    mark = identity()
    assert site.send("client@outside.example", [COMMERCIAL], message(mark)).accepted
    site.settle()
    [waiting] = [path for path in (service.hold / "new").iterdir() if mark.encode() in path.read_bytes()]
    service.start_role("desk")
    until(site, lambda: list((service.hold / ".Held" / "cur").glob(f"{waiting.name}:*")), "taken in")
