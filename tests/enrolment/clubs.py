"""The sample office with the service for joining and leaving: a real slapd, a mirror, a ledger, and a clock to move."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.membership.offices import DEADLINE, GROUPS, PEOPLE, Office

from groupmilter import bootstrap
from groupmilter.bootstrap.enrolment import requests
from groupmilter.config.reload import load
from groupmilter.enrolment.service import Asked, Requests
from groupmilter.groups.person import Person
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.request import Request, Wanted
from groupmilter.moderation.rows import Letter

DOMAIN = "masociete.example"
ARCTIC, BOARD, NEWS, CRISIS, SALES, EVERYBODY, TEAM, SUPPORT = (
    f"{name}@{DOMAIN}"
    for name in ("projet-arctique", "direction", "newsletter", "crise", "ventes", "tous", "equipe", "support")
)
JEAN, ZOE, BOB, ANAIS, HELENE, JOSE = (
    f"{name}@{DOMAIN}"
    for name in (
        "jean.dupont", "zoe.coeurdacier", "bob.petit", "anais.lhopital", "helene.lefevre", "jose.munoz"
    )
)  # fmt: skip
STRANGER = "reader@elsewhere.example"


_ONLY_ITS_OWN = f"""dn: cn=projet-arctique,{GROUPS}
changetype: modify
replace: member
member: uid=zoe,{PEOPLE}
member: uid=jose,{PEOPLE}
member: cn=Paul Partner,ou=contacts,dc=masociete,dc=example
"""


@dataclass
class Club:
    """The service and what it stands on; ``now`` is the time by its clock."""

    office: Office
    ledger: Ledger
    service: Requests
    now: float = field(default_factory=time.time)

    def ask(
        self, address: str, group: str, wanted: Wanted = Wanted.JOIN, way: Way = Way.PANEL, reason: str = "",
        *, proven: bool = True,
    ) -> Asked:  # fmt: skip
        applicant = self.service.applicant(address, proven=proven)
        return self.service.ask(group, applicant, wanted, reason, Who(address, way))

    def person(self, address: str) -> Person:
        found = self.service.applicant(address).person
        assert found is not None
        return found

    def letters(self) -> list[Letter]:
        return list(self.ledger.letters.due(int(self.now) + 1))

    def told(self) -> list[tuple[str, str]]:
        """Kinds and addresses of the letters that wait to be sent."""
        return [(one.kind.removeprefix("membership-"), one.address) for one in self.letters()]

    def again(self, request: Request) -> Request:
        found = self.ledger.requests.get(request.id)
        assert found is not None
        return found

    def look_again(self) -> None:
        """Bring the mirror up to what the directory has."""
        self.office.asked("directory", "sync")

    def rule(self, group: str, **attributes: str) -> None:
        """Set attributes of a group, as its administrator would."""
        lines = [f"dn: cn={group},{GROUPS}", "changetype: modify"]
        for name, value in attributes.items():
            lines += [f"replace: {name}", f"{name}: {value}", "-"]
        self.office.slapd.modify("\n".join(lines) + "\n")
        self.look_again()


@contextmanager
def opened(office: Office) -> Iterator[Club]:
    """The service of an office whose mirror is up to date; groups are as they are in the sample."""
    office.slapd.modify(_ONLY_ITS_OWN)
    office.asked("directory", "sync")
    configuration = load(office.config)
    ledger = bootstrap.ledger(configuration, timeout=DEADLINE)
    club = Club(office, ledger, requests(configuration, ledger))
    notices = replace(club.service.notices, clock=lambda: club.now)
    club.service = replace(club.service, clock=lambda: club.now, notices=notices)
    yield club
    ledger.close()
