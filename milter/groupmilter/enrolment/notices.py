"""Who is told of a request, by which letter: planned here, written by `correspondence`, sent by the desk.

Nobody is written to whose address hasn't proven that it asked, but for the one letter that asks it to confirm, and of
those only so many an hour. Raises `LedgerUnavailable` and `DirectoryUnknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace

from groupmilter.enrolment.place import Around, Registers, asked, group_of
from groupmilter.enrolment.shares import IN_ALL, Asking, withheld
from groupmilter.groups.person import Person
from groupmilter.moderation.item import DESK, Way
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.request import Request, Stage
from groupmilter.moderation.rows import Letter

CONFIRM = "membership-confirm"
REQUEST = "membership-request"
REMINDER = "membership-reminder"
OUTCOME = "membership-outcome"
LATE = "membership-late"
ASKING = frozenset({REQUEST, REMINDER})
KINDS = ASKING | {CONFIRM, OUTCOME, LATE}

_HOUR = 3600
_SENT = "confirmation-sent"
_TOLD = frozenset({Stage.DONE, Stage.REJECTED, Stage.EXPIRED, Stage.FAILED})


@dataclass(frozen=True, slots=True)
class Notices:
    """What plans letters about requests.

    :param contact: the address that is written to when nobody else can be reached, by the group's.
    :param per_hour: letters to one address, at most, that ask it to confirm.
    """

    ledger: Ledger
    registers: Registers
    contact: Callable[[str], str]
    per_hour: int
    clock: Callable[[], float]
    around: Around

    def asked(self, request: Request, *, told: bool, client: str = "") -> None:
        """Tell of a request that is new, or newly confirmed.

        :param told: whether who asks learns by letter how it stands; in the panel he sees it.
        :param client: who has brought the mail that asks (`shares.source`).
        """
        if request.stage is Stage.UNCONFIRMED:
            self._ask_to_confirm(request, client)
        elif request.stage is Stage.WAITING:
            self.ask(request)
        if told and request.stage in {Stage.WAITING, Stage.REFUSED}:
            self._plan(OUTCOME, request)

    def ask(self, request: Request, kind: str = REQUEST) -> None:
        """Plan the letters to whoever can decide: owners, else administrators, else the site's contact.

        Whom no letter has reached is written to once more, and counts for nobody: others were asked in his place.
        """
        self._ask(
            request, kind, {uuid for uuid, reached in self._reached(request).items() if not reached}, set()
        )

    def lost(self, letter: Letter) -> None:
        """Go on to the next who may decide where a letter that asks has not reached somebody, and nobody is left."""
        request = self.ledger.requests.get(int(letter.detail or 0))
        if request is None or request.stage is not Stage.WAITING or not letter.uuid:
            return
        known = {**self._reached(request), letter.uuid: False}
        if not any(reached for uuid, reached in known.items() if uuid):
            self._ask(request, REQUEST, known.keys(), known.keys())

    def _reached(self, request: Request) -> Mapping[str, bool]:
        """Return whom letters ask about a request, by UUID (empty: the contact), and whether they may reach him."""
        return self.ledger.letters.asked_apart(ASKING, str(request.id))

    def _ask(self, request: Request, kind: str, lost: Set[str], passed: Set[str]) -> None:
        """Plan letters to the nearest who can be reached.

        :param lost: UUIDs of persons who can't be. ``passed``: those who aren't written to again, empty: the contact.
        """
        with self.registers.snapshot() as directory:
            group = group_of(request, directory)
            people = asked(group, self.around, directory, lost) if group is not None else ()
        self.ledger.letters.plan(self._to(kind, request, one) for one in people if one.uuid not in passed)
        if all(person.uuid in lost for person in people) and "" not in passed:
            contact = self.contact(request.group_address)
            self.ledger.letters.plan(
                (Letter(0, 0, kind, contact, "", "", "", 0, self._now(), str(request.id)),)
            )

    def turned(self, request: Request) -> None:
        """Tell who asked what has become of it, unless he did it himself and has seen it."""
        # What nobody had to wait for never expires.
        own = not request.expires and request.way != Way.MAIL and not request.note
        if request.stage in _TOLD and not (request.stage is Stage.DONE and own):
            self._plan(OUTCOME, request)

    def late(self, request: Request, person: Person) -> None:
        """Tell somebody that a request was decided before."""
        self.ledger.letters.plan((self._to(LATE, request, person),))

    def _ask_to_confirm(self, request: Request, client: str) -> None:
        rows = self.ledger.audit(since=self._now() - _HOUR, action=_SENT, limit=IN_ALL)
        sent = [Asking(row.detail.partition(" ")[2], row.group, row.origin) for row in rows]
        over = withheld(sent, Asking(request.address, request.group_address, client), self.per_hour)
        action, detail = _SENT, f"{request.kind.value} {request.address}"
        if over:
            action, detail = "confirmation-withheld", f"{detail}: too many letters in an hour ({over})"
        else:
            self._plan(CONFIRM, request)
        who = replace(DESK, origin=client)
        group, uuid = request.group_address, request.group_uuid
        self.ledger.note(action, who, self._now(), group=group, group_uuid=uuid, detail=detail)

    def _plan(self, kind: str, request: Request) -> None:
        """Plan a letter to who asks."""
        about = (request.address, request.person_name, request.language, request.person_uuid)
        self.ledger.letters.plan((Letter(0, 0, kind, *about, 0, self._now(), str(request.id)),))

    def _to(self, kind: str, request: Request, person: Person) -> Letter:
        about = (person.address, person.name, person.language, person.uuid)
        return Letter(0, 0, kind, *about, 0, self._now(), str(request.id))

    def _now(self) -> int:
        return int(self.clock())
