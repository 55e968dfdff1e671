"""The side store on its way into the mirror, beside a real slapd: soon, after a restart, and never by accident."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.directory.running import DEADLINE, SUFFIX, TREE, Running, group, ldap, person, sync
from tests.support.slapd import Slapd

from groupmilter.config.model import Sync
from groupmilter.directory.side_store import SideChange, SideStoreUnavailable, SideValues, values_of
from groupmilter.directory.synchroniser_settings import LostTooMuch
from groupmilter.directory.synchroniser_side import queries
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.side_book import SideBook

CONTACT, SALES = f"cn=contact,{SUFFIX}", f"cn=sales,{SUFFIX}"


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    """A directory with two groups."""
    content = TREE + person("jean") + group("contact", "jean") + group("sales", "jean")
    with Slapd(content=[content]) as server:
        yield server


@pytest.fixture
def book(tmp_path: Path) -> Iterator[SideBook]:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/state.db", timeout=DEADLINE)
    yield ledger.side
    ledger.close()


@dataclass(slots=True)
class Feed:
    """A side store of another process, which can be out of reach."""

    path: Path
    broken: bool = False
    _ledger: list[Ledger] = field(default_factory=list)

    def _book(self) -> SideBook:
        if self.broken:
            raise SideStoreUnavailable("the side store: out of reach")
        if not self._ledger:
            self._ledger.append(Ledger.open(f"sqlite:///{self.path}/state.db", timeout=DEADLINE))
        return self._ledger[0].side

    def stirred(self) -> bool:
        """See `SideFeed`."""
        return self._book().stirred() if not self.broken else True

    def serial(self) -> int:
        """See `SideFeed`."""
        return self._book().serial()

    def everything(self) -> Mapping[str, SideValues]:
        """See `SideFeed`."""
        return self._book().everything()

    def since(self, serial: int) -> Mapping[str, SideValues]:
        """See `SideFeed`."""
        return self._book().since(serial)

    def close(self) -> None:
        """Close the database."""
        for ledger in self._ledger:
            ledger.close()


@pytest.fixture
def feed(tmp_path: Path, book: SideBook) -> Iterator[Feed]:  # noqa: ARG001 - the tables are made first
    made = Feed(tmp_path)
    yield made
    made.close()


def uuid(slapd: Slapd, dn: str) -> str:
    lines = slapd.search(dn, "(objectClass=*)", "entryUUID", scope="base").splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("entryUUID: "))


def put(book: SideBook, slapd: Slapd, dn: str, **values: str) -> None:
    changes = [SideChange(label, (), (value,)) for label, value in values.items()]
    assert book.change(uuid(slapd, dn), dn, changes)


def beside(it: Running, dn: str) -> dict[str, tuple[str, ...]]:
    return dict(values_of(it.mirror.by_dn(dn)))


@pytest.mark.parametrize("mode", [Sync.PERSIST, Sync.POLL, Sync.RELOAD])
def test_a_change_beside_is_in_force_soon_in_every_mode(
    slapd: Slapd, book: SideBook, feed: Feed, mode: Sync
) -> None:
    put(book, slapd, CONTACT, moderated="TRUE")
    settings = sync(mode)
    with Running(ldap(slapd.uri), settings, beside=feed) as it:
        it.until_connected()
        assert beside(it, CONTACT) == {"moderated": ("TRUE",)}
        put(book, slapd, SALES, hidden="TRUE")
        it.until(lambda: beside(it, SALES) == {"hidden": ("TRUE",)}, "the new value")
        assert book.change(uuid(slapd, SALES), SALES, [SideChange("hidden", ("TRUE",))])
        it.until(lambda: beside(it, SALES) == {}, "no value")
        # A change in the directory brings the values with it.
        slapd.replace(CONTACT, {"displayName": f"Contact {mode}"})
        wanted = f"Contact {mode}"
        it.until(lambda: it.mirror.by_dn(CONTACT).first("displayName") == wanted, "the new name")
        assert beside(it, CONTACT) == {"moderated": ("TRUE",)}


def test_what_changed_while_nobody_followed_is_caught_up_with(
    slapd: Slapd, book: SideBook, feed: Feed
) -> None:
    put(book, slapd, CONTACT, moderated="TRUE")
    first = Running(ldap(slapd.uri), sync(Sync.POLL), beside=feed)
    first.synchroniser.once()
    put(book, slapd, SALES, moderated="TRUE")
    book.forget(uuid(slapd, CONTACT))
    # The cookie says that nothing has changed in the directory.
    again = Running(ldap(slapd.uri), sync(Sync.POLL), mirror=first.mirror, beside=feed)
    again.synchroniser.once()
    assert (beside(again, CONTACT), beside(again, SALES)) == ({}, {"moderated": ("TRUE",)})


def test_without_ever_having_read_it_nothing_goes_into_the_mirror(
    slapd: Slapd, book: SideBook, feed: Feed
) -> None:
    put(book, slapd, CONTACT, moderated="TRUE")
    feed.broken = True
    with Running(ldap(slapd.uri), beside=feed) as it:
        it.until_failed("out of reach")
        assert it.mirror.entries == {}
        feed.broken = False
        it.until_connected()
        assert beside(it, CONTACT) == {"moderated": ("TRUE",)}


def test_out_of_reach_the_directory_is_followed_with_what_is_known(
    slapd: Slapd, book: SideBook, feed: Feed
) -> None:
    put(book, slapd, CONTACT, moderated="TRUE")
    with Running(ldap(slapd.uri), beside=feed) as it:
        it.until_connected()
        feed.broken = True
        it.until(lambda: it.log.count("side_store_unread") == 1, "a log line")
        slapd.replace(CONTACT, {"displayName": "Accueil"})
        it.until(lambda: it.mirror.by_dn(CONTACT).first("displayName") == "Accueil", "the new name")
        assert beside(it, CONTACT) == {"moderated": ("TRUE",)}
        put(book, slapd, SALES, moderated="TRUE")
        feed.broken = False
        it.until(lambda: beside(it, SALES) == {"moderated": ("TRUE",)}, "what came meanwhile")
    assert (it.log.count("side_store_unread"), it.log.count("side_store_read_again")) == (1, 1)


def test_a_lost_side_store_opens_no_group_unless_forced(
    slapd: Slapd, book: SideBook, feed: Feed, tmp_path: Path
) -> None:
    put(book, slapd, CONTACT, moderated="TRUE")
    first = Running(ldap(slapd.uri), sync(Sync.POLL), beside=feed)
    first.synchroniser.once()
    elsewhere = tmp_path / "new"
    elsewhere.mkdir()
    empty = Feed(elsewhere)
    again = Running(ldap(slapd.uri), sync(Sync.POLL), mirror=first.mirror, beside=empty)
    with pytest.raises(LostTooMuch, match="1 of the 1 groups"):
        again.synchroniser.once()
    assert beside(again, CONTACT) == {"moderated": ("TRUE",)}
    again.synchroniser.once(force=True)
    assert beside(again, CONTACT) == {}
    empty.close()


def test_a_group_of_which_the_directory_knows_nothing_is_no_hindrance(
    slapd: Slapd, book: SideBook, feed: Feed
) -> None:
    nobody = "11111111-0d54-4f3e-9a3b-2f6f2f8f3a11"
    with Running(ldap(slapd.uri), beside=feed) as it:
        it.until_connected()
        assert book.change(nobody, "cn=gone", [SideChange("moderated", (), ("TRUE",))])
        put(book, slapd, SALES, hidden="TRUE")
        it.until(lambda: beside(it, SALES) == {"hidden": ("TRUE",)}, "the value of another one")
    assert it.log.count("side_store_not_merged") == 0


@pytest.mark.parametrize(
    ("attribute", "asserted"),
    [
        ("entryUUID", "6b1f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a11"),
        ("nsUniqueId", "6b1f4f0a-0d544f3e-9a3b2f6f-2f8f3a11"),
        ("objectGUID", r"\0a\4f\1f\6b\54\0d\3e\4f\9a\3b\2f\6f\2f\8f\3a\11"),
    ],
)
def test_each_kind_of_server_is_asked_for_uuids_as_it_keeps_them(attribute: str, asserted: str) -> None:
    one = "6b1f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a11"
    assert list(queries([one], attribute)) == [((one,), f"(|({attribute}={asserted}))")]
    assert [len(some) for some, _ in queries([f"{n:032x}" for n in range(120)], "entryUUID")] == [50, 50, 20]
