"""What always holds in a house with held mail, whatever has happened; `test_house` does things to one and asks this.

Each check raises AssertionError with what it found.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from sqlalchemy import select
from tests.support.letters import KEYS, OWN, SERVICE
from tests.support.paper_house import CONTACT, DAEMON, House
from tests.support.paper_mta import Queued

from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.groups.ticket import Kind, digest, unseal
from groupmilter.moderation.arrival import message_of
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.mailbox import Folder, folder_of
from groupmilter.moderation.rows import AuditRow
from groupmilter.moderation.schema import ITEM, LETTER, RELEASE
from groupmilter.moderation.transitions import DECISIONS, OPEN, TRANSITIONS

DECIDING = frozenset(event.value for event in DECISIONS)
_TICKET = re.compile(rb"^Delivered-To: hold\+([a-z2-7]+)@", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pledge:
    """One held copy for which somebody was told 250."""

    mark: str
    ticket: str
    group: int


@dataclass
class HouseRules:
    """The rules of one house, with what they remember of it."""

    house: House
    pledges: list[Pledge] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    releases: Counter[int] = field(default_factory=Counter)
    interrupted: int = 0
    items: tuple[Item, ...] = ()
    rows: list[AuditRow] = field(default_factory=list)
    fresh: list[AuditRow] = field(default_factory=list)
    files: dict[str, list[tuple[str, Folder]]] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)
    _accepted: int = 0
    _reached: dict[str, list[list[str]]] = field(default_factory=lambda: defaultdict(list))

    def hold(self) -> None:
        """Ask all of them."""
        self.look()
        self.what_was_accepted()
        self.decided_by_right_hands()
        self.nothing_lost()
        self.nothing_out_of_nothing()
        self.one_decision_each()
        self.twice_only_where_foretold()

    def look(self) -> None:
        """Read ledger and hold mailbox as they are now."""
        ledger, known = self.house.ledger, len(self.rows)
        self.items = ledger.items(frozenset(State), limit=10_000)
        self.rows += ledger.audit(after=self.rows[-1].id if self.rows else 0, limit=100_000)
        self.fresh = self.rows[known:]
        self.files = self._files()
        with ledger.database.reading() as connection:
            gone = connection.execute(select(ITEM.c.ticket, ITEM.c.state).where(ITEM.c.purged)).all()
        assert all(State(state) not in OPEN for _, state in gone), gone
        self.purged = {ticket for ticket, _ in gone}

    # whom a message reaches

    def reach(self, groups: tuple[Group, ...], *, released: bool = False) -> tuple[set[str], set[int]]:
        """Whom groups stand for now: addresses at once, and digests of groups that hold."""
        paper = self.house.office.paper
        addresses, holds, seen = set[str](), set[int](), set[Node]()
        waiting = [(group, released) for group in groups]
        while waiting:
            group, approved = waiting.pop()
            if group.moderated and not approved:
                holds.add(digest(group.uuid))
            elif group.node not in seen:
                seen.add(group.node)
                members = paper.members(group.node)
                addresses |= {member.address for member in members.people}
                nested = (paper.group(node) for node in members.groups)
                waiting += [(one, False) for one in nested if one is not None]
        return addresses, holds

    def what_was_accepted(self) -> None:
        """Each message that the MTA took goes to exactly those who are meant, and is kept in mind."""
        fresh = self.house.mta.accepted[self._accepted :]
        self._accepted += len(fresh)
        for message in fresh:
            first = message.head.recipients[0][0]
            if message.head.daemon != DAEMON:
                if not first.endswith(f"@{SERVICE}"):
                    self._written(message)
            elif first != f"release@{SERVICE}":
                self._letter(message)
            elif message.recipients != (first,):
                # Unchanged, no milter has seen it: it comes back into the hold mailbox, and nobody gets it.
                self._released(message)

    def _written(self, message: Queued) -> None:
        groups = tuple(self._group(to) for to, _ in message.head.recipients)
        self._goes_to(message, *self.reach(groups))

    def _released(self, message: Queued) -> None:
        ticket = message.head.recipients[0][1].partition(";")[2]
        item = self._item_of_release(ticket)
        assert any(row.after == State.APPROVED for row in self.rows if row.item == item.name), (
            f"released, never approved: {item}"
        )
        group = self.house.office.paper.by_digest(item.arrival.group)
        assert isinstance(group, Group)
        self._goes_to(message, *self.reach((group,), released=True))
        held = message_of(self.house.mailbox.read(item.arrival.file))
        assert message.original == held, "the octets changed"
        self.releases[item.id] += 1

    def _letter(self, message: Queued) -> None:
        (to,) = message.recipients
        assert message.sender == "" or re.fullmatch(rf"bounce\+[a-z2-7]{{48}}@{SERVICE}", message.sender)
        assert to.endswith(f"@{OWN}"), f"a letter to an outsider: {to}"
        if b"approve+" in message.content and to != CONTACT:
            about = re.search(rb"about mark-\d+", message.content)
            assert about
            assert to in self.legitimate(), f"{to} is asked and must not decide"

    def _goes_to(self, message: Queued, addresses: set[str], holds: set[int]) -> None:
        mark = mark_of(message.content)
        people = [to for to in message.recipients if not to.endswith(f"@{SERVICE}")]
        # The copy of a message that went to another group, too, says whom it has reached by that way (loop header).
        had = {to for before in self._reached[mark] for to in before}
        assert sorted({*people}) == sorted(people)
        assert addresses - had <= {*people} <= addresses, f"{mark} goes to {people}, is for {addresses}"
        self._reached[mark].append(people)
        found = [to for to in message.recipients if to.endswith(f"@{SERVICE}")]
        tickets = [unseal(to.partition("@")[0].removeprefix("hold+"), KEYS) for to in found]
        groups = [ticket.group for ticket in tickets if ticket is not None]
        before = {pledge.group for pledge in self.pledges if pledge.mark == mark}
        assert sorted({*groups}) == sorted(groups)
        assert holds - before <= {*groups} <= holds, f"{mark} is held for {groups}, not {holds}"
        for to, ticket in zip(found, tickets, strict=True):
            assert ticket is not None
            assert ticket.kind is Kind.HOLD
            self.pledges.append(Pledge(mark, to.partition("@")[0].removeprefix("hold+"), ticket.group))

    def _group(self, address: str) -> Group:
        group = self.house.office.paper.find(address)
        assert isinstance(group, Group), address
        return group

    def _item_of_release(self, ticket: str) -> Item:
        wanted = (
            select(ITEM.c.id).join(RELEASE, RELEASE.c.item_id == ITEM.c.id).where(RELEASE.c.ticket == ticket)
        )
        with self.house.ledger.database.reading() as connection:
            item = self.house.ledger.item(int(connection.execute(wanted).scalar_one()))
        assert item is not None
        return item

    # who decides

    def legitimate(self) -> set[str]:
        """Whoever may decide about anything now."""
        paper = self.house.office.paper
        nodes = {node for group in paper.groups.values() for node in (*group.moderators, *group.owners)}
        return {person.address for person in paper.people.values() if person.node in nodes}

    def decided_by_right_hands(self) -> None:
        """Who decided by mail or link is a moderator or owner now."""
        for row in self.fresh:
            if row.way in {"mail", "link"} and row.action in DECIDING:
                group = self._group(row.group)
                paper = self.house.office.paper
                may = {paper.people[node].address for node in (*group.moderators, *group.owners)}
                assert row.actor in may, row

    def one_decision_each(self) -> None:
        """Each item's rows are a path of the table that ends where it stands; it is decided once between surprises."""
        paths = defaultdict[str, list[AuditRow]](list)
        for row in self.rows:
            if row.after:
                paths[row.item].append(row)
        for item in self.items:
            rows = paths.pop(item.name)
            assert rows[0].action == "record"
            for before, row in itertools.pairwise(rows):
                assert row.before == before.after, rows
                assert any(
                    (start, event.value, end) == (row.before, row.action, row.after)
                    for (start, event), end in TRANSITIONS.items()
                ), row
            assert rows[-1].after == item.state, (rows, item)
            shunted = sum(row.after == State.SHUNTED for row in rows)
            assert sum(row.action in DECIDING for row in rows) <= 1 + shunted
        assert not paths

    # where everything is

    def _files(self) -> dict[str, list[tuple[str, Folder]]]:
        """Names and folders of what lies in the hold mailbox, by ticket."""
        found = defaultdict[str, list[tuple[str, Folder]]](list)
        for folder in Folder:
            for name in self.house.mailbox.names(folder):
                ticket = _TICKET.search(self.house.mailbox.read(name))
                found[ticket[1].decode() if ticket else ""].append((name, folder))
        return found

    def nothing_lost(self) -> None:
        """Each copy for which 250 was said is queued, or in the hold mailbox until long after it has ended."""
        queued = {
            to.partition("@")[0].removeprefix("hold+")
            for one in self.house.mta.queue
            for to in one.recipients
        }
        for pledge in self.pledges:
            there = pledge.ticket in queued or pledge.ticket in self.files or pledge.ticket in self.purged
            assert there, f"lost: {pledge}"

    def nothing_out_of_nothing(self) -> None:
        """What was refused is nowhere, and no item is there twice."""
        marks = [mark_of(item.arrival.subject.encode()) for item in self.items]
        assert not self.refused & {*marks, *(mark_of(copy.content) for copy in self.house.mta.copies)}
        tickets = Counter(item.arrival.ticket for item in self.items if item.arrival.ticket)
        assert all(count == 1 for count in tickets.values()), tickets

    def twice_only_where_foretold(self) -> None:
        """More than one release only after something was interrupted, and each foretold by the audit trail."""
        for item_id, count in self.releases.items():
            name = next(item.name for item in self.items if item.id == item_id)
            again = sum(row.item == name and row.action == "release-again" for row in self.rows)
            assert count <= 1 + again, f"{name} released {count} times, {again} foretold"
            assert count <= 1 + self.interrupted, (
                f"{name} released {count} times, and nothing was interrupted"
            )

    def all_sent_out(self) -> None:
        """With all mended, whatever was approved has gone out, or is shown to a human."""
        waiting = [item for item in self.items if item.state is State.APPROVED]
        assert not waiting, waiting

    def at_rest(self) -> None:
        """After all has been mended and time has gone by: everything has ended, and lies in its folder."""
        by_ticket = {item.arrival.ticket: item for item in self.items}
        for pledge in self.pledges:
            item = by_ticket.get(pledge.ticket)
            assert item is not None, f"not recorded: {pledge}"
            assert item.state not in OPEN - {State.SHUNTED}, item
            places = [folder for _, folder in self.files.get(pledge.ticket, [])]
            assert places == [folder_of(item.state)] or pledge.ticket in self.purged, (item, places)
            if item.state is State.RELEASED:
                assert self.releases[item.id] >= 1, item
        assert not list(self.house.mailbox.names(Folder.INBOX))
        self.senders_were_told()

    def senders_were_told(self) -> None:
        """A proven sender was written to about what his group's members don't get."""
        with self.house.ledger.database.reading() as connection:
            written = {
                (row.item_id, row.kind) for row in connection.execute(select(LETTER.c.item_id, LETTER.c.kind))
            }
        refused = {row.item for row in self.rows if row.action == "letter-refused"}
        for item in self.items:
            ends = item.state in {State.REJECTED, State.EXPIRED} and item.arrival.kind is Kind.HOLD
            group = self.house.office.paper.by_digest(item.arrival.group)
            if ends and item.arrival.sender and group is not None:
                assert (item.id, item.state.value) in written or item.name in refused, item


def mark_of(text: bytes) -> str:
    """The mark in a message."""
    found = re.search(rb"\bmark-\d+\b", text)
    return found[0].decode() if found else ""
