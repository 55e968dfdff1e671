"""`mode: observe` where mail is held already: groups are only watched, what concerns the desk goes on."""

from __future__ import annotations

from tests.support.moderated import Moderated, moderated
from tests.support.office import BOB, COMMERCIAL, PIERRE, identity, message

CLIENT = "client@outside.example"
SERVICE = "groups.masociete.example"


def test_what_was_held_before_is_still_released_and_nobody_writes_to_the_hold_mailbox() -> None:
    with moderated() as site:
        mark = identity()
        assert site.installation.send(CLIENT, [COMMERCIAL], message(mark, CLIENT)).accepted
        item = site.held(mark)
        service = site.installation.service
        service.reload({**service.options, "mode": "observe"})
        site.decide(item)
        site.ended(item)
        site.copies(mark, [BOB, PIERRE])
        refused = [refusal(site, local) for local in ("hold+x", "approve+x", "release", "unprocessed")]
        assert refused == [550] * 4
        watched = site.installation.send(CLIENT, [COMMERCIAL, f"hold@{SERVICE}"], message(identity(), CLIENT))
        assert [reply.code for reply in watched.recipients] == [250, 550]


def refusal(site: Moderated, local: str) -> int:
    sent = site.installation.send(CLIENT, [f"{local}@{SERVICE}"], message(identity(), CLIENT))
    return int(sent.recipients[0].code)
