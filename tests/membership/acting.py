"""Groups changed on behalf of persons of the sample directory, each with his own rights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.membership.offices import BASE, DEADLINE, GROUPS, PEOPLE, Office

from groupmilter import bootstrap
from groupmilter.bootstrap.membership import groups, journal
from groupmilter.bootstrap.visiting import rights
from groupmilter.config.reload import load
from groupmilter.groups.person import Node, Person
from groupmilter.membership.service import Groups
from groupmilter.membership.vocabulary import Wish
from groupmilter.moderation.item import Way, Who

ADMINISTRATORS = f"cn=mail-admins,{GROUPS}"
PANEL = f"panel: {{administrators: '{ADMINISTRATORS}'}}\n"


def panel(office: Office, text: str = PANEL) -> None:
    """Give the office's configuration a section for the panel."""
    office.config.write_text(office.config.read_text(encoding="utf-8") + text, encoding="utf-8")


def dn_of(uid: str) -> str:
    """The DN of a person."""
    return f"uid={uid},{PEOPLE}"


def person(office: Office, uid: str) -> Person:
    """A person as a visitor's session knows him."""
    shown = office.slapd.search(BASE, f"(uid={uid})", "entryUUID", "mail")
    lines = dict(line.split(": ", 1) for line in shown.splitlines() if ": " in line)
    mail = lines["mail"]
    return Person(Node(1), lines["entryUUID"], lines["dn"], uid, mail, (mail,), (uid,))


@contextmanager
def acting(office: Office, uid: str, who: Person | None = None) -> Iterator[Groups]:
    """The service on behalf of a person."""
    configuration = load(office.config)
    somebody = who or person(office, uid)
    ledger = bootstrap.ledger(configuration, timeout=DEADLINE)
    note = journal(ledger, Who(somebody.address, Way.PANEL, somebody.uuid, "192.0.2.7"))
    with groups(configuration, note, rights(configuration, somebody)) as service:
        yield service
    ledger.close()


def changed(office: Office, uid: str, group: str, *wishes: Wish) -> None:
    """Have a person change a group; what he may not raises `Forbidden`."""
    with acting(office, uid) as service:
        prepared, problems = service.prepare(service.stored(group), wishes)
        assert problems == ()
        service.apply(prepared)


def made(office: Office, uid: str, address: str, wishes: Sequence[Wish] = ()) -> tuple[str, ...]:
    """Have a person make a group; return the fields with problems, and make it where there are none."""
    with acting(office, uid) as service:
        prepared, problems = service.prepare_new(address, wishes)
        if not problems:
            service.apply(prepared)
        return tuple(each.field for each in problems)


def add_group(office: Office, cn: str, *lines: str) -> str:
    """Add a group beside the sample's; return its address."""
    address = f"{cn}@masociete.example"
    more = "".join(f"{line}\n" for line in lines)
    office.slapd.add(
        f"dn: cn={cn},{GROUPS}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\ncn: {cn}\n"
        f"mail: {address}\n" + (more if "member:" in more else f"{more}member: cn=placeholder\n")
    )
    return address
