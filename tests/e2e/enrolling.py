"""An installation with clubs to join and leave: slapd, groupmilter, Postfix, a DNS server, and the sink for letters."""

from __future__ import annotations

import email
import email.policy
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage

from tests.support.installation import Installation, installation
from tests.support.moderated import CALM
from tests.support.office import GROUPS, OFFICE, PLACEHOLDER, group, identity, member, message
from tests.support.service import Service
from tests.support.signing import Signer
from tests.support.sink import SunkMessage
from tests.support.slapd import Slapd
from tests.support.smtp_client import Transaction

from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Folder, Maildir
from groupmilter.moderation.request import Request, Stage

DEADLINE = 150.0
DOMAIN = "masociete.example"
CLUB, CHOIR, NEWS, CAVE = (f"{name}@{DOMAIN}" for name in ("club", "chorale", "lettre", "cave"))
READER = "lecteur@dehors.example"
CLUBS = "".join(
    (
        group("club", "dgJoinPolicy: open", *member("alice")),
        group("chorale", "dgJoinPolicy: approval", "dgLeavePolicy: closed", *member("alice")).replace(
            "uid=administrator", "uid=jean"
        ),
        group("lettre", "dgJoinPolicy: open", "dgJoinOutsiders: TRUE", PLACEHOLDER),
        group("cave", "dgJoinPolicy: open", "dgHidden: TRUE", *member("bob")),
    )
)


@dataclass
class Clubs:
    """What runs together."""

    installation: Installation
    slapd: Slapd
    ledger: Ledger

    def write(
        self, to: str, sender: str, login: str = "", body: str = "", signer: Signer | None = None, **fields: str
    ) -> Transaction:  # fmt: skip
        """Send mail to one address; ``signer`` signs it."""
        more = [f"{name.replace('_', '-')}: {value}".encode() for name, value in fields.items()]
        head = (f"To: {to}".encode(), b"Subject: x", b"Date: Thu, 26 Nov 2026 10:00:00 +0000", *more)
        whole = message(identity(), sender, *head, body=f"{body}\r\n".encode())
        return self.installation.send(sender, [to], signer.craft(whole) if signer else whole, login=login)

    def answered(self, to: str, sender: str, login: str = "", **fields: str) -> str:
        """What the mail server says to a mail; see `write`."""
        replies = self.write(to, sender, login, "", None, **fields)
        return " ".join(map(str, (*replies.recipients, replies.end or "")))

    def requests(self, address: str, group: str) -> list[Request]:
        found = self.ledger.requests.find(frozenset(Stage), address=address)
        return [one for one in found if one.group_address == group]

    def stands(self, address: str, group: str, stage: Stage) -> Request:
        """The newest request of somebody, as soon as it stands so."""

        def now() -> list[Request]:
            return self.requests(address, group)[-1:]

        self.until(lambda: [one.stage for one in now()] == [stage], f"{address} {group} {stage}: {now()}")
        return now()[0]

    def members(self, name: str, attribute: str = "member") -> str:
        return self.slapd.search(GROUPS, f"(cn={name})", attribute)

    def letters(self, to: str) -> list[EmailMessage]:
        """Our letters to an address, the newest last."""
        found = [parsed(one) for one in self.installation.sink.messages if to in one.addresses]
        return [one for one in found if one["Auto-Submitted"]]

    def letter(self, to: str, words: str) -> EmailMessage:
        """The newest letter to an address whose subject has these words, as soon as it is there."""

        def found() -> list[EmailMessage]:
            return [one for one in self.letters(to) if words in str(one["Subject"])]

        subjects = [str(one["Subject"]) for one in self.letters(to)]
        self.until(lambda: bool(found()), f"a letter to {to} with {words!r}, not {subjects}")
        return found()[-1]

    def until(self, question: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not question():
            log = self.installation.service.log()[-5000:]
            assert time.monotonic() < deadline, f"{what}\n{log}"
            time.sleep(0.05)

    def quiet(self) -> None:
        """Wait until nothing is queued, in the hold mailbox, or planned."""
        box = Maildir(self.installation.service.hold)
        self.installation.settle()
        self.until(lambda: not any(box.names(Folder.INBOX)), "an empty inbox")
        self.until(lambda: not self.ledger.letters.due(int(time.time()) + 1), "all letters sent")
        self.installation.settle()


def parsed(message: SunkMessage) -> EmailMessage:
    """A message as Python reads it."""
    made = email.message_from_bytes(message.content, policy=email.policy.default)
    assert isinstance(made, EmailMessage)
    return made


def text(letter: EmailMessage) -> str:
    """The plain text of a letter."""
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def way(letter: EmailMessage, word: str) -> str:
    """The address of a letter that does something."""
    found = re.search(rf"^\s+({word}\+\S+)$", text(letter), re.MULTILINE)
    assert found, text(letter)
    return found[1]


def link(letter: EmailMessage) -> str:
    """The page of a letter."""
    found = re.search(r"^\s+(http://\S+/decide/\S+)$", text(letter), re.MULTILINE)
    assert found, text(letter)
    return found[1]


def fetched(url: str, form: dict[str, str] | None = None) -> tuple[int, str]:
    """A page: its status and text."""
    given = urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.urlopen(url, given, timeout=DEADLINE) as page:
            return int(page.status), str(page.read().decode("utf-8"))
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode("utf-8")


@contextmanager
def clubs() -> Iterator[Clubs]:
    """Run all of it; the service writes as the directory's own account."""
    with Slapd(content=[OFFICE, CLUBS]) as slapd:
        name, password = slapd.root
        secret = slapd.directory / "secret"
        secret.write_text(password, "utf-8")
        secret.chmod(0o600)
        write = {"bind_dn": name, "password_file": str(secret), "groups": GROUPS}
        options = {"policies": [str(CALM)], "directory": {"write": write}}
        with Service(slapd.uri, options=options) as service, installation(service) as installed:
            ledger = Ledger.open(f"sqlite:///{service.folder}/state.db", timeout=30.0)
            yield Clubs(installed, slapd, ledger)
            ledger.close()
