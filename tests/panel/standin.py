"""Stand-ins for a panel under test: decisions kept in memory, with real tokens, and a server in a thread."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from fastapi import FastAPI
from tests.support.ports import LOOPBACK, free_port

from groupmilter.groups.person import Node, Person
from groupmilter.groups.ticket import Action, Keys, Kind, Token, digest, seal_token, unseal_token
from groupmilter.moderation.decision import Asked, Problem
from groupmilter.moderation.item import Arrival, Event, Item, State, Terms, Who
from groupmilter.moderation.ledger import Changed
from groupmilter.moderation.transitions import after
from groupmilter.panel.app import Surroundings, create_app
from groupmilter.panel.server import serve
from groupmilter.panel.service import DecisionsLike
from groupmilter.policy.facts import Strength
from groupmilter.supervision.channel import Channel, receive, send

NOW = 1_795_540_000
DEADLINE = 120.0
KEYS = Keys({1: b"k" * 32}, 1)
JEAN = Person(Node(1), "u-jean", "uid=jean", "Jean Dupont", "jean.dupont@masociete.example", language="fr")
ALICE = Person(Node(2), "u-alice", "uid=alice", "Alice Smith", "alice@masociete.example", language="en-GB")
SENDER = "marie.martin@ailleurs.example"


def item(number: int = 1, state: State = State.HELD, **changes: object) -> Item:
    """Return an item of the group `commercial`, held until further notice."""
    arrival = Arrival(
        ticket=f"ticket-{number}",
        content="c",
        file="f",
        author=SENDER,
        subject="Le sujet secret",
        strength=Strength.CLAIMED,
    )
    terms = Terms(group_address="commercial@masociete.example", why="moderation", expires=NOW + 5 * 86_400)
    made = Item(id=number, state=state, arrival=arrival, terms=terms, recorded=NOW - 3600, noticed=NOW - 3500)
    return replace(made, **changes)  # type: ignore[arg-type]


@dataclass(slots=True)
class Desk:
    """`DecisionsLike` in memory; every call is on record.

    :param owners: UUIDs. ``problem``: what every valid token meets instead.
    :param refusal: of remembering. ``known``: the same before anybody decides, by whether it is to allow.
    """

    items: dict[int, Item] = field(default_factory=dict)
    people: dict[int, Person] = field(default_factory=lambda: {digest(p.uuid): p for p in (JEAN, ALICE)})
    owners: frozenset[str] = frozenset()
    now: int = NOW
    problem: Problem | None = None
    refusal: str | Exception | None = None
    known: Mapping[bool, str] = field(default_factory=dict)
    failure: Exception | None = None
    decided: list[tuple[int, Event, Who, str]] = field(default_factory=list)
    refusals: list[tuple[Problem, Who, str]] = field(default_factory=list)
    remembered: list[tuple[int, bool]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, added: Item) -> Item:
        self.items[added.digest] = added
        return added

    def token(
        self, of: Item, person: Person = JEAN, *, kind: Kind = Kind.LINK, expires: int = NOW + 86_400
    ) -> str:
        return seal_token(Token(kind, Action.ASK, expires, of.digest, digest(person.uuid)), KEYS)

    def open(self, text: str, kind: Kind) -> Asked | Problem:
        if self.failure is not None:
            raise self.failure
        token = unseal_token(text, KEYS)
        if token is None or token.kind is not kind:
            return Problem.FORGED
        if token.expires < self.now:
            return Problem.EXPIRED
        if token.item not in self.items:
            return Problem.GONE
        if token.moderator not in self.people:
            return Problem.FOREIGN
        return self.problem or Asked(self.items[token.item], token, self.people[token.moderator])

    def decide(self, item: Item, event: Event, who: Who, comment: str = "") -> Changed:
        with self.lock:
            there = self.items[item.digest]
            state = after(there.state, event)
            if state is None:
                return Changed(there, False)
            made = {"decided": self.now, "decided_by": who.name, "way": str(who.way), "comment": comment}
            self.decided.append((item.id, event, who, comment))
            return Changed(self.put(replace(there, state=state, **made)), True)  # type: ignore[arg-type]

    def refused(self, problem: Problem, who: Who, detail: str = "") -> None:
        self.refusals.append((problem, who, detail))

    def is_owner(self, asked: Asked) -> bool:
        return asked.moderator.uuid in self.owners

    def unremembered(self, item: Item, allow: bool) -> str | None:
        return self.known.get(allow) if item.id else None

    def remember(self, item: Item, who: Who, allow: bool) -> str | None:
        assert who.uuid in self.owners
        if isinstance(self.refusal, Exception):
            raise self.refusal
        self.remembered.append((item.id, allow))
        return self.refusal


@dataclass(slots=True)
class Lines:
    """A log that keeps its lines."""

    lines: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))


def english(language: str, sentence: str) -> str:
    """Translate to what shows the language and the sentence."""
    return sentence if language == "en" else f"[{language}] {sentence}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(slots=True)
class Site:
    """A panel that runs on loopback, and how to ask it."""

    log: Lines
    port: int
    channel: socket.socket
    codes: list[int]

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def post(self, path: str, headers: Mapping[str, str] | None = None, /, **fields: str) -> Answer:
        form = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.ask(path, "POST", urlencode(fields).encode(), form)


@contextmanager
def panel(
    decisions: DecisionsLike, translate: Callable[[str, str], str] = english, **settings: object
) -> Iterator[Site]:
    """Run the panel under a supervisor's channel, as the role does, until the end of the block."""
    log = Lines()
    patient: dict[str, object] = {"body_seconds": DEADLINE, **settings}
    app = create_app(decisions, Surroundings(translate, log, **patient))  # type: ignore[arg-type]
    with running(app, log) as site:
        yield site


@contextmanager
def running(app: FastAPI, log: Lines) -> Iterator[Site]:
    """Run an application as the role does, until the end of the block."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    codes: list[int] = []
    port = free_port()
    thread = threading.Thread(
        target=lambda: codes.append(serve(app, LOOPBACK, port, Channel(theirs, 5.0))), daemon=True
    )
    with ours, theirs:
        thread.start()
        ours.settimeout(DEADLINE)
        ours.recv(1, socket.MSG_PEEK)
        assert receive(ours) == {"state": "ready"}
        yield Site(log, port, ours, codes)
        send(ours, {"drain": 5.0})
        thread.join(DEADLINE)
        assert codes == [0]
