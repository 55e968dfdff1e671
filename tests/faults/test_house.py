"""A house with held mail, to which everything happens in any order: Hypothesis finds what doesn't hold then.

Ledger, hold mailbox, desk, letters, decisions and the milter's session are the product's own; directory, MTA and clock
are on paper (`tests.support.paper_house`). `GROUPMILTER_EXAMPLES=2000` in the environment looks longer, at random.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.faults.house_rules import HouseRules
from tests.support.failpoints import POINTS, Armed, effect, installed
from tests.support.letters import OWN
from tests.support.paper_house import Died, House
from tests.support.paper_mta import Weather

from groupmilter.groups.directory import Member
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Action, Kind
from groupmilter.moderation.decision import Asked
from groupmilter.moderation.item import Event, Item, Way, Who

EXAMPLES = os.environ.get("GROUPMILTER_EXAMPLES", "")
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
OUTSIDER = "client@outside.example"
GROUPS = ("sales", "news", "everybody")
PEOPLE = ("jean", "anna", "olga", "mallory")
MEMBERS = ("bob", "carol", "dave")
WORDS = {"approve": (Action.APPROVE, Event.APPROVE), "reject": (Action.REJECT, Event.REJECT)}
DAY = 86_400
KILLED = st.one_of(st.none(), st.none(), st.sampled_from([*POINTS]))
EFFECT = st.sampled_from(["kill", "kill", "EIO", "ENOSPC"])
SELDOM = st.sampled_from([False, False, False, True])
HAND = st.sampled_from([*("own",) * 6, "other", "nobody", "machine", "wrong word"])
NUMBER = st.integers(0, 9)
WRITTEN_TO = st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2, unique=True)
CHANGES = ("member", "member", "moderator", "moderator", "moderation", "end")


class Mail(RuleBasedStateMachine):
    """The house and what happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=FAST, prefix="groupmilter-house-"))
        self.house = House(self.folder)
        self.oracle = HouseRules(self.house)
        office = self.house.office
        self.people = {name: office.person(name, login=name) for name in (*PEOPLE, *MEMBERS, "alice")}
        jean, anna, olga = (self.people[name].node for name in ("jean", "anna", "olga"))
        moderated = {"moderated": True, "owners": frozenset({olga})}
        bob, carol = self.people["bob"], self.people["carol"]
        sales = office.group("sales", bob, carol, moderators=frozenset({jean, anna}), **moderated)
        news = office.group("news", bob, sales, "far@away.example", **moderated)
        office.group("everybody", self.people["dave"], sales, news, owners=frozenset({olga}))
        self.kept: list[tuple[str, str, str]] = []
        self.fired = 0
        self.latest = self.house.now

    def teardown(self) -> None:
        try:
            self.mend()
        finally:
            self.house.close()
            shutil.rmtree(self.folder)

    # mail comes

    @initialize(groups=WRITTEN_TO)
    def mail_is_held(self, groups: list[str]) -> None:
        self.mail_comes(groups, inside=False, twice=False, point=None, word="kill")

    @rule(groups=WRITTEN_TO, inside=st.booleans(), twice=SELDOM, point=KILLED, word=EFFECT)
    def mail_comes(self, groups: list[str], inside: bool, twice: bool, point: str | None, word: str) -> None:
        there = [name for name in groups if self.group(name) is not None]
        if there:
            sender, login = (f"alice@{OWN}", "alice") if inside else (OUTSIDER, "")
            with self.failing(point, word):
                mark, code = self.house.write(sender, *there, login=login)
                if code != 250:
                    self.oracle.refused.add(mark)
                self.house.mta.deliver(twice=twice)
                self.house.turn()

    @precondition(lambda self: self.group("sales"))
    @rule()
    def the_mta_takes_its_time(self) -> None:
        self.house.write(OUTSIDER, "sales")

    @rule(point=KILLED, word=EFFECT)
    def the_desk_works(self, point: str | None, word: str) -> None:
        with self.failing(point, word):
            self.house.mta.deliver()
            self.house.turn()

    # somebody decides

    @precondition(lambda self: self.oracle.items)
    @rule(
        number=NUMBER, name=st.sampled_from(PEOPLE), word=st.sampled_from([*WORDS]), hand=HAND, point=KILLED,
        way=EFFECT,
    )  # fmt: skip
    def somebody_answers_by_mail(
        self, number: int, name: str, word: str, hand: str, point: str | None, way: str
    ) -> None:
        person = self.people[name]
        token = self.house.token(self.item(number), person, Kind.ANSWER, WORDS[word][0])
        self.kept.append((name, token, word))
        with self.failing(point, way):
            self.answered(name, token, word, hand)

    @precondition(lambda self: self.kept)
    @rule(number=NUMBER, hand=HAND)
    def an_old_answer_comes_again(self, number: int, hand: str) -> None:
        self.answered(*self.kept[number % len(self.kept)], hand)

    @precondition(lambda self: self.oracle.items)
    @rule(number=NUMBER, name=st.sampled_from(PEOPLE), word=st.sampled_from([*WORDS]), point=KILLED)
    def somebody_decides_by_link(self, number: int, name: str, word: str, point: str | None) -> None:
        token = self.house.token(self.item(number), self.people[name], Kind.LINK)
        with self.failing(point, "kill"):
            asked = self.house.decisions().open(token, Kind.LINK)
            if isinstance(asked, Asked):
                who = Who(asked.moderator.address, Way.LINK, asked.moderator.uuid)
                self.house.decisions().decide(asked.item, WORDS[word][1], who)
            self.house.turn()

    @precondition(lambda self: self.oracle.items)
    @rule(number=NUMBER, word=st.sampled_from([*WORDS]), point=KILLED)
    def root_decides(self, number: int, word: str, point: str | None) -> None:
        item, who = self.item(number), Who("root", Way.COMMAND)
        with self.failing(point, "kill"):
            self.house.ledger.change(item.id, WORDS[word][1], who, int(self.house.now))
            self.house.turn()

    # the world changes

    @rule(seconds=st.sampled_from([60, 600, 3600, DAY, 4 * DAY, 400 * DAY, -3600, -2 * DAY, -400 * DAY]))
    def the_clock_jumps(self, seconds: int) -> None:
        self.latest = max(self.latest, self.house.now)
        self.house.now += seconds

    @rule(unknown=SELDOM)
    def the_directory_can_or_cant_tell(self, unknown: bool) -> None:
        self.house.unknown = unknown

    @rule(weather=st.sampled_from([*(Weather.FAIR,) * len(Weather), *Weather]))
    def the_mta_behaves(self, weather: Weather) -> None:
        self.house.mta.weather = weather

    @rule(
        name=st.sampled_from(GROUPS), who=st.sampled_from((*PEOPLE, *MEMBERS)), what=st.sampled_from(CHANGES)
    )
    def a_group_changes(self, name: str, who: str, what: str) -> None:
        group = self.group(name)
        if group is None:
            return
        if what == "member":
            self.comes_or_goes(group, self.people[who])
        elif what == "moderator":
            self.house.office.rewrite(group, moderators=group.moderators ^ {self.people[who].node})
        elif what == "moderation":
            self.house.office.rewrite(group, moderated=not group.moderated)
        else:
            self.goes(group)

    @invariant()
    def the_rules_hold(self) -> None:
        self.oracle.hold()

    # inside

    def group(self, name: str) -> Group | None:
        found = self.house.office.paper.find(f"{name}@{OWN}")
        return found if isinstance(found, Group) else None

    def item(self, number: int) -> Item:
        items = self.oracle.items
        return items[-1 - number % len(items)]

    def answered(self, name: str, token: str, word: str, hand: str) -> None:
        """Answer with a token, by a right or a wrong hand; the MTA delivers it, and the desk reads it."""
        if hand == "wrong word":
            word = "approve" if word == "reject" else "reject"
        login = {"other": "mallory" if name != "mallory" else "jean", "nobody": ""}.get(hand, name)
        fields = {"Auto_Submitted": "auto-replied"} if hand == "machine" else {}
        code = self.house.answer(token, word, self.people[name].address, login, **fields)
        assert code in ({250, 451, 550} if hand in {"own", "machine"} else {451, 550}), (hand, code)
        self.house.mta.deliver()
        self.house.turn()

    def comes_or_goes(self, group: Group, person: Person) -> None:
        """Make somebody a member, or no member any more; the last one stays."""
        lists = self.house.office.paper.lists
        before = lists[group.node]
        others = tuple(member for member in before.people if member.node != person.node)
        if len(others) == len(before.people):
            others = (*others, Member(person.address, person.node))
        if others:
            lists[group.node] = replace(before, people=others)

    def goes(self, group: Group) -> None:
        """Delete a group, and its membership of others."""
        paper = self.house.office.paper
        del paper.groups[group.node]
        for node, members in paper.lists.items():
            left = tuple(nested for nested in members.groups if nested != group.node)
            paper.lists[node] = replace(members, groups=left)

    @contextmanager
    def failing(self, point: str | None, word: str) -> Iterator[None]:
        """Let something happen with a point armed; a process that dies is replaced."""
        self.fired += 1
        dies = _die if word == "kill" else effect(word)
        armed = Armed(point, dies, self.folder / f"fired-{self.fired}") if point else None
        with installed(lambda: armed):
            try:
                yield
            except (Died, OSError) as failure:
                if armed is None or not armed.marker.exists():
                    raise
                if isinstance(failure, Died):
                    self.house.restart()
        lost = self.house.mta.weather is Weather.LOSES_ITS_ANSWER
        self.oracle.interrupted += lost or (armed is not None and armed.marker.exists())

    def mend(self) -> None:
        """Everything works again, and time goes by: nothing may be left lying about."""
        self.house.unknown, self.house.mta.weather = False, Weather.FAIR
        self.house.restart()
        self.time_goes_by(*(60,) * 4, *(1801,) * 6)
        self.oracle.all_sent_out()
        self.house.now = max(self.latest, self.house.now) + 80 * 3600
        self.time_goes_by(*(1801,) * 6)
        self.oracle.at_rest()

    def time_goes_by(self, *pauses: int) -> None:
        """The desk works, and waits."""
        for pause in pauses:
            while self.house.turn():
                self.house.mta.deliver()
            self.house.mta.deliver()
            self.oracle.hold()
            self.house.now += pause


def _die() -> None:
    raise Died


TestMail = Mail.TestCase
TestMail.settings = settings(
    max_examples=int(EXAMPLES or 40),
    stateful_step_count=40,
    derandomize=not EXAMPLES,
    suppress_health_check=list(HealthCheck),
)
