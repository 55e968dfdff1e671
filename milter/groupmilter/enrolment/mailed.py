"""What came by mail: wishes to join or leave, confirmations, and owners' decisions about requests.

The milter has looked who is proven to write; here it is put to the service. The directory is asked about an owner's
decision before the ledger is locked, for it may be long in answering. What a program has written is dropped, with
an audit row, and so is what was read before: the ledger knows. Raises `LedgerUnavailable` and `DirectoryUnknown`: the
file then stays in the mailbox and is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from groupmilter.enrolment.service import Requests, Require
from groupmilter.enrolment.shares import Net, source
from groupmilter.enrolment.verdict import Applicant
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Action, digest
from groupmilter.membership.authority import Forbidden
from groupmilter.moderation.answers import letter, writer
from groupmilter.moderation.arrival import automatic, client_of
from groupmilter.moderation.decision import Problem
from groupmilter.moderation.entitlement import KEPT
from groupmilter.moderation.item import Arrival, Way, Who
from groupmilter.moderation.quoting import own_text
from groupmilter.moderation.remembering import author_address
from groupmilter.moderation.request import Request, Stage, Wanted
from groupmilter.policy.facts import Strength

_WISHES = {Action.JOIN: Wanted.JOIN, Action.LEAVE: Wanted.LEAVE}
_DECISIONS = {Action.APPROVE: True, Action.REJECT: False}


@dataclass(frozen=True, slots=True)
class Mailed:
    """What the desk hands over.

    :param clock: seconds since 1970, UTC. ``require``: asks the directory whether somebody may decide.
    :param relays: networks of hosts in front of ours.
    """

    requests: Requests
    clock: Callable[[], float]
    require: Require
    relays: tuple[Net, ...] = ()

    def consider(self, arrival: Arrival) -> bool:
        """Tell whether the directory lets the writer of a decision decide; it is asked before the ledger is locked.

        As long as nobody answers, the request doesn't expire.
        """
        request = self.requests.ledger.requests.by_digest(arrival.group)
        if request is None or request.stage is not Stage.WAITING or _action(arrival) not in _DECISIONS:
            return True
        with self.requests.registers.snapshot() as directory:
            person = directory.by_digest(arrival.sender)
        if not isinstance(person, Person) or not self.requests.may(person, request):
            return False
        try:
            self.require(request, writer(person, arrival))
        except Forbidden:
            return False
        except DirectoryUnknown:
            self.requests.ledger.requests.keep(request.id, int(self.clock()), KEPT)
            raise
        return True

    def take(self, arrival: Arrival, octets: bytes, *, may: bool = True) -> bool:
        """Do what a mail asks for; False where it isn't about joining or leaving.

        :param may: what `consider` has said of it.
        """
        action = _action(arrival)
        request = None
        if action not in _WISHES:
            request = self.requests.ledger.requests.by_digest(arrival.group)
            if request is None and action is not Action.CONFIRM:
                return False
        if automatic(octets):
            self._note("answer-ignored", Who(arrival.return_path, Way.MAIL, origin=arrival.message_id))
        elif action in _WISHES:
            self._wish(_WISHES[action], arrival, octets)
        elif action is Action.CONFIRM:
            self._confirm(request, arrival)
        elif request is not None and action in _DECISIONS:
            self._decide(request, _DECISIONS[action], arrival, octets, may=may)
        return True

    def _wish(self, wanted: Wanted, arrival: Arrival, octets: bytes) -> None:
        with self.requests.registers.snapshot() as directory:
            group = directory.by_digest(arrival.group)
            person = directory.by_digest(arrival.sender) if arrival.sender else None
        applicant = self._applicant(person, arrival)
        if not isinstance(group, Group) or applicant is None:
            self._note("answer-ignored", Who(arrival.return_path, Way.MAIL, origin=arrival.message_id))
            return
        uuid = applicant.person.uuid if applicant.person is not None and applicant.proven else ""
        who = Who(applicant.address, Way.MAIL, uuid, arrival.message_id)
        client = source(client_of(octets), self.relays)
        self.requests.ask(group.address, applicant, wanted, own_text(octets), who, client)

    def _applicant(self, person: Group | Person | None, arrival: Arrival) -> Applicant | None:
        """Return who wants it: the person who is proven, else the author, proven or not; None where nobody can tell."""
        if isinstance(person, Person):
            return Applicant(person.address, person) if person.address else None
        address = author_address(arrival.author, self.requests.settings.own_domains)
        if not address or arrival.sender:
            return None
        return self.requests.applicant(address, proven=arrival.strength == Strength.DMARC)

    def _confirm(self, request: Request | None, arrival: Arrival) -> None:
        if request is None or digest(request.address) != arrival.sender:
            self._note(f"token-{Problem.GONE}", Who(arrival.return_path, Way.MAIL, origin=arrival.message_id))
        elif request.stage is Stage.UNCONFIRMED:
            who = Who(request.address, Way.MAIL, request.person_uuid, arrival.message_id)
            self.requests.confirm(request, who)

    def _decide(self, request: Request, accept: bool, arrival: Arrival, octets: bytes, *, may: bool) -> None:
        with self.requests.registers.snapshot() as directory:
            person = directory.by_digest(arrival.sender)
        if not may or not isinstance(person, Person) or not self.requests.may(person, request):
            self._foreign(person, arrival)
            return
        who = writer(person, arrival)
        turned = self.requests.settle(request, accept, who, "" if accept else own_text(octets))
        stands = turned.request
        again = stands.decided_by == who.name and accept is (stands.stage is not Stage.REJECTED)
        if not turned.happened and not again:
            self.requests.notices.late(stands, person)

    def _foreign(self, person: Group | Person | None, arrival: Arrival) -> None:
        self._note(f"token-{Problem.FOREIGN}", Who(arrival.return_path, Way.MAIL))
        if isinstance(person, Person):
            now, foreign = int(self.clock()), Problem.FOREIGN.value
            self.requests.ledger.letters.plan((letter("invalid", 0, person, now, foreign),))

    def _note(self, action: str, who: Who) -> None:
        self.requests.ledger.note(action, who, int(self.clock()))


def _action(arrival: Arrival) -> Action:
    return Action(arrival.reason) if arrival.reason in set(Action) else Action.ASK
