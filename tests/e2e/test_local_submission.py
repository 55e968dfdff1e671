"""What this host's own programs submit by sendmail(1): judged at the end, never stuck in the queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.installation import Installation, delivered_to, recipients
from tests.support.office import ALICE, BOB, COMMERCIAL, CONTACT, JEAN, OPEN, PIERRE, identity, message

TRUSTED = {"networks": [{"net": "local", "speaks_for": ["masociete.example"]}]}


@contextmanager
def trusting(site: Installation) -> Iterator[None]:
    """While local submission counts as authenticated for the organisation's authors."""
    before = site.service.options
    site.service.reload(TRUSTED)
    try:
        yield
    finally:
        site.service.reload(before)


def submit(site: Installation, mark: str, to: list[str], author: str = JEAN, *options: str) -> None:
    site.postfix.sendmail(to, message(mark, author).replace(b"\r\n", b"\n"), "-f", JEAN, *options)
    site.settle()


def test_a_closed_group_sends_it_back_and_the_queue_is_empty(site: Installation) -> None:
    mark = identity()
    submit(site, mark, [CONTACT])
    assert site.delivered(mark) == []
    [report] = site.reports(mark)
    assert report.addresses == (JEAN,)
    assert b"takes mail from authenticated internal senders only" in b" ".join(report.content.split())
    assert site.postfix.queue() == []


def test_recipients_from_the_header(site: Installation) -> None:
    mark = identity()
    content = message(mark, JEAN, b"To: <contact@masociete.example>").replace(b"\r\n", b"\n")
    site.postfix.sendmail([], content, "-f", JEAN, "-t")
    site.settle()
    assert site.delivered(mark) == []
    assert len(site.reports(mark)) == 1


def test_a_moderated_group_holds_it(site: Installation) -> None:
    mark = identity()
    submit(site, mark, [COMMERCIAL])
    assert site.delivered(mark) == []
    [held] = site.held()
    assert delivered_to(held).startswith("hold+")


def test_an_open_group_and_persons_get_it(site: Installation) -> None:
    mark = identity()
    submit(site, mark, [OPEN, PIERRE])
    assert recipients(site.delivered(mark)) == [BOB, JEAN, PIERRE]
    assert site.reports(mark) == []


def test_with_one_refused_nobody_gets_it_and_the_sender_is_told(site: Installation) -> None:
    mark = identity()
    submit(site, mark, [CONTACT, PIERRE])
    assert site.delivered(mark) == []
    assert len(site.reports(mark)) == 1


def test_from_its_null_sender_nothing_comes_back_for_ever(site: Installation) -> None:
    mark = identity()
    site.postfix.sendmail(
        [OPEN], message(mark, "daemon@masociete.example").replace(b"\r\n", b"\n"), "-f", "<>"
    )
    site.settle()
    assert site.delivered(mark) == []
    assert site.postfix.queue() == []


def test_trusted_as_a_network_it_may_write_to_insiders_groups(site: Installation) -> None:
    mine, forged = identity(), identity()
    with trusting(site):
        submit(site, mine, [CONTACT], ALICE)
        submit(site, forged, [CONTACT], "x@outside.example")
    assert recipients(site.delivered(mine)) == [JEAN, PIERRE]
    assert site.delivered(forged) == []
    assert len(site.reports(forged)) == 1


def test_its_own_reports_pass(site: Installation) -> None:
    mark = identity()
    site.sink.replies[BOB] = "550 5.1.1 no such person"
    try:
        submit(site, mark, [BOB])
    finally:
        site.sink.replies.clear()
    [report] = site.reports(mark)
    assert report.addresses == (JEAN,)
