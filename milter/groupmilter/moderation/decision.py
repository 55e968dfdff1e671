"""Deciding about held mail: one service for mail, link, panel and command line.

What a token opens, whether its moderator still is one, and the decision itself, which the ledger makes once: whoever
comes later is told who was first. What is shown hangs on the mirror; before anything is decided the directory itself is
asked (`entitlement`). Raises `LedgerUnavailable` where nothing can be recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from groupmilter.directory.administration import Administration
from groupmilter.groups.concern import Concern
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Keys, Kind, Token, unseal_token
from groupmilter.language.catalogue import marked
from groupmilter.moderation.circle import Circle, Lookup, Lookups, circle
from groupmilter.moderation.entitlement import ON_THE_SERVER, Entitled, GoesNowhere
from groupmilter.moderation.item import Event, Item, Way, Who
from groupmilter.moderation.ledger import Changed, Ledger
from groupmilter.moderation.quorum import Approval, missing
from groupmilter.moderation.remembering import Values, remembered
from groupmilter.moderation.transitions import after
from groupmilter.policy.settings import Settings

Remember = Callable[[Who, Group, Values], bool]
"""Adds values to fields of a group on somebody's behalf; False where he may not. Raises what the writer does."""


GOES_NOWHERE = marked("There is no group any more to which it could go.")
_THESE_GO_NOWHERE = marked("There is no group any more to which these could go: {names}.")


class Problem(StrEnum):
    """Why a token decides nothing."""

    FORGED = "forged"
    EXPIRED = "expired"
    GONE = "gone"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Asked:
    """A token that holds: its item, and the person whom it names."""

    item: Item
    token: Token
    moderator: Person


@dataclass(frozen=True, slots=True)
class Decisions:
    """The service.

    :param clock: seconds since 1970, UTC. ``entitled``: asks the directory before a decision.
    :param administrators: who may decide besides a group's moderators and owners.
    :param write: how a sender is remembered in the directory; None where it can't be written.
    """

    ledger: Ledger
    lookups: Lookups
    keys: Keys
    settings: Settings
    clock: Callable[[], float]
    entitled: Entitled
    administrators: tuple[Administration, ...] = ()
    write: Remember | None = None

    def open(self, text: str, kind: Kind) -> Asked | Problem:
        """Return what a token stands for, or why it decides nothing; changes nothing.

        :param kind: ``Kind.ANSWER`` of an address, ``Kind.LINK`` of a link.
        """
        token = unseal_token(text, self.keys)
        if token is None or token.kind is not kind:
            return Problem.FORGED
        if token.expires < self.clock():
            return Problem.EXPIRED
        item = self.ledger.by_digest(token.item)
        return Problem.GONE if item is None else self._asked(item, token)

    def _asked(self, item: Item, token: Token) -> Asked | Problem:
        try:
            with self.lookups.snapshot() as directory:
                person = directory.by_digest(token.moderator)
                if not isinstance(person, Person) or not self.may(person, item, directory):
                    return Problem.FOREIGN
                return Asked(item, token, person)
        except DirectoryUnknown:
            return Problem.UNKNOWN

    def may(self, person: Person, item: Item, directory: Lookup) -> bool:
        """Tell whether a person may decide about an item now."""
        return self.circle(item, directory).holds(person, directory)

    def circle(self, item: Item, directory: Lookup) -> Circle:
        """Return who has to do with an item."""
        return circle(group_of(item, directory), item.terms.moderators, self.administrators, directory)

    def decide(self, item: Item, event: Event, who: Who, comment: str = "") -> Changed:
        """Approve or reject; the first decision stands, and the result tells whose it is.

        Where several have to approve, an approval is counted, once for each person, and the last one decides. Whoever
        decides by command on the server decides for good.

        :raises MayNotDecide: where the directory says so. :raises DirectoryUnknown: where it can't be asked.
        :raises GoesNowhere: for an approval where there is no group any more.
        :raises LedgerUnavailable: where it can't be recorded; in each case nothing is decided.
        """
        return self.decide_each((item,), event, who, comment)[0]

    def require(self, items: Sequence[Item], who: Who) -> None:
        """Ask the directory whether somebody may decide about all of these now; see `decide` for what it raises."""
        if who.way in ON_THE_SERVER:
            return
        scopes = dict.fromkeys((item.arrival.group, item.terms.moderators) for item in items)
        with self.lookups.snapshot() as directory:
            concerns = [_concern(directory.by_digest(group), named, directory) for group, named in scopes]
        self.entitled(who, concerns)

    def decide_each(
        self, items: Iterable[Item], event: Event, who: Who, comment: str = ""
    ) -> tuple[Changed, ...]:
        """Decide the same about several items, all or none of them, written to disk once (see `decide`)."""
        items = tuple(items)
        self.require(items, who)
        return self.settle(items, event, who, comment)

    def settle(self, items: Sequence[Item], event: Event, who: Who, comment: str = "") -> tuple[Changed, ...]:
        """Decide for somebody of whom `require` was asked before; see `decide` for what else it raises."""
        if event is Event.APPROVE:
            self.require_somewhere(items)
        now = int(self.clock())
        several = event is Event.APPROVE and who.way is not Way.COMMAND
        counted = {item.id for item in items if several and item.terms.approvals > 1}
        if not counted:
            return self.ledger.change_each((item.id for item in items), event, who, now, comment=comment)
        deciders = self._deciders([item for item in items if item.id in counted])
        with self.ledger.together():
            return tuple(
                self._counted(item, deciders[item.id], who, now, comment)
                if item.id in counted
                else self.ledger.change(item.id, event, who, now, comment=comment)
                for item in items
            )

    def require_somewhere(self, items: Sequence[Item]) -> None:
        """Raise `GoesNowhere` where some of these couldn't be released to anybody."""
        if lost := self.nowhere(items):
            names = ", ".join(item.name for item in lost)
            raise GoesNowhere(GOES_NOWHERE if len(items) == 1 else _THESE_GO_NOWHERE, names=names)

    def nowhere(self, items: Iterable[Item]) -> tuple[Item, ...]:
        """Return those of these items that wait and have no group to go to; none where the mirror can't tell."""
        waiting = [item for item in items if after(item.state, Event.APPROVE) is not None]
        try:
            with self.lookups.snapshot() as directory:
                return tuple(item for item in waiting if not goes(item, directory))
        except DirectoryUnknown:
            return ()

    def _deciders(self, items: Iterable[Item]) -> dict[int, frozenset[str]]:
        with self.lookups.snapshot() as directory:
            around = {item.id: self.circle(item, directory) for item in items}
            return {number: one.deciders(directory) for number, one in around.items()}

    def _counted(self, item: Item, deciders: frozenset[str], who: Who, now: int, comment: str) -> Changed:
        """Count an approval; the last one that is needed decides. Part of one transaction."""
        approval = Approval(who.uuid or who.name, who.name, who.way.value, now)
        found, new = self.ledger.approvals.add(item.id, approval)
        needed = found.terms.approvals
        left = missing(found.approved_by, needed, deciders)
        if not left or after(found.state, Event.APPROVE) is None:
            return self.ledger.change(item.id, Event.APPROVE, who, now, comment=comment)
        if new:
            found, _ = self.ledger.claims.end(item.id, approval.person)
            detail = f"{len(found.approved_by)}/{needed}"
            self.ledger.note("agree", who, now, item_id=item.id, detail=detail)
        return Changed(found, new, left)

    def refused(self, problem: Problem, who: Who, detail: str = "") -> None:
        """Leave an audit row of a token that decided nothing."""
        self.ledger.note(f"token-{problem}", who, int(self.clock()), detail=detail)

    def is_owner(self, asked: Asked) -> bool:
        """Tell whether the person is an owner of the group, and senders can be remembered at all."""
        try:
            with self.lookups.snapshot() as directory:
                around = self.circle(asked.item, directory)
                return self.write is not None and around.owned_by(asked.moderator, directory)
        except DirectoryUnknown:
            return False

    def unremembered(self, item: Item, allow: bool) -> str | None:
        """Return a sentence why an item's sender can't be remembered, None where an owner can have it done.

        Known before anybody decides, as the mirror has the group.
        """
        wish = self._wish(item, allow)
        return wish if isinstance(wish, str) else None

    def _wish(self, item: Item, allow: bool) -> tuple[Group, Values] | str:
        if self.write is None:
            return marked("The directory can't be written.")
        try:
            with self.lookups.snapshot() as directory:
                group = directory.by_digest(item.arrival.group)
        except DirectoryUnknown:
            return marked("The directory can't be read now.")
        if not isinstance(group, Group):
            return marked("The group is gone.")
        values = remembered(group, item, self.settings.own_domains, allow)
        return values if isinstance(values, str) else (group, values)

    def remember(self, item: Item, who: Who, allow: bool) -> str | None:
        """Let an item's sender always pass, or never more; return a sentence where that can't be.

        Whether the person may is asked of the directory itself.
        """
        wish = self._wish(item, allow)
        if isinstance(wish, str):
            return wish
        group, values = wish
        if self.write is None or not self.write(who, group, values):
            return marked("Only owners of the group may do that.")
        shown = ", ".join(f"{field}={value}" for field, value in values)
        now = int(self.clock())
        self.ledger.note("allow-sender" if allow else "block-sender", who, now, item_id=item.id, detail=shown)
        return None


def group_of(item: Item, directory: Lookup) -> Group | None:
    """Return the group of an item, None where it is gone or unknown."""
    found = directory.by_digest(item.arrival.group)
    return found if isinstance(found, Group) else None


def goes(item: Item, directory: Lookup) -> bool:
    """Tell whether an item could go anywhere if it were approved: to its group, or as a report to its sender."""
    return item.arrival.kind is Kind.REFUSE or group_of(item, directory) is not None


def _concern(group: Group | Person | None, named: Iterable[str], directory: Lookup) -> Concern:
    """Return what has to be asked about a group's mail."""
    instead = tuple(found.dn for address in named if (found := directory.find(address)) is not None)
    return Concern(group.dn, group.uuid, instead) if isinstance(group, Group) else Concern(instead=instead)
