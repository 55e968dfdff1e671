"""Held messages for the house of the panel's tests: written into its hold mailbox, and recorded as the desk does."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from tests.panel.house import House

from groupmilter import bootstrap
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Action, Kind, Ticket, Token, digest, seal, seal_token
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.terms import terms
from groupmilter.panel.typed import word
from groupmilter.policy.facts import Strength

SERVICE = "groups.masociete.example"
_NUMBERS = itertools.count(1)
PLAIN = (
    b"From: Marie Martin <marie@partner.example>\nSubject: Offer for autumn\n"
    b"Message-ID: <offer@partner.example>\n\nHello,\n\n  see you.\n"
)


def held(
    home: House,
    message: bytes = PLAIN,
    group: str = "commercial",
    strength: Strength = Strength.CLAIMED,
    approvals: int = 1,
) -> Item:
    """Have a message wait for a group's moderators."""
    number = next(_NUMBERS)
    found, keys = home.group(group), bootstrap.ticket_keys(home.configuration.keys)
    now = int(home.parts.now())
    ticket = seal(Ticket(Kind.HOLD, now, number, digest(found.uuid), 0, strength, False, 1), keys)
    octets = b"Return-Path: <marie@partner.example>\nDelivered-To: hold+%s@%s\n" % (
        ticket.encode(),
        SERVICE.encode(),
    )
    name = f"{now}.{number}.panel"
    box = bootstrap.mailbox(home.configuration)
    box.prepare()
    Path(box.path, "new").mkdir(exist_ok=True)
    Path(box.path, "new", name).write_bytes(octets + message)
    arrival = read_arrival(octets + message, name, keys, SERVICE)
    assert arrival.kind is Kind.HOLD
    with home.parts.lookups.snapshot() as directory:
        wanted = terms(arrival, directory, home.configuration.settings, now)
    ledger: Ledger = home.parts.ledger
    return ledger.record(arrival, replace(wanted, approvals=approvals), State.HELD, now).item


def link(home: House, item: Item, moderator: Person) -> tuple[str, dict[str, str]]:
    """The link of somebody's letter about a message, and a form filled in there that approves it."""
    named = Token(Kind.LINK, Action.ASK, item.terms.expires, item.digest, digest(moderator.uuid))
    token = seal_token(named, home.parts.decisions.keys)
    return f"/decide/{token}?lang=en", {"decision": "approve", "word": word(token, "en")}
