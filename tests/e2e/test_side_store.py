"""An organisation that may not touch its schema runs everything: slapd with the standard schema alone, and Postfix.

A group is made, opened, moderated and decided about, as the commands and the panel do it; each change is in force while
the service runs on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.membership.offices import BASE, GROUPS
from tests.membership.plain import ADMIN, standing
from tests.support.installation import INSIDER, Installation, installation, recipients
from tests.support.moderated import CALM
from tests.support.office import identity, message
from tests.support.service import DEADLINE, Service
from tests.support.sink import SunkMessage
from tests.support.slapd import Slapd

from groupmilter import bootstrap
from groupmilter.bootstrap.membership import groups, journal
from groupmilter.config.reload import load
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.membership.vocabulary import Several, Single, Wish
from groupmilter.moderation.item import Event, Item, State, Way, Who

CONTACT, JEAN, PIERRE = (f"{name}@masociete.example" for name in ("contact", "jean", "pierre"))
OUTSIDER = "x@outside.example"
WHO = Who(JEAN, Way.COMMAND)


@dataclass(frozen=True)
class Plain:
    """What runs together."""

    installation: Installation
    service: Service
    slapd: Slapd

    def change(self, *wishes: Wish, address: str = CONTACT) -> None:
        """Change the group, or make it, as a command does."""
        configuration = load(self.service.path)
        with self.service.ledger() as ledger, groups(configuration, journal(ledger, WHO)) as service:
            found = service.find(address)
            prepared, problems = (
                service.prepare_new(address, wishes) if found is None else service.prepare(found, wishes)
            )
            assert problems == ()
            assert service.apply(prepared).meanwhile is None

    def group(self) -> Group | None:
        """The group as the mirror has it."""
        with self.service.directory() as directory:
            found = directory.find(CONTACT)
        return found if isinstance(found, Group) else None

    def until(self, wanted: str, value: object) -> float:
        """Wait until a field of the group is so in the mirror; return the seconds that it took."""
        began = time.monotonic()
        self.service.wait(lambda: getattr(self.group(), wanted, None) == value, f"{wanted} {value}")
        return time.monotonic() - began

    def denies(self) -> bool:
        """Whether the group has a denied sender."""
        found = self.group()
        return found is not None and bool(found.denied_addresses)

    def send(self, sender: str = OUTSIDER, client: str = "203.0.113.9", login: str = "") -> tuple[str, int]:
        """Send a message to the group; return what marks it, and the reply to RCPT or the end."""
        mark = identity()
        replies = self.installation.send(sender, [CONTACT], message(mark, sender), client=client, login=login)
        codes = [*(reply.code for reply in replies.recipients), replies.end.code if replies.end else 0]
        return mark, max(codes)

    def got(self, mark: str, *who: str) -> None:
        """Wait until exactly these have a copy."""
        self.service.wait(lambda: recipients(self.copies(mark)) == sorted(who), f"{mark} for {who}")
        self.installation.settle()
        assert recipients(self.copies(mark)) == sorted(who)

    def copies(self, mark: str) -> list[SunkMessage]:
        """The copies of a message; letters about it, which quote it, have the null return path."""
        return [copy for copy in self.installation.delivered(mark) if not copy.told]

    def held(self, mark: str) -> Item:
        """The item of a message, as soon as it is held."""
        deadline = time.monotonic() + DEADLINE
        while True:
            with self.service.ledger() as ledger:
                found = [
                    each
                    for each in ledger.find(message_id=f"<{mark}@test.example>")
                    if each.state is State.HELD
                ]
            if found:
                return found[0]
            assert time.monotonic() < deadline, f"{mark} isn't held"
            time.sleep(0.05)


@contextmanager
def running() -> Iterator[Plain]:
    """The whole of it."""
    with standing() as slapd, TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.write_text(ADMIN[1])
        secret.chmod(0o600)
        directory = {
            "bind_dn": ADMIN[0], "password_file": str(secret), "profile": "plain", "base": BASE,
            "write": {"groups": GROUPS},
        }  # fmt: skip
        # The map is made with the first group only: an empty one is never written.
        with Service(
            slapd.uri, options={"directory": directory, "policies": [str(CALM)]}, ready=False
        ) as service:
            first = Plain.__new__(Plain)
            object.__setattr__(first, "service", service)
            first.change(Several("owners", (JEAN,)), Several("members", (PIERRE,)))
            service.wait(service.loaded, "a loaded mirror with its map")
            with installation(service) as installed:
                yield Plain(installed, service, slapd)


@pytest.fixture(scope="module")
def plain() -> Iterator[Plain]:
    """Started once for this file."""
    with running() as made:
        yield made


def test_a_group_is_made_opened_moderated_and_its_mail_decided_about(plain: Plain) -> None:
    assert plain.group() is not None
    _, code = plain.send()
    assert code == 550
    mark, code = plain.send(JEAN, INSIDER, "jean")
    assert code == 250
    plain.got(mark, PIERRE)
    plain.change(Single("require_authentication", "no"))
    plain.until("require_authentication", False)
    mark, _ = plain.send()
    plain.got(mark, PIERRE)
    plain.change(Single("moderated", "yes"), Several("moderators", (JEAN,)))
    plain.until("moderated", True)
    mark, _ = plain.send()
    item = plain.held(mark)
    assert plain.copies(mark) == []
    with plain.service.ledger() as ledger:
        decided = bootstrap.decisions(load(plain.service.path), ledger)
        with decided.lookups.snapshot() as directory:
            owner = directory.find(JEAN)
        assert isinstance(owner, Person)
        who = Who(JEAN, Way.COMMAND, owner.uuid)
        assert decided.decide(item, Event.APPROVE, who).happened
        assert decided.remember(item, who, allow=False) is None
    plain.got(mark, PIERRE)
    # "Block this sender" was written beside the group, and is in force.
    plain.service.wait(plain.denies, "a denied sender")
    _, code = plain.send()
    assert code == 550
    assert plain.slapd.search(GROUPS, "(cn=contact)", "*").count("outside.example") == 0


def test_a_change_beside_the_directory_is_in_force_in_well_under_a_few_seconds(plain: Plain) -> None:
    took = []
    for number in range(5):
        plain.change(Single("hold_hours", str(10 + number)))
        took.append(plain.until("hold_hours", 10 + number))
    print(f"seconds from the change to the mirror: {sorted(took)}")  # noqa: T201 - a figure to report
    assert plain.service.surprises() == []


def test_backup_and_restore_bring_everything_back(plain: Plain, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from groupmilter.cli.app import app

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["--config", str(plain.service.path), *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    plain.change(Single("policy", "strict"))
    plain.until("policy", "strict")
    archive = tmp_path / "backup.tar.gz"
    call("backup", str(archive))
    plain.change(Single("policy", "narrow"))
    plain.until("policy", "narrow")
    plain.service.stop()
    call("restore", "--force", str(archive))
    plain.service.start()
    plain.until("policy", "strict")
