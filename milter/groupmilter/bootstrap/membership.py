"""What changes groups, wired for one person: the directory's writer, the address book, and the journal in the ledger.

Fails with `ConfigurationError` for what the administrator wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from groupmilter.bootstrap.parts import ldap_settings, profile, write_settings
from groupmilter.bootstrap.side import Beside, searching
from groupmilter.config.reload import Configuration
from groupmilter.directory.change import READ_ONLY, WriteRefused
from groupmilter.directory.ldif_session import LdifSession, LdifWriter
from groupmilter.directory.reader import Reader
from groupmilter.directory.searching import Searching
from groupmilter.directory.writer import Writer
from groupmilter.membership.address_book import AddressBook
from groupmilter.membership.authority import Authority, Rights, Unlimited
from groupmilter.membership.service import Groups, Note, Stored
from groupmilter.membership.wishes import Rules
from groupmilter.moderation.item import Who
from groupmilter.moderation.ledger import Ledger

UNLIMITED = Unlimited()


def journal(ledger: Ledger, who: Who) -> Note:
    """Return what notes a change of a group in the ledger, on somebody's behalf."""

    def note(action: str, group: Stored, *, before: str, after: str, detail: str) -> None:
        ledger.note(
            action, who, int(time.time()), group=group.address, group_uuid=group.entry.uuid, before=before,
            after=after, detail=detail,
        )  # fmt: skip

    return note


def unwritten(action: str, group: Stored, *, before: str, after: str, detail: str) -> None:
    """Stand for the journal where nothing is going to be changed."""


@contextmanager
def asking(configuration: Configuration, authority: Rights) -> Iterator[Rights]:
    """Give what asks whether a person may decide, for the length of the ``with`` block."""
    with closing(Beside(configuration)) as side:
        yield _asking(configuration, authority, side)


def _asking(configuration: Configuration, authority: Rights, side: Beside) -> Rights:
    """Return rights that are asked of the directory with what stands beside it, which may be a file."""
    file = _file(configuration)
    connect: Callable[[], Searching] = authority.connect if file is None else lambda: file
    return replace(authority, connect=searching(connect, profile(configuration), side))


def _file(configuration: Configuration) -> LdifSession | None:
    """Return the LDIF file that is the directory, None where that is a server."""
    directory = configuration.site.directory
    return LdifSession(directory.url[0].path, directory.base) if directory.url[0].kind == "ldif" else None


@contextmanager
def groups(
    configuration: Configuration, note: Note, authority: Authority = UNLIMITED, *, in_person: bool = True
) -> Iterator[Groups]:
    """Give what makes and changes groups for the length of the ``with`` block.

    :param authority: what whoever acts may; everything for the command line.
    :param in_person: whether the server may be told who acts (``as_person``); else the service's account writes.
    :raises WriteRefused: where the directory is an LDIF file, and no side store is used beside it.
    """
    directory = configuration.site.directory
    known, own = profile(configuration), configuration.settings.own_domains
    file = _file(configuration)
    if file is not None and not known.beside:
        raise WriteRefused(READ_ONLY, file=directory.url[0].url)
    rules = Rules(
        own,
        configuration.settings.service_domain,
        directory.write.groups or "",
        directory.write.group_class.value,
        directory.placeholder,
        directory.write.contacts or "",
    )
    settings = write_settings(configuration)
    if in_person and directory.write.as_person and isinstance(authority, Rights):
        settings = replace(settings, acting_for=authority.person.dn)
    with closing(Beside(configuration)) as side:
        if file is None:
            connect: Callable[[], Searching] = Reader(ldap_settings(configuration)).connect
            writer = Writer(settings, known, directory.placeholder, side=side)
        else:
            connect, writer = (lambda: file), LdifWriter(file, known, directory.placeholder, side)
        if isinstance(authority, Rights):
            authority = _asking(configuration, authority, side)
        with AddressBook(searching(connect, known, side), known, directory.base, own) as book:
            yield Groups(book, writer, rules, note, authority)
