"""The demonstration's servers: slapd with the sample directory, groupmilter, and a Postfix set up with its own words.

Everything lives below one temporary directory and listens on 127.0.0.1; leaving the context ends all of it.
What `groupmilter postfix` prints is applied as it stands: that it works is part of what is shown.

It fails with what its parts fail with: SlapdFailed, ServingFailed, PostfixError, OSError.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.demo.nameserver import NameServer
from deploy.demo.people import PASSWORD, Mailbox, account, give_passwords, mailboxes, recipients
from deploy.demo.post import files, is_letter
from deploy.demo.story import DOMAIN, Words
from tests.support.ports import free_port
from tests.support.postfix import Postfix
from tests.support.postfix_lines import apply
from tests.support.serving import Serving, give, unprivileged_user
from tests.support.sink import Sink
from tests.support.slapd import Slapd

SERVICE_DOMAIN = f"groups.{DOMAIN}"
_SCHEMA = Path(__file__).resolve().parents[2] / "ldap_schema" / "openldap"
_CONFIGURATION = """\
listen: unix:{state}/milter.sock
workers: 2
directory:
  url: {uri}
  base: {base}
  bind_dn: {reader}
  password_file: {state}/ldap.secret
  write: {{bind_dn: "{writer}", password_file: {state}/write.secret, groups: "{groups}"}}
service:
  domain: {service}
  key_file: {state}/ticket.key
  release: {{host: 127.0.0.1, port: {release}, secret_file: {state}/release.secret}}
panel:
  listen: 127.0.0.1:{panel}
  url: http://127.0.0.1:{panel}
  administrators: {administrators}
hold_mailbox: maildir:{hold}
state: sqlite:///{state}/state.db
mirror: {state}/mirror.db
map: {{path: {state}/map/groups}}
control: {control}
authentication: {{servers: "{dns.host}:{dns.port}"}}
"""


@dataclass
class Site:
    """Everything that runs, as a context manager; `tell` hears of each step."""

    tell: Callable[[Words], None]
    folder: Path = field(init=False)
    people: tuple[Mailbox, ...] = field(init=False, default=())
    sink: Sink = field(init=False)
    slapd: Slapd = field(init=False)
    postfix: Postfix = field(init=False)
    serving: Serving = field(init=False)
    panel_port: int = field(default_factory=free_port)
    _open: ExitStack = field(init=False, default_factory=ExitStack)

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def panel(self) -> str:
        """Where browsers find the panel."""
        return f"http://127.0.0.1:{self.panel_port}"

    @property
    def hold(self) -> Path:
        """The hold mailbox, a Maildir."""
        return self.folder / "hold" / "held"

    @property
    def mail(self) -> Path:
        """The people's Maildirs, one by log-in."""
        return self.folder / "mail"

    def arrived(self, login: str) -> frozenset[Path]:
        """The files in somebody's Maildir."""
        return frozenset((self.mail / login / "new").glob("*"))

    def copies(self, login: str) -> frozenset[Path]:
        """What people wrote to somebody, the letters of groupmilter left out."""
        return frozenset(path for path in self.arrived(login) if not is_letter(path))

    def letters(self, login: str) -> frozenset[Path]:
        """What groupmilter wrote to somebody."""
        return self.arrived(login) - self.copies(login)

    def held(self) -> dict[str, Path]:
        """The files in the hold mailbox and its folders, by name."""
        return files(self.hold)

    def read(self, name: str) -> bytes:
        """A held message, though the desk moves it just now; KeyError where it is gone."""
        while True:
            with suppress(FileNotFoundError):
                return self.held()[name].read_bytes()

    def _set_up(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="groupmilter-demo-"))
        self.folder.chmod(0o755)
        self._open.callback(shutil.rmtree, self.folder)
        self.tell(Words("slapd with the sample directory", "slapd avec l'annuaire d'exemple"))
        self.slapd = self._open.enter_context(
            Slapd(content=[_SCHEMA / "sample.ldif", _SCHEMA / "accounts.ldif"])
        )
        self.slapd.configure_live((_SCHEMA / "access.ldif").read_text("utf-8"))
        self.people = mailboxes(self.slapd)
        give_passwords(self.slapd, self.people)
        self.tell(Words("groupmilter: first load of the directory", "groupmilter : premier chargement"))
        self.serving = self._open.enter_context(self._serving())
        self.tell(Words("Postfix, set up by `groupmilter postfix`", "Postfix, ainsi réglé"))
        self.sink = self._open.enter_context(Sink())
        self.postfix = self._open.enter_context(self._postfix())
        apply(self.postfix, self.serving)

    def _serving(self) -> Serving:
        user = unprivileged_user()
        state = give(self.folder / "state", user)
        give(state / "map", user)
        give(self.folder / "hold", "nobody")
        accounts = {}
        for name, file in (("groupmilter", "ldap.secret"), ("groupmilter-writer", "write.secret")):
            accounts[name], password = account(self.slapd, name)
            _keep_secret(state / file, password, user)
        text = _CONFIGURATION.format(
            state=state,
            uri=self.slapd.uri,
            base=self.slapd.suffix,
            reader=accounts["groupmilter"],
            writer=accounts["groupmilter-writer"],
            groups=f"ou=groups,{self.slapd.suffix}",
            administrators=f"cn=mail-admins,ou=groups,{self.slapd.suffix}",
            service=SERVICE_DOMAIN,
            release=free_port(),
            panel=self.panel_port,
            hold=self.hold,
            control=state / "control.sock",
            dns=self._open.enter_context(NameServer()),
        )
        return Serving(self.folder, text, state / "control.sock", user)

    def _postfix(self) -> Postfix:
        """A Postfix that knows the people's mailboxes and, so far, nothing of groups."""
        give(self.mail, "nobody")
        table = self.folder / "people"
        table.write_text(recipients(self.people), "utf-8")
        unset = ("virtual_mailbox_domains", "virtual_mailbox_maps", "virtual_uid_maps", "virtual_gid_maps")
        options = (
            f"virtual_mailbox_base={self.mail}",
            f"virtual_mailbox_maps=texthash:{table}",
            "virtual_uid_maps=static:65534",
            "virtual_gid_maps=static:65534",
        )
        return Postfix(
            sink_port=self.sink.port,
            local_domains=(DOMAIN,),
            service_domain=SERVICE_DOMAIN,
            logins={person.login: PASSWORD for person in self.people},
            recipient_map=f"texthash:{table}",
            main={**dict.fromkeys(unset, ""), "relay_transport": "people:"},
            master=("people unix - n n - - virtual", *(f"  -o {option}" for option in options)),
        )


def _keep_secret(path: Path, password: str, user: str | None) -> None:
    path.write_text(f"{password}\n", "utf-8")
    path.chmod(0o600)
    if user is not None:
        shutil.chown(path, user)
