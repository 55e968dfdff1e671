"""Letters that come back while the desk is killed, or its disk fails, at each named point of asking others.

Whatever dies where, the next one is asked once, and the report is kept once; one that has done its work and wasn't
filed yet is taken for a second one, and deleted: what it says stands in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.faults.conftest import CALM
from tests.support.failing import GONE
from tests.support.failpoints import RETURN_POINTS
from tests.support.installation import Installation, installation
from tests.support.office import ADMINISTRATOR, JEAN, OFFICE, PIERRE, group, identity, member, message
from tests.support.service import Service

from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Folder, Maildir

LIVES = [*((point, "kill") for point in RETURN_POINTS), ("return: others asked, not noted", "ENOSPC")]
DONE = "return: on disk, before filing"
SALES = "g@masociete.example"


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("returned") / "office.ldif"
    directory.parent.chmod(0o755)
    moderator = "dgModerator: uid=jean,ou=people,dc=masociete,dc=example"
    sales = group("g", "dgModerated: TRUE", moderator, *member("pierre"))
    directory.write_text(f"{OFFICE.read_text('utf-8')}\n{sales}", "utf-8")
    with Service(f"ldif:{directory}", options=CALM, staged=True) as service, installation(service) as made:
        made.sink.replies[JEAN] = GONE
        yield made


def rows(ledger: Ledger, action: str, item: str) -> list[str]:
    return sorted(row.detail for row in ledger.audit(action=action, item=item))


@pytest.mark.parametrize(("point", "effect"), LIVES)
def test_the_next_one_is_asked_once_whatever_dies(site: Installation, point: str, effect: str) -> None:
    service, mark, box = site.service, identity(), Maildir(site.service.hold)
    service.reload()
    kept = len(list(box.names(Folder.REPORTS)))
    service.stage(point=point, effect=effect)
    assert site.send(PIERRE, [SALES], message(mark, PIERRE), login="pierre").accepted
    service.wait(lambda: service.fired, f"{point} passed")
    with service.ledger() as ledger:
        (item,) = ledger.find(message_id=f"<{mark}@test.example>")
        service.wait(lambda: ADMINISTRATOR in rows(ledger, "request-sent", item.name), "the owner asked")
        service.wait(lambda: not any(box.names(Folder.INBOX)), "the inbox empty")
        service.wait(service.settled, "all processes again")
        site.settle()
        assert rows(ledger, "request-sent", item.name) == [ADMINISTRATOR, JEAN]
        assert rows(ledger, "letter-returned", item.name) == [JEAN]
    assert len(list(box.names(Folder.REPORTS))) == kept + (point != DONE)
    letters = [sunk for sunk in site.sink.to(ADMINISTRATOR) if sunk.told and mark.encode() in sunk.content]
    assert len(letters) == 1
