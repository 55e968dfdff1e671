"""An office whose schema may not be touched: a slapd with the standard schema alone, and the profile ``plain``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.membership.offices import BASE, GROUPS, PEOPLE, Office
from tests.support.slapd import Slapd
from tests.support.slapd_configuration import Settings

from groupmilter import bootstrap
from groupmilter.config.reload import load
from groupmilter.directory.side_store import SideValues

STANDARD = Settings(schema=False, standard_schema=("core", "cosine", "inetorgperson"))
ADMIN = (STANDARD.root_dn, STANDARD.password)
TREE = f"""dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: masociete
o: masociete

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

"""
PERSONS = "".join(
    f"dn: uid={login},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {login}\ncn: {name}\nsn: {name.split()[-1]}\n"
    f"mail: {login}@masociete.example\n\n"
    for login, name in (("jean", "Jean Dupont"), ("pierre", "Pierre Martin"), ("zoe", "Zoé Leroy"))
)


@dataclass(frozen=True, slots=True)
class PlainOffice(Office):
    """The same office in such a directory."""

    def configure(self, account: tuple[str, str] = ADMIN, url: str = "", more: str = "") -> None:
        """Write the configuration, and make the ledger; ``more``: further options of ``directory``, with a comma."""
        (self.folder / "secret").write_text(account[1])
        (self.folder / "secret").chmod(0o600)
        bind = f"bind_dn: '{account[0]}', password_file: secret, " if not url.startswith("ldif:") else ""
        profile = "" if "profile" in more else "profile: plain, "
        self.config.write_text(
            f"directory: {{url: '{url or self.slapd.uri}', base: '{BASE}', {bind}{profile}{more}\n"
            f"  timeout: 120s, write: {{groups: '{GROUPS}'}}}}\n"
            f"service: {{domain: groups.masociete.example, key_file: {self.folder}/ticket.key}}\n"
            f"mirror: {self.folder}/mirror.db\nstate: sqlite:///{self.folder}/state.db\n"
            f"hold_mailbox: maildir:{self.folder}/hold\nmap: {{path: {self.folder}/groups, type: texthash}}\n"
            f"control: {self.folder}/control.sock\n"
        )
        bootstrap.ledger(load(self.config)).close()

    def kept(self, name: str = "") -> SideValues:
        """What the side store holds of a group, by its common name; of the only one without."""
        ledger = bootstrap.ledger(load(self.config))
        try:
            entries = {dn.partition(",")[0]: uuid for uuid, dn in ledger.side.entries().items()}
            wanted = [uuid for rdn, uuid in entries.items() if name in ("", rdn.partition("=")[2])]
            return ledger.side.of(wanted).get(wanted[0], {}) if wanted else {}
        finally:
            ledger.close()

    def after(self, *arguments: str) -> dict[str, object]:
        """What a change says has changed, by field: what is there after it."""
        found = self.asked(*arguments)
        return {each["field"]: json.loads(json.dumps(each["after"])) for each in found["differences"]}


@contextmanager
def standing() -> Iterator[Slapd]:
    """The directory."""
    with Slapd(STANDARD, content=[TREE, PERSONS]) as slapd:
        yield slapd


def office(slapd: Slapd, folder: Path) -> PlainOffice:
    """A configured host with a ledger."""
    made = PlainOffice(slapd, folder)
    made.configure()
    return made
