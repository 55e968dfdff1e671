"""Joining and leaving: what panel, mail, command line and API share.

Asking, deciding and withdrawing are compare and set in the ledger, each with its audit row; the first decision stands.
What is accepted is written to the directory at once where somebody waits for it, else by the desk, which also tries
again while the directory can't be written. Raises `LedgerUnavailable` where nothing can be recorded, and
`DirectoryUnknown` where mirror or directory can't tell: nothing has happened then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from groupmilter.directory.change import WriteRefused
from groupmilter.enrolment.notices import Notices
from groupmilter.enrolment.place import (
    Around,
    Place,
    Registers,
    applicant_of,
    deciders,
    group_of,
    person_of,
    place,
)
from groupmilter.enrolment.verdict import Answer, Applicant, Verdict, Why
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.mail.address import canonical
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.item import DESK, Way, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.request import OPEN, Change, Draft, Request, Stage, Turn, Turned, Wanted
from groupmilter.policy.settings import Settings

Write = Callable[[Request, Who], None]
"""Writes an accepted request to the directory. Raises `WriteRefused` for good, `DirectoryUnknown` for now."""

Require = Callable[[Request, Who], None]
"""Asks the directory itself whether somebody decides about a request. Raises `Forbidden` of the membership's rights."""

_HOUR = 3600
_LONGEST_REASON = 1_000
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a wish.

    :param request: None where nothing had to be recorded. ``new``: it wasn't under way already.
    """

    answer: Answer
    request: Request | None = None
    new: bool = False

    @property
    def done(self) -> bool:
        """Whether the directory has it."""
        return self.request is not None and self.request.stage is Stage.DONE


@dataclass(frozen=True, slots=True)
class Requests:
    """The service.

    :param write: how the outcome comes into the directory. ``notices``: who is told of what, by letter.
    :param clock: seconds since 1970, UTC. ``dice``: 56 random bits.
    :param around: who has to do with a group. ``require``: who decides, as the directory has it at that moment.
    """

    ledger: Ledger
    registers: Registers
    notices: Notices
    write: Write
    settings: Settings
    clock: Callable[[], float]
    dice: Callable[[], int]
    around: Around
    require: Require

    # asking

    def look(self, group: str, applicant: Applicant, wanted: Wanted) -> Place:
        """Return what would become of a wish; changes nothing.

        :param group: an address of the group, as written.
        """
        address = canonical(group, self.settings.own_domains) or ""
        return place(self.registers, address, applicant, wanted, self.around)

    def applicant(self, address: str, *, proven: bool = True) -> Applicant:
        """Return who has an address."""
        known = canonical(address, self.settings.own_domains) or address
        with self.registers.snapshot() as directory:
            return applicant_of(known, directory, proven=proven)

    def ask(
        self, group: str, applicant: Applicant, wanted: Wanted, reason: str, who: Who, client: str = ""
    ) -> Asked:
        """Let somebody join or leave a group, as far as its rules allow it.

        :param reason: in the applicant's own words, for the owners. ``who``: who asks, and how.
        :param client: who has brought the mail that asks (`shares.source`).
        """
        found = self.look(group, applicant, wanted)
        if found.group is None or found.answer.verdict is Verdict.UNKNOWN:
            return Asked(Answer(Verdict.UNKNOWN))
        by_mail = who.way is Way.MAIL
        if found.answer.verdict is Verdict.REFUSED and not (by_mail and applicant.proven):
            return Asked(found.answer)
        draft = self._draft(found.group, applicant, wanted, reason, who)
        with self.ledger.together():
            turned = self._recorded(draft, found.answer, who)
            if applicant.proven and turned.request.stage is Stage.UNCONFIRMED:
                # Anybody may have written that one; it stands in nobody's way, and nor do its words.
                self.ledger.requests.forget(turned.request, who, int(self.clock()))
                turned = self._recorded(draft, found.answer, who)
            if turned.happened or found.answer.verdict is Verdict.CONFIRM:
                self.notices.asked(turned.request, told=by_mail, client=client)
        request = turned.request if by_mail else self.carry_out(turned.request, who)
        return Asked(found.answer, request, turned.happened)

    def _draft(self, group: Group, applicant: Applicant, wanted: Wanted, reason: str, who: Who) -> Draft:
        person = applicant.person
        return Draft(
            digest=self.dice(),
            kind=wanted,
            group_uuid=group.uuid,
            group_address=group.address,
            address=applicant.address,
            person_uuid=person.uuid if person else "",
            person_name=person.name if person else "",
            language=person.language if person else "",
            reason=reason[:_LONGEST_REASON],
            way=who.way.value,
            origin=who.origin,
        )

    def _recorded(self, draft: Draft, answer: Answer, who: Who) -> Turned:
        now, rules = int(self.clock()), self.settings.requests
        stages = {
            Verdict.CONFIRM: Stage.UNCONFIRMED,
            Verdict.ASK: Stage.WAITING,
            Verdict.AT_ONCE: Stage.ACCEPTED,
        }
        stage = stages.get(answer.verdict, Stage.REFUSED)
        if stage is Stage.UNCONFIRMED:
            draft = replace(draft, expires=now + rules.confirm_hours * _HOUR)
        elif stage is Stage.WAITING:
            draft = replace(draft, expires=self._expires(now), remind=self._remind(now))
        elif stage is Stage.REFUSED:
            draft = replace(draft, note=noted(answer))
        return self.ledger.requests.record(draft, stage, who, now)

    def _expires(self, now: int) -> int:
        return now + self.settings.requests.hours * _HOUR

    def _remind(self, now: int) -> int:
        rules = self.settings.requests
        early = 0 < rules.reminder_hours < rules.hours
        return self._expires(now) - rules.reminder_hours * _HOUR if early else 0

    def confirm(self, request: Request, who: Who) -> Asked:
        """Go on with a request whose address has confirmed; one that was confirmed before stays as it is."""
        applicant = self._confirmed(request)
        found = self.look(request.group_address, applicant, request.kind)
        answer, now = found.answer, int(self.clock())
        same = found.group is not None and found.group.uuid == request.group_uuid
        if not same or answer.verdict is Verdict.UNKNOWN:
            answer = Answer(Verdict.REFUSED, Why.CLOSED)
        turns = {Verdict.AT_ONCE: Turn.ACCEPT, Verdict.ASK: Turn.ASK}
        turn = turns.get(answer.verdict, Turn.REFUSE)
        change = Change(note=noted(answer)) if turn is Turn.REFUSE else Change()
        if turn is Turn.ASK:
            change = Change(expires=self._expires(now), remind=self._remind(now))
        with self.ledger.together():
            turned = self.ledger.requests.turn(request.id, turn, who, now, change)
            if turned.happened:
                self.notices.asked(turned.request, told=True)
        return Asked(answer, turned.request, turned.happened)

    def _confirmed(self, request: Request) -> Applicant:
        with self.registers.snapshot() as directory:
            person = person_of(request, directory)
            if person is not None:
                return Applicant(request.address, person)
            return applicant_of(request.address, directory, proven=True)

    # deciding

    def may(self, person: Person, request: Request) -> bool:
        """Tell whether a person may decide about a request now: an owner of its group, or an administrator."""
        with self.registers.snapshot() as directory:
            return self._decides(person, request, directory)

    def _decides(self, person: Person, request: Request, directory: Lookup) -> bool:
        group = group_of(request, directory)
        return group is not None and deciders(group, self.around, directory).holds(person, directory)

    def decide(self, request: Request, accept: bool, who: Who, comment: str = "") -> Turned:
        """Accept or reject; the directory is asked first whether somebody may, for the mirror (`may`) may be late.

        :param comment: for who asked.
        :raises Forbidden: where he no longer owns or administers the group. Nothing has happened then.
        """
        self.require(request, who)
        return self.settle(request, accept, who, comment)

    def settle(self, request: Request, accept: bool, who: Who, comment: str = "") -> Turned:
        """Decide for somebody of whom `require` was asked before.

        What is accepted by mail is written to the directory by the desk.
        """
        turn = Turn.ACCEPT if accept else Turn.REJECT
        turned = self._turn(request, turn, who, comment[:_LONGEST_REASON])
        if turned.happened and accept and who.way is not Way.MAIL:
            return Turned(self.carry_out(turned.request, who), happened=True)
        return turned

    def withdraw(self, request: Request, who: Who) -> Turned:
        """Let who asked think better of it, as long as nobody has decided."""
        return self._turn(request, Turn.WITHDRAW, who)

    def expire(self, request: Request) -> Turned:
        """Close a request that nobody has decided about in time; what nobody has confirmed is forgotten."""
        if request.stage is Stage.UNCONFIRMED:
            now = int(self.clock())
            return Turned(request, self.ledger.requests.forget(request, DESK, now))
        return self._turn(request, Turn.EXPIRE, DESK)

    def _turn(self, request: Request, turn: Turn, who: Who, comment: str = "", note: str = "") -> Turned:
        with self.ledger.together():
            change = Change(comment=comment, note=note)
            turned = self.ledger.requests.turn(request.id, turn, who, int(self.clock()), change)
            if turned.happened:
                self.notices.turned(turned.request)
        return turned

    def carry_out(self, request: Request, who: Who) -> Request:
        """Write an accepted request to the directory; where that can't be now, the desk tries again."""
        if request.stage is not Stage.ACCEPTED:
            return request
        try:
            self.write(request, who)
        except DirectoryUnknown as error:
            self.ledger.requests.attempted(request, int(self.clock()), str(error))
            return self.ledger.requests.get(request.id) or request
        except WriteRefused as error:
            return self._turn(request, Turn.FAIL, who, note=str(error)).request
        return self._turn(request, Turn.FINISH, who).request

    # looking

    def pending(self, person: Person | None = None, group: str = "") -> tuple[Request, ...]:
        """Return the requests that wait for owners, the oldest first.

        :param person: those about which he may decide; None: all. ``group``: its UUID, or all.
        """
        waiting = tuple(self._each(frozenset({Stage.WAITING}), group))
        if person is None:
            return waiting
        groups = {one.group_uuid: one for one in waiting}
        with self.registers.snapshot() as directory:
            mine = {uuid for uuid, one in groups.items() if self._decides(person, one, directory)}
        return tuple(one for one in waiting if one.group_uuid in mine)

    def waiting(self, person: Person) -> int:
        """Return about how many requests a person may decide now."""
        waits = self.ledger.requests.waits()
        if not waits:
            return 0
        with self.registers.snapshot() as directory:
            return sum(many for one, many in waits if self._decides(person, one, directory))

    def _each(self, stages: frozenset[Stage], group: str) -> Iterator[Request]:
        last = 0
        while page := self.ledger.requests.find(stages, group=group, after=last, limit=_PAGE):
            yield from page
            last = page[-1].id

    def of(self, person: Person, stages: frozenset[Stage] = OPEN) -> tuple[Request, ...]:
        """Return the requests of a person."""
        return self.ledger.requests.find(stages, person=person.uuid)

    def about(self, person: Person, group: str, wanted: Wanted) -> Request | None:
        """Return a person's open request about a group, by its UUID; None where there is none."""
        found = self.ledger.requests.find(OPEN, group=group, person=person.uuid)
        return next((one for one in found if one.kind is wanted), None)


def noted(answer: Answer) -> str:
    """Return a refusal as it is kept with a request; `answer_of` reads it."""
    return "\t".join((answer.why or Why.CLOSED, *answer.through))


def answer_of(note: str) -> Answer:
    """Return the refusal that was kept with a request."""
    word, *through = note.split("\t") if note else [""]
    known = Why(word) if word in set(Why) else Why.CLOSED
    return Answer(Verdict.REFUSED, known, tuple(through))
