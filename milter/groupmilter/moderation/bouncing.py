"""Reports about members' mail: who is counted, who gets no more mail for a while, what owners are told each week.

A report is anybody's text, and every member's server has seen the address that takes it. So a failure counts for a
member of the group alone, once for a message, on the day on which that message was sent; only failures of messages of
several days suspend an address, and never one of the organisation's own. The end of it all is visible, and undone by
command or by time.

Raises `LedgerUnavailable` and `DirectoryUnknown`: the report then stays in the mailbox and is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.mail.address import canonical, domain_of
from groupmilter.moderation.bounce import Cause, Failure, Report, Tells
from groupmilter.moderation.bounce_book import DAY, BounceBook, Failed, Suspension
from groupmilter.moderation.circle import Lookup, Lookups
from groupmilter.moderation.item import DESK, Arrival
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Folder, HoldMailbox
from groupmilter.moderation.membership import Membership, Told
from groupmilter.policy.settings import Settings

TICKET_DAYS = 30
"""How long a bounce address is good for."""

_AHEAD = 3600
_MOST_REPORTS, _MOST_OCTETS = 20_000, 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bouncing:
    """What counting takes.

    :param clock: seconds since 1970, UTC.
    """

    ledger: Ledger
    lookups: Lookups
    settings: Settings
    clock: Callable[[], float]
    log: FilteringBoundLogger
    membership: Membership = field(default_factory=Membership)

    def take(self, arrival: Arrival, report: Report) -> Folder | None:
        """Count what a report says; return where its file belongs, None for what isn't kept."""
        if report.tells is Tells.AUTOMATIC:
            self._say("automatic reply to a bounce address dropped", arrival)
            return None
        if arrival.return_path:
            self._say("mail to a bounce address is no report: it has a return path", arrival)
        elif report.tells is not Tells.FAILURE:
            self._say(f"delivery report filed: {report.tells.value}", arrival)
        elif not report.own and not self.settings.bounces.outside_reports:
            self._say("delivery report not counted: another server's", arrival)
        elif not self._current(arrival):
            self._say("delivery report not counted: its message is too old", arrival)
        else:
            return self._count(arrival, report)
        return Folder.REPORTS

    def _current(self, arrival: Arrival) -> bool:
        return -_AHEAD <= self.clock() - arrival.sent <= TICKET_DAYS * DAY

    def _count(self, arrival: Arrival, report: Report) -> Folder | None:
        with self.lookups.snapshot() as directory:
            group = directory.by_digest(arrival.group)
            if not isinstance(group, Group):
                self._say("delivery report not counted: its group is gone", arrival)
                return Folder.REPORTS
            failed = dict(self._failed(arrival, report, self.membership.of(group, directory), directory))
            outside = {address for address in failed if self._outside(address, directory)}
        if not failed:
            self._say("delivery report not counted: it names no member", arrival, group=group.address)
            return Folder.REPORTS
        files = self._book.count_each(tuple(failed.values()))
        first = next(iter(failed.values()))
        more = {"member": first.address, "group": first.group_address, "status": first.status}
        self._say("failure counted", arrival, **more, members=str(len(failed)))
        blamed = [one for one in failed.values() if one.address in outside and one.cause != Cause.MESSAGE]
        if blamed and self.settings.bounces.suspend:
            self._judge(blamed)
        # Only the report that counts is kept: a server that repeats itself must not fill the mailbox.
        return Folder.REPORTS if arrival.file in files.values() else None

    def _failed(
        self, arrival: Arrival, report: Report, members: Mapping[str, Told], directory: Lookup
    ) -> Iterator[tuple[str, Failed]]:
        """Yield the failures of members, by address."""
        now = int(self.clock())
        for failure in report.failures:
            told = self._member(failure, members, directory)
            if told is not None:
                yield told.address, Failed(
                    arrival.ticket, told.address, arrival.file, told.group.uuid, told.group.address,
                    failure.cause.value, failure.status, failure.why, arrival.sent, now,
                )  # fmt: skip

    def _member(self, failure: Failure, members: Mapping[str, Told], directory: Lookup) -> Told | None:
        for address in failure.addresses:
            told = members.get(address.lower())
            if told is not None:
                return told
            known = canonical(address, self.settings.own_domains)
            person = directory.find(known) if known else None
            if isinstance(person, Person) and person.address.lower() in members:
                return members[person.address.lower()]
        return None

    def _outside(self, address: str, directory: Lookup) -> bool:
        own = self.settings.own_domains
        found = directory.find(canonical(address, own) or address)
        return outside(address, found if isinstance(found, Person) else None, own)

    def _judge(self, failed: Sequence[Failed]) -> None:
        """Suspend those against whom enough speaks; repeated, it does nothing twice."""
        bounces, now = self.settings.bounces, int(self.clock())
        known = {one.address: one for one in self._book.suspensions()}
        addresses = [one.address for one in failed]
        against = self._book.spoken_against(addresses, now - bounces.window, bounces.suspend_after)
        until = now + bounces.retry if bounces.retry else 0
        due = [
            Suspension(one.address, now, until, 0, DESK.name, one.group_address, one.why, one.group_uuid)
            for one in failed
            if one.address in against or _on_trial(one, known.get(one.address))
        ]
        for made in self._book.suspend_each(due, DESK):
            self.log.warning("delivery suspended", member=made.address, group=made.group_address)

    def retry(self) -> bool:
        """Let suspended addresses whose time is over get mail again, on trial; end the trials that went well."""
        now, window = int(self.clock()), self.settings.bounces.window
        for one in self._book.suspensions():
            if not one.probing and one.until and one.until <= now:
                self._book.try_again(one.address, DESK, now)
                self.log.info("suspended address is tried again", member=one.address)
            elif one.probing and one.probing + window <= now:
                self._book.resume(one.address, DESK, now)
                self.log.info("delivery resumed", member=one.address)
        return False

    @property
    def _book(self) -> BounceBook:
        return self.ledger.bounces

    def _say(self, event: str, arrival: Arrival, **more: str) -> None:
        self.log.info(event, file=arrival.file, subject=arrival.subject, **more)


def _on_trial(failed: Failed, suspension: Suspension | None) -> bool:
    """Tell whether a message that was sent to an address on trial has failed there."""
    return suspension is not None and 0 < suspension.probing <= failed.sent


def outside(address: str, person: Person | None, own_domains: frozenset[str]) -> bool:
    """Tell whether an address is nobody's of the organisation: neither it nor another one of its person's."""
    whose = (address, *person.addresses) if person is not None else (address,)
    return not any(domain_of(one).lower() in own_domains for one in whose)


def excess(mailbox: HoldMailbox) -> tuple[str, ...]:
    """Return the oldest reports beyond what is kept: anybody may write to a bounce address, and no disk is endless."""
    names, room = [], _MOST_OCTETS
    for number, (name, octets) in enumerate(reversed(list(mailbox.sizes(Folder.REPORTS)))):
        room -= octets
        if room < 0 or number >= _MOST_REPORTS:
            names.append(name)
    return tuple(names)
