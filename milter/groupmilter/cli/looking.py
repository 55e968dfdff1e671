"""The directory as the commands see it: the mirror beside a running synchroniser, or an LDIF file read at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed

if TYPE_CHECKING:
    from pathlib import Path

    from groupmilter.config.reload import Configuration
    from groupmilter.directory.side_store import SideValues
    from groupmilter.groups.directory import Directory
    from groupmilter.groups.group import Group
    from groupmilter.groups.ticket import Keys
    from groupmilter.mta.site import Site, Snapshots


@dataclass(frozen=True, slots=True)
class View:
    """What questions about a configuration are answered with.

    :param site: as the milter has it, but for its counters, which only the milter's own processes know.
    :param mirror: the file that is looked at.
    """

    site: Site
    mirror: Path


def suspended(configuration: Configuration) -> frozenset[str]:
    """Return the addresses whose delivery is suspended; none where the ledger can't tell, as in the milter."""
    from groupmilter.bootstrap.parts import ledger
    from groupmilter.moderation.ledger import LedgerUnavailable

    if not configuration.site.state.exists():
        return frozenset()
    try:
        made = ledger(configuration)
    except LedgerUnavailable:
        return frozenset()
    try:
        return made.bounces.suspended()
    except LedgerUnavailable:
        return frozenset()
    finally:
        made.close()


@contextmanager
def opened(configuration: Configuration) -> Iterator[View]:
    """Give the site with its directory for the length of the ``with`` block.

    A directory that is an LDIF file and has no mirror yet is read into one that lasts as long.
    """
    from groupmilter import bootstrap
    from groupmilter.rehearsal.stage import KEYS, Base, Stage

    first = configuration.site.directory.url[0]
    keys = bootstrap.ticket_keys(configuration.keys) if configuration.keys.keys else KEYS
    if first.kind == "ldif" and not configuration.site.mirror.exists():
        with Stage(Base(configuration.settings)) as stage:
            loaded = stage.loaded(
                first.path, bootstrap.mirror_settings(configuration), _beside(configuration)
            )
            yield View(_site(configuration, loaded.snapshots, keys), loaded.path)
        return
    snapshots = bootstrap.snapshots(configuration)
    yield View(_site(configuration, snapshots, keys), configuration.site.mirror)
    snapshots.reader.close()


def _beside(configuration: Configuration) -> Mapping[str, SideValues]:
    """Return what the side store has, where the profile uses it; raises `SideStoreUnavailable`."""
    from groupmilter import bootstrap
    from groupmilter.bootstrap.side import Beside

    if not bootstrap.profile(configuration).beside:
        return {}
    with closing(Beside(configuration)) as side:
        return side.everything()


def _site(configuration: Configuration, snapshots: Snapshots, keys: Keys) -> Site:
    from groupmilter import bootstrap
    from groupmilter.mta.site import Site

    trust = bootstrap.trust(configuration)
    return Site(
        configuration.settings, snapshots, keys, trust, suspended=lambda: suspended(configuration)
    )  # fmt: skip


def group_named(directory: Directory, view: View, written: str) -> Group:
    """Return the group with an address, as people write it.

    :raises CommandFailed: where it is nobody's, or a person's.
    """
    from groupmilter.groups.group import Group
    from groupmilter.mail.address import canonical

    address = canonical(written, view.site.settings.own_domains)
    entry = directory.find(address) if address else None
    if isinstance(entry, Group):
        return entry
    what = "no mail address" if address is None else "nobody's address" if entry is None else "a person"
    raise CommandFailed(Exit.FINDING, f"{written} is {what}, not a group")
