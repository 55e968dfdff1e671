"""Who writes beside the directory at once loses nothing, and what can't be done in both places isn't done in one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.membership.acting import acting, panel
from tests.membership.offices import BASE, DEADLINE, GROUPS, PEOPLE
from tests.membership.plain import ADMIN, PlainOffice, office, standing
from tests.support.slapd import Slapd

from groupmilter import bootstrap
from groupmilter.bootstrap.side import Beside
from groupmilter.config.reload import load
from groupmilter.directory.change import Difference, Meanwhile, Setting, Values, WriteRefused, Written
from groupmilter.directory.keeping import Emptied
from groupmilter.directory.side_store import SideChange, SideStoreUnavailable
from groupmilter.directory.writer import Writer
from groupmilter.membership.authority import Forbidden, Reason
from groupmilter.membership.vocabulary import Several, Single
from groupmilter.moderation.ledger import Ledger

CONTACT = "contact@masociete.example"
DN = f"cn=contact,{GROUPS}"
JEAN, PIERRE, ZOE = (f"uid={name},{PEOPLE}" for name in ("jean", "pierre", "zoe"))
ROUNDS = 25


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with standing() as server:
        yield server


@pytest.fixture
def place(slapd: Slapd, tmp_path: Path) -> Iterator[PlainOffice]:
    made = office(slapd, tmp_path)
    made.asked(
        "group",
        "create",
        CONTACT,
        "--owner",
        "jean@masociete.example",
        "--member",
        "pierre@masociete.example",
    )
    yield made
    slapd.delete(DN)


class Crossed(Beside):
    """The side store, where somebody else comes between once: just before a change is made."""

    before: Callable[[], object] | None = None

    def change(self, uuid: str, dn: str, changes: Sequence[SideChange]) -> bool:
        """Let the other one go first."""
        act, self.before = self.before, None
        if act is not None:
            act()
        return super().change(uuid, dn, changes)


@contextmanager
def writing(place: PlainOffice) -> Iterator[tuple[Writer, Crossed]]:
    """A writer, and its side store."""
    configuration = load(place.config)
    side = Crossed(configuration, DEADLINE)
    settings = bootstrap.write_settings(configuration)
    yield Writer(settings, bootstrap.profile(configuration), side=side), side
    side.close()


def test_two_who_write_all_the_time_lose_nothing_of_what_they_write(place: PlainOffice) -> None:
    def write(who: str) -> None:
        with writing(place) as (writer, _):
            for number in range(ROUNDS):
                # One value in the directory and one beside it, in the same step.
                wanted = (
                    Values("owners", (f"uid={who}{number},{PEOPLE}",)),
                    Values("denied_addresses", (f"{who}{number}@spam.example",)),
                )
                outcome = writer.change(DN, wanted)
                assert isinstance(outcome, Written)
                assert {each.field for each in outcome.differences} == {"owners", "denied_addresses"}
                if number % 5 == 0:
                    writer.change(DN, (Values("denied_addresses", (), (f"{who}{number}@spam.example",)),))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ("a", "b")))
    kept = {f"{who}{number}@spam.example" for who in "ab" for number in range(ROUNDS) if number % 5}
    assert set(place.kept()["denied_addresses"]) == kept
    assert len(place.values("contact", "owner")) == 2 * ROUNDS + 1


def test_a_single_value_counts_up_without_a_lost_step(place: PlainOffice) -> None:
    def write(_: int) -> None:
        with writing(place) as (writer, _side):
            for _step in range(ROUNDS):
                while True:
                    entry = writer.read(DN)
                    assert entry is not None
                    seen = writer.profile.value(entry, "hold_hours")
                    number = seen if isinstance(seen, int) else 0
                    change = Setting("hold_hours", number + 1, seen=number or None)
                    outcome = writer.change(DN, (change,))
                    # Without a difference the other one has just made this very step.
                    if isinstance(outcome, Written) and outcome.differences:
                        break

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    assert place.kept()["hold_hours"] == (str(2 * ROUNDS),)


def test_who_comes_between_with_another_value_changes_nothing_for_us(place: PlainOffice) -> None:
    with writing(place) as (writer, side), writing(place) as (other, _):
        side.before = lambda: other.change(DN, (Values("denied_addresses", ("@spam.example",)),))
        outcome = writer.change(DN, (Values("denied_addresses", ("@spam.example", "x@spam.example")),))
    # The other one had written one of them: ours is the rest.
    assert outcome == Written((Difference("denied_addresses", (), ("x@spam.example",)),))


def test_who_comes_between_with_the_same_value_is_told_and_what_is_written_too(place: PlainOffice) -> None:
    with writing(place) as (writer, side), writing(place) as (other, _):
        side.before = lambda: other.change(DN, (Setting("hold_hours", 48),))
        wanted = (Values("owners", (ZOE,)), Setting("hold_hours", 24, seen=None))
        outcome = writer.change(DN, wanted)
    assert outcome == Meanwhile("hold_hours", None, 48, (Difference("owners", (), (ZOE,)),))
    assert ZOE in place.values("contact", "owner")
    assert place.kept()["hold_hours"] == ("48",)


def test_what_the_directory_refuses_is_not_written_beside_it(place: PlainOffice) -> None:
    place.slapd.replace(JEAN, {"userPassword": "jean"})
    place.configure(account=(JEAN, "jean"))
    wanted = (Values("owners", (ZOE,)), Setting("moderated", value=True))
    with writing(place) as (writer, _), pytest.raises(WriteRefused, match="insufficient access rights"):
        writer.change(DN, wanted)
    assert "moderated" not in place.kept()


def test_a_group_that_can_not_have_its_rules_is_not_made(place: PlainOffice) -> None:
    def gone() -> None:
        raise SideStoreUnavailable("the side store: disk full")

    content = {
        "objectclass": [b"groupOfNames"], "cn": [b"ventes"], "member": [JEAN.encode()],
        "side:address": [b"ventes@masociete.example"], "side:moderated": [b"TRUE"],
    }  # fmt: skip
    with writing(place) as (writer, side):
        side.before = gone
        with pytest.raises(SideStoreUnavailable, match="disk full"):
            writer.create(f"cn=ventes,{GROUPS}", content)
        assert writer.read(f"cn=ventes,{GROUPS}") is None
        assert writer.create(f"cn=ventes,{GROUPS}", content)
        assert not writer.create(f"cn=ventes,{GROUPS}", content)
        assert writer.delete(f"cn=ventes,{GROUPS}")


def test_a_new_group_gets_its_address_after_its_rules(place: PlainOffice, tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[2] / "ldap_schema" / "profiles" / "plain.yaml").read_text("utf-8")
    mapped = tmp_path / "own.yaml"
    mapped.write_text(
        shipped.replace("address: {from: mail, writable: false}", "address: businessCategory"), "utf-8"
    )
    place.configure(more=f"profile: {mapped}, ")
    there: list[str] = []
    with writing(place) as (writer, side):
        side.before = lambda: there.extend(place.values("ventes", "businessCategory"))
        content = {
            "objectclass": [b"groupOfNames"], "cn": [b"ventes"], "member": [JEAN.encode()],
            "businesscategory": [b"ventes@masociete.example"], "side:moderated": [b"TRUE"],
        }  # fmt: skip
        assert writer.create(f"cn=ventes,{GROUPS}", content)
    assert there == []
    assert place.values("ventes", "businessCategory") == ["ventes@masociete.example"]
    place.slapd.delete(f"cn=ventes,{GROUPS}")


@pytest.fixture
def owned_beside(place: PlainOffice, tmp_path: Path) -> PlainOffice:
    """The same, where the directory has no attribute for owners."""
    shipped = (Path(__file__).parents[2] / "ldap_schema" / "profiles" / "plain.yaml").read_text("utf-8")
    mapped = tmp_path / "own.yaml"
    mapped.write_text(shipped.replace("    owners: owner\n", ""), "utf-8")
    place.configure(more=f"profile: {mapped}, ")
    return place


def test_who_comes_second_can_not_take_out_the_last_owner_beside_the_directory(
    owned_beside: PlainOffice,
) -> None:
    with writing(owned_beside) as (writer, side), writing(owned_beside) as (other, _):
        writer.change(DN, (Values("owners", (JEAN, ZOE)),))
        side.before = lambda: other.change(DN, (Values("owners", (), (ZOE,)),), ("owners",))
        with pytest.raises(Emptied) as refused:
            writer.change(DN, (Values("owners", (), (JEAN,)), Values("members", (ZOE,))), ("owners",))
    assert owned_beside.kept()["owners"] == (JEAN,)
    # What the directory had taken by then is told, for the journal.
    assert refused.value.written == (Difference("members", (), (ZOE,)),)
    assert ZOE in owned_beside.values("contact", "member")


def test_the_last_owner_beside_the_directory_stays_whoever_asks(owned_beside: PlainOffice) -> None:
    with writing(owned_beside) as (writer, _):
        writer.change(DN, (Values("owners", (JEAN,)),))
        with pytest.raises(Emptied):
            writer.change(DN, (Values("owners", (), (JEAN,)),), ("owners",))
        # Another one in the same step, and he may go.
        writer.change(DN, (Values("owners", (ZOE,), (JEAN,)),), ("owners",))
    assert owned_beside.kept()["owners"] == (ZOE,)


def test_two_who_take_each_other_out_beside_the_directory_leave_somebody(owned_beside: PlainOffice) -> None:
    """Of three, two take out themselves and the third, at once; the list is never found empty."""
    start = threading.Barrier(2)

    def leave(who: str) -> int:
        refused = 0
        with writing(owned_beside) as (writer, _):
            for _step in range(ROUNDS):
                if who == JEAN:
                    writer.change(DN, (Values("owners", (JEAN, PIERRE, ZOE)),))
                start.wait(DEADLINE)
                try:
                    writer.change(DN, (Values("owners", (), (who, PIERRE)),), ("owners",))
                except Emptied:
                    refused += 1
                start.wait(DEADLINE)
                assert owned_beside.kept()["owners"] in ((JEAN,), (ZOE,))
                start.wait(DEADLINE)
        return refused

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(leave, (JEAN, ZOE))) == ROUNDS


def test_a_ledger_that_is_damaged_stops_the_change_before_the_directory_is_asked(place: PlainOffice) -> None:
    state = place.folder / "state.db"
    for file in place.folder.glob("state.db-*"):
        file.unlink()
    state.write_bytes(b"no database" * 1000)
    with writing(place) as (writer, _), pytest.raises(SideStoreUnavailable):
        writer.change(DN, (Values("owners", (ZOE,)), Setting("moderated", value=True)))
    assert ZOE not in place.values("contact", "owner")


def test_rights_that_stand_beside_count(place: PlainOffice) -> None:
    panel(place, f"panel: {{administrators: 'cn=admins,{GROUPS}'}}\n")

    def may(who: str, *wishes: Single | Several) -> Reason | None:
        try:
            with acting(place, who) as service:
                prepared, problems = service.prepare(service.stored(CONTACT), wishes)
                assert problems == ()
                service.apply(prepared)
        except Forbidden as error:
            return error.reason
        return None

    assert may("zoe", Single("moderated", "yes")) is Reason.NOT_OWNER
    assert may("zoe", Several("members", (ZOE,))) is Reason.CLOSED
    assert may("jean", Single("join_policy", "open"), Single("moderated", "yes")) is None
    assert may("zoe", Several("members", (ZOE,))) is None
    assert may("jean", Single("address", "autre@masociete.example")) is Reason.ADMINISTRATORS
    assert place.kept()["join_policy"] == ("open",)
    assert BASE in ADMIN[0]


def test_the_audit_tells_of_both_places_in_one_row(place: PlainOffice) -> None:
    place.asked("group", "edit", CONTACT, "-a", "owners=zoe@masociete.example", "-s", "moderated=yes")
    [row] = place.journal("group-edit")
    assert ("owners" in row.after, "moderated" in row.after) == (True, True)
    ledger = Ledger.open(f"sqlite:///{place.folder}/state.db")
    assert ledger.side.counts()["moderated"] == 1
    ledger.close()
