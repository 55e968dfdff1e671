"""What a ticket means today: which group and sender it names, why it was held, how long it waits."""

from __future__ import annotations

from dataclasses import dataclass, replace

from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import digest
from groupmilter.mail.address import canonical, domain_of, strict
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.item import Arrival, Terms
from groupmilter.moderation.remembering import author_address
from groupmilter.policy.reasons import reason
from groupmilter.policy.settings import HoldThen, Settings, SiteRule

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Clock:
    """How long an item waits, seconds."""

    hours: int
    reminder_hours: int

    def expires(self, now: int) -> int:
        """Return when it expires."""
        return now + self.hours * _HOUR

    def remind(self, now: int) -> int:
        """Return when its moderators are reminded; 0 for never."""
        early = self.reminder_hours * _HOUR
        return self.expires(now) - early if 0 < early < self.hours * _HOUR else 0


def terms(arrival: Arrival, directory: Lookup, settings: Settings, now: int) -> Terms:
    """Return the terms of an item that is recorded now.

    :param now: seconds since 1970, UTC.
    :raises DirectoryUnknown: where the directory can't tell.
    """
    group = directory.by_digest(arrival.group) if arrival.group else None
    sender = directory.by_digest(arrival.sender) if arrival.sender else None
    why, rule = reason(arrival.reason, settings.rules)
    then = _own(rule)
    known = group if isinstance(group, Group) else None
    own = known.hold_hours if known is not None else None
    clock = Clock(then.hours or own or settings.hold_hours, settings.moderation.reminder_hours)
    person = sender if isinstance(sender, Person) else None
    return Terms(
        group_uuid=known.uuid if known else "",
        group_address=known.address if known else "",
        sender_name=(person.name or person.address) if person else "",
        sender_uuid=person.uuid if person else "",
        why=why,
        moderators=then.moderators,
        expires=clock.expires(now),
        remind=clock.remind(now),
        approvals=then.approvals or (known.approvals if known else 1),
    )


def addressed(arrival: Arrival, directory: Lookup, own_domains: frozenset[str]) -> Arrival:
    """Return an arrival that no ticket speaks for with the group to which it came past the milter, if it is one's.

    So a human who finds it among the shunted can let it through to that group.

    :raises DirectoryUnknown: where the directory can't tell.
    """
    address = canonical(arrival.recipient, own_domains) if not arrival.kind and arrival.recipient else None
    group = directory.find(address) if address else None
    return replace(arrival, group=digest(group.uuid)) if isinstance(group, Group) else arrival


def _own(rule: SiteRule | None) -> HoldThen:
    return rule.then if rule is not None and isinstance(rule.then, HoldThen) else HoldThen()


def told(arrival: Arrival, directory: Lookup) -> str:
    """Return the address to which the sender may be written; empty where none is proven.

    A login's own address even where it gave another as return path; without a person behind it, only a return path
    of the proven author's own domain. So nobody else ever hears of a message that he didn't send.
    """
    if not arrival.strength or not arrival.return_path:
        return ""
    person = directory.by_digest(arrival.sender) if arrival.sender else None
    if isinstance(person, Person):
        path = arrival.return_path.lower()
        return arrival.return_path if path in map(str.lower, person.addresses) else person.address
    domain = domain_of(author_address(arrival.author))
    own = domain and domain_of(strict(arrival.return_path) or "") == domain
    return arrival.return_path if own else ""
