"""Moderators in the tests: they find their letters at the sink, and decide by mail, by link and by command.

    jean = Moderators(site)
    letter = jean.letter(shot.mark)                  None as long as there is none
    jean.by_mail(letter, "approve")

Fails with AssertionError for a letter that lacks the way which is wanted, and with one of `BROKEN` where a server
can't be reached, or is killed before it has answered: nobody knows then whether it has decided.
"""

from __future__ import annotations

import email
import email.policy
import http.client
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage

from tests.support.installation import Installation
from tests.support.office import JEAN
from tests.support.smtp_client import Transaction

from groupmilter.moderation.item import Event, Way, Who
from groupmilter.moderation.ledger import Changed, LedgerUnavailable

_EVENTS = {"approve": Event.APPROVE, "reject": Event.REJECT}
_SECONDS = 150.0

BROKEN = (OSError, http.client.HTTPException, LedgerUnavailable)
"""URLError and TimeoutError are OSErrors; an answer that breaks off in its middle is `IncompleteRead`."""


@dataclass
class Moderators:
    """One moderator of the installation: an address with the login that proves it."""

    site: Installation
    address: str = JEAN
    login: str = "jean"

    def letter(self, mark: str) -> EmailMessage | None:
        """The newest letter that asks about the message with this mark."""
        found = None
        for sunk in self.site.sink.messages:
            if sunk.told and self.address in sunk.addresses and mark.encode() + b"@" in sunk.content:
                letter = email.message_from_bytes(sunk.content, policy=email.policy.default)
                assert isinstance(letter, EmailMessage)
                found = letter if "approve+" in text(letter) else found
        return found

    def by_mail(self, letter: EmailMessage, word: str, body: str = "") -> Transaction:
        """Send the answer that the letter asks for, from the moderator's own account."""
        return self.answer(way(letter, word), body)

    def answer(self, to: str, body: str = "", sender: str = "", **fields: str) -> Transaction:
        """Send an answer to an address."""
        sender = sender or self.address
        header = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        octets = f"From: {sender}\r\nTo: {to}\r\nSubject: Re\r\n{header}\r\n{body}\r\n".encode()
        return self.site.send(sender, [to], octets, login=self.login)

    def by_link(self, letter: EmailMessage, decision: str) -> int:
        """Open the link, type the word, decide; return the status of the page that says what happened."""
        url = link(letter)
        status, page = fetched(url)
        word = re.search(r'class="show-word">([a-z]{4})<', page)
        return fetched(url, {"decision": decision, "word": word[1]})[0] if word else status

    def by_command(self, item_id: int, word: str) -> Changed:
        """Decide as a command does, in a process that is none of the service's."""
        with self.site.service.ledger() as ledger:
            return ledger.change(item_id, _EVENTS[word], Who("root", Way.COMMAND), int(time.time()))


def text(letter: EmailMessage) -> str:
    """The plain text of a letter."""
    part = letter.get_body(("plain",))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


def way(letter: EmailMessage, word: str) -> str:
    """The address of a letter that approves or rejects."""
    found = re.search(rf"\b{word}\+[a-z2-7]+@\S+", text(letter))
    assert found, text(letter)
    return found[0]


def link(letter: EmailMessage) -> str:
    """The link of a letter."""
    found = re.search(r"http://\S+/decide/\S+", text(letter))
    assert found, text(letter)
    return found[0]


def fetched(url: str, form: dict[str, str] | None = None) -> tuple[int, str]:
    """Status and text of a page; with a form it is posted."""
    given = urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.urlopen(url, given, timeout=_SECONDS) as page:
            return page.status, str(page.read().decode("utf-8"))
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, str(refused.read().decode("utf-8"))
