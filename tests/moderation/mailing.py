"""Letters for the tests: a held message, who is asked about it, and what a mail program makes of the letter."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from tests.moderation.ledgers import KEYS, arrival
from tests.support.letters import untyped

from groupmilter.groups.ticket import TOKEN_LENGTH, Action, Kind, Token, digest, seal_token
from groupmilter.language.catalogue import catalogue
from groupmilter.moderation.item import Item, State, Terms
from groupmilter.moderation.letters import Addressee, Letters, Ways

NOW = 1_795_540_000
SERVICE = "groups.masociete.example"
GROUP = "commercial@masociete.example"
ADDRESS = re.compile(
    rf"^  ((?:approve|reject)\+[a-z2-7]{{{TOKEN_LENGTH}}}@{re.escape(SERVICE)})$", re.MULTILINE
)
LINK = re.compile(r"^  (https?://\S+/decide/\S+)$", re.MULTILINE)
"""Addresses and links of ours, each on a line of its own."""
PARIS = ZoneInfo("Europe/Paris")
SENDER = "marie.martin@ailleurs.example"
JEAN = Addressee("jean.dupont@masociete.example", "Jean Dupont", "fr", "uuid-jean")
ALICE = replace(JEAN, address="alice.smith@masociete.example", name="Alice Smith", language="en")
NOBODY_KNOWS = replace(JEAN, language="")
MESSAGE = (
    b"From: Marie Martin <marie.martin@ailleurs.example>\n"
    b"To: commercial@masociete.example\n"
    b"Subject: =?utf-8?q?Proposition_pour_l=27=C3=A9t=C3=A9?=\n"
    b"Message-ID: <ete@ailleurs.example>\n"
    b"MIME-Version: 1.0\n"
    b'Content-Type: multipart/mixed; boundary="b"\n\n'
    b"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    + "Bonjour,\n\nvoici notre proposition pour l'été, comme convenu au téléphone.\n"
    "Les délais : trois semaines après la commande.\n\nBien cordialement\nMarie Martin\n".encode()
    + b'--b\nContent-Type: application/pdf; name="Proposition.pdf"\n'
    b'Content-Disposition: attachment; filename="Proposition.pdf"\nContent-Transfer-Encoding: base64\n\n'
    b"JVBERi0xLjQK\n--b--\n"
)


def letters(**changes: object) -> Letters:
    """The letters of a French site in Paris."""
    made = Letters(SERVICE, 256_000, catalogue(), "fr", zone=PARIS)
    return replace(made, **untyped(changes))


def held(number: int = 1, **changes: object) -> Item:
    """An item held for moderation; ``changes`` are of the item, of its arrival or of its terms."""
    shown = {
        "author": f"Marie Martin <{SENDER}>",
        "subject": "Proposition pour l'été",
        "message_id": "<ete@ailleurs.example>",
    }
    came = arrival(number, **{"size": 48_211, "sent": NOW - 60, "return_path": SENDER, **shown})
    terms = Terms(group_uuid="uuid-sales", group_address=GROUP, why="moderation", expires=NOW + 72 * 3600)
    own = {name: value for name, value in changes.items() if hasattr(came, name)}
    given = {name: value for name, value in changes.items() if hasattr(terms, name)}
    rest = {name: value for name, value in changes.items() if name not in own | given}
    item = Item(id=number, state=State.HELD, arrival=came, terms=terms, recorded=NOW)
    return replace(
        item, arrival=replace(came, **untyped(own)), terms=replace(terms, **untyped(given)), **untyped(rest)
    )


def ways(item: Item, to: Addressee = JEAN, panel: str = "https://groups.masociete.example") -> Ways:
    """The ways of one moderator, with real tokens."""

    def token(kind: Kind, action: Action) -> str:
        return seal_token(Token(kind, action, NOW + 86_400, item.digest, digest(to.uuid)), KEYS)

    return Ways(
        f"approve+{token(Kind.ANSWER, Action.APPROVE)}@{SERVICE}",
        f"reject+{token(Kind.ANSWER, Action.REJECT)}@{SERVICE}",
        f"{panel}/decide/{token(Kind.LINK, Action.ASK)}" if panel else "",
    )


def delivered(letter: EmailMessage) -> EmailMessage:
    """A letter as its reader's mail program gets it: from octets, with another policy than it was made with."""
    made = email.message_from_bytes(letter.as_bytes(), policy=email.policy.default)
    assert isinstance(made, EmailMessage)
    assert made.defects == []
    return made


def text(letter: EmailMessage) -> str:
    """The plain text."""
    return _body(letter, "plain")


def html(letter: EmailMessage) -> str:
    """The HTML text."""
    return _body(letter, "html")


def _body(letter: EmailMessage, kind: str) -> str:
    part = delivered(letter).get_body((kind,))
    assert part is not None
    return str(part.get_content())
