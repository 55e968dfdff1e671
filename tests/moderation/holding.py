"""A hold mailbox as virtual(8) fills it, with a real ledger and a real mirror behind it.

with holding(tmp_path) as hold:
    name = hold.delivered(hold.ticket(1), subject="hello")
    hold.rebuilding().take(name, Folder.INBOX)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.directory.mirrors import NOW as MIRRORED
from tests.directory.mirrors import OWN, group, opened, person, person_dn
from tests.moderation.ledgers import KEYS, NOW, PATIENCE, url

from groupmilter.directory.entry import Put
from groupmilter.directory.snapshot import Reader, Snapshot
from groupmilter.groups.ticket import Kind, Ticket, digest, seal
from groupmilter.log import logger
from groupmilter.moderation import circle
from groupmilter.moderation.item import DESK, Item, State, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Folder, Maildir
from groupmilter.moderation.rebuilding import ORDER, Rebuilding
from groupmilter.policy.settings import Settings

SERVICE = "groups.example.org"
SETTINGS = Settings(own_domains=OWN, service_domain=SERVICE)
SALES = "sales@example.org"


@dataclass(slots=True)
class _Lookups:
    """Snapshots of a mirror at a standing time."""

    reader: Reader

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return self.reader.snapshot(MIRRORED)


@dataclass(slots=True)
class Holding:
    """The mailbox and what belongs to it; `now` is the time for everything."""

    folder: Path
    lookups: circle.Lookups
    mailbox: Maildir
    ledger: Ledger
    now: int = NOW
    service: str = SERVICE
    _files: int = field(default=0)

    def ticket(self, number: int, kind: Kind = Kind.HOLD, group: str = "group-sales", time: int = NOW) -> str:
        return seal(Ticket(kind, time, number, digest(group)), KEYS)

    def octets(self, ticket: str, subject: str = "hello", body: str = "text\n") -> bytes:
        """A message with the lines of the delivery agent on top."""
        return (
            f"Return-Path: <client@outside.example>\nX-Original-To: {SALES}\n"
            f"Delivered-To: hold+{ticket}@{self.service}\n"
            "Received: from client.outside.example by mx.example.org (Postfix) with ESMTP id 4F2A0B3C5D\n"
            "\tfor <sales@example.org>; Thu, 26 Nov 2026 10:00:00 +0100 (CET)\n"
            f"From: client@outside.example\nTo: {SALES}\nSubject: {subject}\n"
            f"Message-ID: <{hashlib.sha256(ticket.encode()).hexdigest()[:12]}@outside.example>\n\n{body}"
        ).encode()

    def delivered(self, ticket: str, folder: Folder = Folder.INBOX, **parts: str) -> str:
        """Put a message where it would stand; return its file's name."""
        self._files += 1
        name = f"{NOW + self._files}.V1I{self._files}M1.mx.example.org"
        base = self.mailbox.path / (f".{folder.value}" if folder.value else "")
        path = base / ("cur" if folder.value else "new") / (f"{name}:2,S" if folder.value else name)
        path.write_bytes(self.octets(ticket, **parts))
        return name

    def place(self, name: str) -> str:
        """The folder where a file stands; ``gone`` where it doesn't."""
        for folder in Folder:
            if name in set(self.mailbox.names(folder)):
                return folder.value or "inbox"
        return "gone"

    def rebuilding(self, who: Who = DESK) -> Rebuilding:
        return Rebuilding(
            self.mailbox, self.ledger, self.lookups, KEYS, SETTINGS, lambda: self.now,
            logger("critical", json=False), who,
        )  # fmt: skip

    def rebuild(self, who: Who = DESK) -> list[str]:
        """Record all that is unknown; return what each file was, in order."""
        made = self.rebuilding(who)
        return [made.take(name, folder).value for folder in ORDER for name in made.unknown(folder)]

    def items(self) -> dict[str, Item]:
        """Every item by its file's name."""
        return {item.arrival.file: item for item in self.ledger.search.each(frozenset(State))}


@contextmanager
def holding(folder: Path, *more: Put) -> Iterator[Holding]:
    """Give a mailbox whose groups `sales`, moderated by anna, and `news` are known; `more` wins over what there is."""
    mailbox = Maildir(folder / "hold")
    mailbox.prepare()
    people = [Put(person(name)) for name in ("owner", "anna", "bert")]
    groups = [
        Put(group(name, "bert", dgModerated="TRUE", dgModerator=[person_dn("anna")]))
        for name in ("sales", "news")
    ]
    reader = Reader(folder / "mirror.db", 3600.0, steady=True)
    ledger = Ledger.open(url(folder), timeout=PATIENCE)
    entries = {put.entry.uuid: put for put in (*people, *groups, *more)}
    with opened(folder / "mirror.db", *entries.values()):
        yield Holding(folder, _Lookups(reader), mailbox, ledger)
    ledger.close()
    reader.close()
