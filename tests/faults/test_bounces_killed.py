"""Reports about members while the desk is killed, or its disk fails, at each named point of counting them.

Whatever dies where, a failure is counted once, its report is kept once, and an address is suspended once, with one row
in the audit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.faults.conftest import CALM
from tests.support.failing import GONE
from tests.support.failpoints import REPORT_POINTS
from tests.support.installation import Installation, installation
from tests.support.office import BOB, OFFICE, group, identity, member, message
from tests.support.service import Service

from groupmilter.moderation.mailbox import Folder, Maildir

FAILING = (
    "count: before reading", "count: before the row", "count: counted, not on disk", "count: before suspending",
    "count: on disk, before filing",
)  # fmt: skip
LIVES = [*((point, "kill") for point in REPORT_POINTS), *((point, "ENOSPC") for point in FAILING)]

GROUPS = len(LIVES) + 1


def dead(number: int) -> str:
    return f"dead{number}@partner.example"


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("bounces")
    folder.chmod(0o755)
    directory, policy = folder / "office.ldif", folder / "policy.yaml"
    groups = (
        group(f"g{n}", "dgBouncesTo: owner", f"dgMemberAddress: {dead(n)}", *member("jean"))
        for n in range(GROUPS)
    )
    directory.write_text(OFFICE.read_text("utf-8") + "\n" + "".join(groups), "utf-8")
    policy.write_text("bounces: {suspend_after: 1, window: 2d}\n", "utf-8")
    options = {"policies": [*CALM["policies"], str(policy)]}
    with (
        Service(f"ldif:{directory}", options=options, staged=True) as service,
        installation(service) as made,
    ):
        made.sink.replies.update({dead(number): GONE for number in range(GROUPS)})
        yield made


def kept(site: Installation, mark: str) -> int:
    """How many reports about a message are kept; none while one is anywhere but among the reports."""
    box = Maildir(site.service.hold)
    found = [name for folder in Folder for name in box.names(folder) if mark.encode() in box.read(name)]
    reports = set(box.names(Folder.REPORTS))
    return len(found) if set(found) <= reports else 0


@pytest.mark.parametrize(("number", "point", "effect"), [(n, *life) for n, life in enumerate(LIVES)])
def test_a_failure_counts_once_whatever_dies(
    site: Installation, number: int, point: str, effect: str
) -> None:
    service, mark = site.service, identity()
    # The supervisor forgets who has died young before.
    service.reload()
    service.stage(point=point, effect=effect)
    assert site.send(BOB, [f"g{number}@masociete.example"], message(mark, BOB), login="bob").accepted
    service.wait(lambda: service.fired, f"{point} passed")
    with service.ledger() as ledger:
        service.wait(lambda: dead(number) in ledger.bounces.suspended(), "the address suspended")
        service.wait(lambda: not any(Maildir(service.hold).names(Folder.INBOX)), "the inbox empty")
        service.wait(service.settled, "all processes again")
        site.settle()
        (failure,) = ledger.bounces.failures(dead(number))
        assert failure.group_address == f"g{number}@masociete.example"
        rows = [
            row for row in ledger.audit(action="suspend", limit=1000) if row.detail.startswith(dead(number))
        ]
        assert len(rows) == 1
    assert kept(site, mark) == 1


def test_with_the_ledger_locked_a_report_waits_and_is_counted_once(site: Installation) -> None:
    service, mark, number = site.service, identity(), len(LIVES)
    service.reload()
    trouble = "desk can't go on with a step"
    known = len(service.lines(trouble))
    with service.ledger() as ledger:
        with closing(sqlite3.connect(service.folder / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert site.send(BOB, [f"g{number}@masociete.example"], message(mark, BOB), login="bob").accepted
            site.settle()
            service.wait(lambda: len(service.lines(trouble)) > known, "a desk that says so")
            assert ledger.bounces.failures(dead(number)) == ()
            box = Maildir(service.hold)
            assert [n for n in box.names(Folder.INBOX) if mark.encode() in box.read(n)] != []
            other.execute("ROLLBACK")
        service.wait(lambda: kept(site, mark) == 1, "the report kept")
        assert len(ledger.bounces.failures(dead(number))) == 1
