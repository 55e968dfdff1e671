"""Room for held mail: a quota for each group and one for all, and a state that can't be asked; other mail flows on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.moderated import Moderated, moderated
from tests.support.office import COMMERCIAL, JEAN, OPEN, PEOPLE, PIERRE, group, identity, member, message

from groupmilter.moderation.item import Event, State
from groupmilter.moderation.mailbox import Folder, Maildir

CLIENT = "client@outside.example"
OTHER = "autre@masociete.example"
MORE = group("ouvert", "dgRequireAuthentication: FALSE", *member("jean", "bob")) + group(
    "autre",
    "dgRequireAuthentication: FALSE",
    "dgModerated: TRUE",
    f"dgModerator: uid=jean,{PEOPLE}",
    *member("bob"),
)
POLICY = """
storm:
  messages: {messages: 0, per: 10m}
  replies: {messages: 0, per: 10m}
moderation:
  group_quota: 2
  quota: 3
"""
FULL = "452 4.2.2 Too many messages for {} wait for approval"
UNKNOWN = "451 4.4.3"


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moderated]:
    policy = tmp_path_factory.mktemp("policy") / "policy.yaml"
    policy.write_text(POLICY, "utf-8")
    with moderated(MORE, options={"policies": [str(policy)]}) as site:
        yield site


@pytest.fixture
def site(whole: Moderated) -> Moderated:
    """With nothing held, nor on its way there."""
    inbox = Maildir(whole.installation.service.hold)
    whole.installation.settle()
    whole.until(lambda: not any(inbox.names(Folder.INBOX)), "an empty inbox")
    for item in whole.ledger.items({State.HELD}):
        whole.decide(item, Event.REJECT)
    time.sleep(1.1)
    return whole


def answer(site: Moderated, to: str, mark: str = "", sender: str = CLIENT, login: str = "") -> str:
    """Send to one recipient; return the reply that ends it."""
    sent = site.installation.send(sender, [to], message(mark or identity(), sender), login=login)
    return str(sent.end or sent.recipients[0])


def fill(site: Moderated, to: str, count: int) -> list[str]:
    """Have some messages held, and let what the workers remember of before grow old: they ask once a second."""
    marks = [identity() for _ in range(count)]
    for mark in marks:
        assert answer(site, to, mark).startswith("250")
        site.held(mark)
    time.sleep(1.1)
    return marks


@contextmanager
def without_state(site: Moderated) -> Iterator[None]:
    """The database out of everybody's reach, with all that belongs to it."""
    folder = site.installation.service.folder
    aside = folder / "aside"
    aside.mkdir()
    # The database goes first and comes back last: whoever opened it without its log would begin a new one.
    names = sorted(path.name for path in folder.glob("state.db*"))
    for name in names:
        (folder / name).rename(aside / name)
    (folder / "state.db").mkdir()
    try:
        yield
    finally:
        (folder / "state.db").rmdir()
        for name in reversed(names):
            (aside / name).rename(folder / name)
        aside.rmdir()


def test_beyond_its_quota_a_group_asks_writers_to_come_again_until_somebody_decides(site: Moderated) -> None:
    marks = fill(site, COMMERCIAL, 2)
    assert answer(site, COMMERCIAL).startswith(FULL.format(COMMERCIAL))
    assert answer(site, COMMERCIAL, sender=PIERRE, login="pierre").startswith("452 4.2.2")
    for to in (OPEN, JEAN):
        assert answer(site, to).startswith("250"), "nobody else is concerned"
    fill(site, OTHER, 1)
    assert answer(site, OTHER).startswith(FULL.format(OTHER)), "no room for anybody"
    site.decide(site.held(marks[0]), Event.REJECT)
    site.until(lambda: answer(site, OTHER).startswith("250"), "room after a decision")


def test_local_programs_mail_is_held_all_the_same(site: Moderated) -> None:
    """Deferred it would be tried for ever, and its own host would fill."""
    fill(site, COMMERCIAL, 2)
    assert answer(site, COMMERCIAL).startswith("452")
    mark = identity()
    site.installation.postfix.sendmail([COMMERCIAL], message(mark, CLIENT), "-f", CLIENT)
    site.held(mark)


def test_while_the_state_cant_be_asked_only_what_needs_it_waits(site: Moderated) -> None:
    mark = identity()
    with without_state(site):
        time.sleep(1.1)
        for to in (COMMERCIAL, OPEN):
            assert answer(site, to).startswith(UNKNOWN), "to be held, or perhaps come before: nobody knows"
        assert answer(site, JEAN).startswith("250")
        assert answer(site, COMMERCIAL, mark, "alice.martin@masociete.example", "alice").startswith("250")
        site.copies(mark, ["bob.petit@masociete.example", PIERRE])
    site.until(lambda: answer(site, COMMERCIAL).startswith("250"), "the state is back")


def test_what_is_held_while_the_state_is_gone_waits_in_the_mailbox(site: Moderated) -> None:
    """Local mail is taken all the same; the desk records it as soon as it can."""
    mark = identity()
    with without_state(site):
        site.installation.postfix.sendmail([COMMERCIAL], message(mark, CLIENT), "-f", CLIENT)
        site.installation.settle()
        inbox = Maildir(site.installation.service.hold)
        site.until(lambda: len(list(inbox.names(Folder.INBOX))) == 1, "the message in the inbox")
        site.installation.service.wait_line("desk can't go on with a step", step="take in")
    site.held(mark)
