"""The weekly letter: planned once a week for those who own the group, whatever is restarted; what it says and shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.directory.mirrors import person
from tests.moderation.corresponding import CONTACT, Post, corresponding, text
from tests.moderation.ledgers import DAY, NOW
from tests.moderation.mailing import ALICE, GROUP, JEAN, NOBODY_KNOWS, html, letters
from tests.moderation.mailing import text as plain
from tests.moderation.seeing import seen
from tests.moderation.test_letter_screens import shown
from tests.panel.browser import Browser

from groupmilter.directory.entry import Put
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.moderation.bounce_book import Failed, Standing, Suspension
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.failing import Week
from groupmilter.moderation.item import DESK
from groupmilter.moderation.ledger import Letter
from groupmilter.moderation.weekly import BOUNCES, WEEK, week_of

OWNER, GONE = "owner@example.org", "gone@outside.example"
MONDAY = week_of(NOW) + WEEK


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with corresponding(tmp_path, Put(person("boss"))) as made:
        made.weekly.plan()
        yield made


def fail(
    post: Post, number: int = 1, address: str = GONE, uuid: str = "group-sales", **changes: object
) -> None:
    now = post.hold.now
    one = Failed(
        f"ticket {number}", address, "17.1.mx", uuid, f"{uuid.removeprefix('group-')}@example.org", "permanent",
        "5.1.1", "550 5.1.1 no such user", now, now,
    )  # fmt: skip
    post.hold.ledger.bounces.count(replace(one, **changes))  # type: ignore[arg-type]


def week_over(post: Post, weeks: int = 1) -> None:
    """Let Monday come, and a turn of the desk."""
    post.hold.now = week_of(post.hold.now) + weeks * WEEK + 60
    post.weekly.plan()
    post.turn()


def test_weeks_begin_on_monday() -> None:
    assert datetime.fromtimestamp(week_of(NOW), UTC).strftime("%A %H:%M") == "Monday 00:00"
    assert week_of(MONDAY) == MONDAY
    assert week_of(MONDAY - 1) == MONDAY - WEEK


def test_owners_are_told_of_the_week_once(post: Post) -> None:
    fail(post)
    fail(post, 2)
    fail(post, 3, "late@outside.example", cause="temporary", status="4.4.1", why="")
    post.weekly.plan()
    post.turn()
    assert post.mta.taken == [], "the week is not over"
    for _ in range(3):
        week_over(post, 0 if post.mta.taken else 1)
    (letter,) = post.letters(OWNER)
    assert str(letter["Subject"]).startswith("Mail to 2 members did not arrive / ")
    assert letter["Auto-Submitted"] == "auto-generated"
    said = text(letter)
    assert said.index(GONE) < said.index("late@outside.example"), "most failures first"
    assert "2 messages in all" in said
    assert "550 5.1.1 no such user" in said
    assert len(post.mta.taken) == 1
    week_over(post)
    assert len(post.mta.taken) == 1, "nothing new, nothing to say"


def test_of_a_week_without_failures_nobody_is_told(post: Post) -> None:
    week_over(post)
    assert post.mta.taken == []


class Empty:
    """A mirror that was never loaded."""

    def snapshot(self) -> AbstractContextManager[Lookup]:
        raise DirectoryUnknown("the mirror has never been loaded completely")


def test_a_mirror_that_is_still_empty_matters_only_where_somebody_is_to_be_told(post: Post) -> None:
    weekly = replace(post.weekly, lookups=Empty())
    post.hold.now += WEEK
    assert weekly.plan() is False
    assert post.hold.ledger.bounces.summed_up(BOUNCES) == week_of(post.hold.now), "this week is done"
    fail(post)
    post.hold.now += WEEK
    with pytest.raises(DirectoryUnknown):
        weekly.plan()


def test_what_came_before_the_first_start_is_not_told(tmp_path: Path) -> None:
    with corresponding(tmp_path) as post:
        fail(post)
        post.hold.now = MONDAY + 60
        post.weekly.plan()
        post.turn()
        assert post.mta.taken == []


def test_several_weeks_are_told_at_once_where_the_desk_was_away(post: Post) -> None:
    fail(post)
    post.hold.now += WEEK
    fail(post, 2)
    week_over(post, 3)
    (letter,) = post.letters(OWNER)
    assert "2 messages in all" in text(letter)


def test_a_clock_that_was_ahead_silences_nobody(post: Post) -> None:
    post.hold.now += 400 * DAY
    post.weekly.plan()
    post.hold.now -= 400 * DAY
    post.weekly.plan()
    fail(post)
    week_over(post)
    assert len(post.letters(OWNER)) == 1


def test_letters_and_the_week_are_planned_together_or_not_at_all(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(post)
    with monkeypatch.context() as broken:

        def dies(*_: object) -> None:
            raise RuntimeError("killed")

        broken.setattr("groupmilter.moderation.bounce_book.BounceBook.sum_up", dies)
        with pytest.raises(RuntimeError):
            week_over(post)
    assert post.hold.ledger.letters.due(post.hold.now) == ()
    week_over(post, 0)
    assert len(post.letters(OWNER)) == 1


def test_the_policy_may_keep_quiet_and_then_nothing_is_told_later(post: Post) -> None:
    fail(post)
    loud = post.weekly
    quiet = replace(loud.settings, bounces=replace(loud.settings.bounces, summary=False))
    post.weekly = replace(loud, settings=quiet)
    week_over(post)
    post.weekly = loud
    week_over(post)
    assert post.mta.taken == []


@pytest.mark.parametrize(
    ("owner", "boss", "to"),
    [("owner@example.org", "boss@example.org", OWNER), ("", "boss@example.org", "boss@example.org"), ("", "", CONTACT)],
)  # fmt: skip
def test_administrators_and_then_the_contact_are_told_where_no_owner_can_be(
    tmp_path: Path, owner: str, boss: str, to: str
) -> None:
    people = [Put(person("owner", mail=owner or [])), Put(person("boss", mail=boss or []))]
    with corresponding(tmp_path, *people) as post:
        post.weekly.plan()
        fail(post)
        week_over(post)
        assert [envelope.recipients[0][0] for envelope, _ in post.mta.taken] == [to]


def test_who_is_no_owner_any_more_hears_nothing(post: Post) -> None:
    fail(post)
    post.hold.now = MONDAY + 60
    about = f"group-sales:{MONDAY - WEEK}:{MONDAY}"
    for name in ("anna", "owner"):
        planned = Letter(
            0, 0, BOUNCES, f"{name}@example.org", "", "en", f"person-{name}", 0, post.hold.now, about
        )
        post.hold.ledger.letters.plan([planned])
    post.turn()
    assert [envelope.recipients[0][0] for envelope, _ in post.mta.taken] == [OWNER]


def test_a_letter_that_is_not_taken_is_sent_later(post: Post) -> None:
    fail(post)
    post.mta.down = True
    week_over(post)
    post.mta.down = False
    post.turn(seconds=60)
    assert len(post.letters(OWNER)) == 1


def test_what_was_resumed_meanwhile_is_not_told(post: Post) -> None:
    fail(post)
    post.hold.ledger.bounces.suspend(Suspension(GONE, NOW, 0, 0, "desk", "", ""), DESK)
    post.hold.ledger.bounces.resume(GONE, DESK, NOW)
    week_over(post)
    assert post.mta.taken == []


WEEKLY = Week(
    GROUP, MONDAY - WEEK, MONDAY,
    (
        Standing("mort@ailleurs.example", 12, 5, NOW, "permanent", "5.1.1", "550 5.1.1 no such user here", (GROUP,)),
        Standing("plein@ailleurs.example", 3, 3, NOW - DAY, "temporary", "4.2.2", "452 4.2.2 mailbox full", (GROUP,)),
        Standing("strict@ailleurs.example", 2, 0, NOW - DAY, "message", "5.7.1", "550 5.7.1 spam <b>x</b>", (GROUP,)),
        Standing("muet@ailleurs.example", 1, 1, NOW - 2 * DAY, "permanent", "", "", (GROUP,)),
        Standing(f"{'l' * 60}@{'o' * 60}.example", 1, 1, NOW, "permanent", "", "no " * 130, (GROUP,)),
    ),
    55,
    {
        "mort@ailleurs.example": Suspension("mort@ailleurs.example", NOW, NOW + 30 * DAY, 0, "desk", GROUP, ""),
        "muet@ailleurs.example": Suspension("muet@ailleurs.example", NOW, 0, NOW, "desk", GROUP, ""),
    },
)  # fmt: skip


def test_what_it_says_in_french_and_english() -> None:
    french, english = (plain(letters().failing(WEEKLY, to, NOW)) for to in (JEAN, ALICE))
    assert "Du courrier n’est pas arrivé à 55 membres" in french
    assert "suspendu" in french
    assert "Et à 50 autres." in french
    for said in (
        "Mail to 55 members did not arrive", "12 messages in all", "550 5.1.1 no such user here",
        "suspended; it is tried again from", "goes on, on trial since", "the reports give none",
        "goes on: a message was refused, not the address", "And to 50 more.",
    ):  # fmt: skip
        assert said in english, said
    assert max(map(len, english.splitlines())) <= 140, "only what can't be broken is longer"


def test_the_words_of_other_servers_stay_words() -> None:
    document = html(letters().failing(WEEKLY, ALICE, NOW))
    assert "<b>" not in document
    assert "550 5.7.1 spam <b>x</b>" in seen(document).text
    assert seen(document).links == []


@pytest.mark.parametrize("width", [1000, 390, 320])
def test_it_fits_every_screen(tmp_path: Path, width: int) -> None:
    with Browser(tmp_path / "profile") as browser:
        for to in (JEAN, NOBODY_KNOWS):
            shown(browser, tmp_path / "letter.html", html(letters().failing(WEEKLY, to, NOW)), width)
            assert browser.ask("document.documentElement.scrollWidth") <= width
