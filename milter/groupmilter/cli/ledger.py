"""The ledger as commands open it: it has to be there, and an item is named by the beginning of its name.

Raises `CommandFailed` with what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed

if TYPE_CHECKING:
    from groupmilter.config.reload import Configuration
    from groupmilter.groups.group import Group
    from groupmilter.moderation.item import Item
    from groupmilter.moderation.ledger import Ledger

_SHOWN = 5


@contextmanager
def opened(configuration: Configuration) -> Iterator[Ledger]:
    """Give the ledger for the length of the ``with`` block; a command never makes one by the way."""
    from groupmilter.bootstrap.parts import ledger

    path = configuration.site.state
    if not path.exists():
        said = "there is no ledger; groupmilter serve makes one at its first start"
        raise CommandFailed(
            Exit.STATE,
            f"{path}: {said}, groupmilter held rebuild makes one from the hold mailbox",
        )
    made = ledger(configuration)
    try:
        yield made
    finally:
        made.close()


def require_keys(configuration: Configuration) -> None:
    """Fail where there is no ticket key yet."""
    if not configuration.keys.keys:
        path = configuration.site.service.key_file
        raise CommandFailed(
            Exit.CONFIGURATION,
            f"{path}: there is no ticket key; groupmilter serve makes one at its first start",
        )


def item_named(ledger: Ledger, written: str) -> Item:
    """Return the item whose name, or the only one whose name begins so."""
    found = ledger.search.named(written, limit=_SHOWN + 1) if written else ()
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandFailed(Exit.FINDING, f"{written}: no held message has this name")
    names = ", ".join(item.name for item in found[:_SHOWN])
    more = " and others" if len(found) > _SHOWN else ""
    raise CommandFailed(Exit.FINDING, f"{written}: several names begin so: {names}{more}")


def group_address(configuration: Configuration, ledger: Ledger, written: str) -> str:
    """Return a group's address as the ledger has it, also where another one of its addresses is given.

    Empty for all groups. What the ledger has is found without the directory, too.
    """
    from groupmilter.mail.address import canonical

    if not written:
        return ""
    address = canonical(written, configuration.settings.own_domains)
    if address is None:
        raise CommandFailed(Exit.FINDING, f"{written} is no mail address")
    if ledger.search.counts(group=address):
        return address
    found = _known(configuration, address)
    return found.address if found is not None else address


def group_asked(configuration: Configuration, ledger: Ledger, written: str) -> tuple[str, str]:
    """Return a group's address (`group_address`), and the UUID of what has it now, empty where nothing is known."""
    address = group_address(configuration, ledger, written)
    known = _known(configuration, address) if address else None
    return address, known.uuid if known is not None else ""


def _known(configuration: Configuration, address: str) -> Group | None:
    """Return the group that has an address now; None for none, and where the directory can't tell."""
    from groupmilter.bootstrap import looking
    from groupmilter.groups.directory import DirectoryUnknown
    from groupmilter.groups.group import Group

    try:
        with looking(configuration) as directory:
            found = directory.find(address)
    except DirectoryUnknown:
        return None
    return found if isinstance(found, Group) else None
