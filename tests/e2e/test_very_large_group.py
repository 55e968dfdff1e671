"""100,000 members and a message of 9 MB, far more than the MTA's queue file takes at once: everybody gets it, once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.support.installation import installation, recipients
from tests.support.office import ALICE, OFFICE, PLACEHOLDER, group, identity, message
from tests.support.service import Service

from groupmilter.groups.ticket import Kind
from groupmilter.moderation.item import State
from groupmilter.moderation.ledger import Ledger

EVERYBODY = "foule@masociete.example"
SIZE = 100_000
CONNECTIONS = {"default_destination_recipient_limit": "20000", "smtp_destination_concurrency_limit": "2"}
"""So that the sink gets a few large transactions, not two thousand of 9 MB each."""


@pytest.mark.timeout(900)
def test_everybody_gets_it_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    directory = tmp_path / "office.ldif"
    members = (f"dgMemberAddress: member{n:06}@crowd.example" for n in range(SIZE))
    directory.write_text(OFFICE.read_text("utf-8") + "\n" + group("foule", PLACEHOLDER, *members), "utf-8")
    mark = identity()
    body = (b"x" * 76 + b"\r\n") * (9_000_000 // 78)
    with (
        Service(f"ldif:{directory}") as service,
        installation(service, main=CONNECTIONS) as site,
    ):
        assert site.send(ALICE, [EVERYBODY], message(mark, ALICE, body=body), login="alice").accepted
        site.sink.wait_for_copies(SIZE, 600.0)
        site.settle()
        copies = Counter(recipients(site.delivered(mark)))
        assert copies == dict.fromkeys((f"member{n:06}@crowd.example" for n in range(SIZE)), 1)
        assert {message.content.endswith(body) for message in site.delivered(mark)} == {True}
        ledger = Ledger.open(f"sqlite:///{service.folder}/state.db", timeout=30.0)
        # The last copy may have come before the desk has noted the MTA's answer.
        service.wait(lambda: not ledger.items({State.APPROVED}), "the end of the release")
        (item,) = ledger.find(message_id=f"<{mark}@test.example>")
        batches = ledger.releases.batches(item.id)
        ledger.close()
        assert (item.arrival.kind, item.state) == (Kind.SPLIT, State.RELEASED)
        assert sum(len(batch.members or ()) for batch in batches) == SIZE
        assert len(batches) > 1
        assert service.surprises() == []
