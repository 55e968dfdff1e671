"""Two who write at once lose nothing; and what a server does in the middle of a change is told as it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.directory.writing import (
    GROUPS,
    PLACEHOLDER,
    SUFFIX,
    WRITER,
    group,
    native,
    person,
    settings,
    values,
    writer,
)
from tests.support.fake_ldap import SEARCH, FakeLdap, Request, answer, entry, page_end
from tests.support.slapd import Slapd

from groupmilter.directory import writer_session
from groupmilter.directory.change import Change, Difference, Meanwhile, Setting, Values, Written
from groupmilter.directory.keeping import Emptied
from groupmilter.directory.ldap_matching import MATCHED_VALUES
from groupmilter.directory.ldap_messages import tlv
from groupmilter.directory.writer import DirectoryUnavailable, OutcomeUnknown, Writer, WriteRefused
from groupmilter.directory.writer_messages import ADDED, ASSERTION, DELETED, MODIFIED

DN = f"cn=race,{GROUPS}"
ROUNDS = 60
UUID = b"6b1f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a11"
MODIFY, ADD, DELETE = 0x66, 0x68, 0x4A
MEMBER = person("jean")


@pytest.fixture(scope="module")
def slapd(openldap_files: Path) -> Iterator[Slapd]:
    """The sample directory under the example rules."""
    with Slapd(content=[openldap_files / "sample.ldif", openldap_files / "accounts.ldif"]) as server:
        server.configure_live((openldap_files / "access.ldif").read_text(encoding="utf-8"))
        yield server


@pytest.fixture
def race(slapd: Slapd) -> Iterator[Slapd]:
    slapd.add(group("race", PLACEHOLDER))
    yield slapd
    slapd.delete(DN)


def both(one: Callable[[], None], two: Callable[[], None]) -> None:
    """Run two at once; raise what either raises."""
    start = threading.Barrier(2)

    def run(act: Callable[[], None]) -> None:
        start.wait()
        act()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(run, one), pool.submit(run, two)]:
            done.result()


def test_every_value_that_either_of_two_writers_adds_is_there_at_the_end(race: Slapd) -> None:
    def adding(name: str) -> Callable[[], None]:
        account = writer(race)

        def run() -> None:
            for number in range(ROUNDS):
                change: tuple[Change, ...] = (
                    Values("members", (person(f"{name}{number}"), person(f"both{number}"))),
                    Values("denied_addresses", (f"{name}{number}@ailleurs.example",)),
                )
                assert isinstance(account.change(DN, change), Written)

        return run

    both(adding("a"), adding("b"))
    members = {person(f"{name}{number}") for name in ("a", "b", "both") for number in range(ROUNDS)}
    assert set(values(race, DN, "member")) == members
    assert len(values(race, DN, "dgDeniedSenderAddress")) == 2 * ROUNDS


def test_each_takes_out_his_own_and_the_last_leaves_the_placeholder(race: Slapd) -> None:
    names = [person(f"{who}{number}") for who in "ab" for number in range(ROUNDS)]
    writer(race).change(DN, (Values("members", tuple(names)),))

    def removing(who: str) -> Callable[[], None]:
        account = writer(race)

        def run() -> None:
            for number in range(ROUNDS):
                account.change(DN, (Values("members", (), (person(f"{who}{number}"),)),))

        return run

    both(removing("a"), removing("b"))
    assert values(race, DN, "member") == [PLACEHOLDER]


def test_the_placeholder_comes_and_goes_while_two_fill_and_empty_a_group(race: Slapd) -> None:
    def swapping(who: str) -> Callable[[], None]:
        account = writer(race)

        def run() -> None:
            for _ in range(ROUNDS):
                account.change(DN, (Values("members", (person(who),)),))
                account.change(DN, (Values("members", (), (person(who),)),))

        return run

    both(swapping("a"), swapping("b"))
    assert values(race, DN, "member") == [PLACEHOLDER]


@pytest.fixture(params=[True, False])
def asserting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with RFC 4528, and once as if the server had never heard of it."""
    if not request.param:
        monkeypatch.setattr(writer_session, "ASSERTION", "1.2.3")


@pytest.mark.usefixtures("asserting")
def test_a_counter_that_two_raise_by_what_they_have_seen_misses_nothing(race: Slapd) -> None:
    """A single value: who lost the race looks again, as a person would."""
    race.replace(DN, {"dgHoldHours": "1"})

    def raising() -> None:
        account, seen = writer(race), 1
        for _ in range(ROUNDS):
            while isinstance(lost := account.change(DN, (Setting("hold_hours", seen + 1, seen),)), Meanwhile):
                assert lost.seen == seen
                assert isinstance(lost.found, int)
                seen = lost.found
            seen += 1

    both(raising, raising)
    # Whoever wants what the other has just written has lost nothing; every step was somebody's.
    assert ROUNDS + 1 <= int(values(race, DN, "dgHoldHours")[0]) <= 2 * ROUNDS + 1


@pytest.mark.usefixtures("asserting")
def test_two_who_take_each_other_out_leave_somebody(race: Slapd) -> None:
    """Of three, two take out themselves and the third; where somebody has to stay, the group is never found empty."""
    start = threading.Barrier(2)
    refused = []

    def leaving(name: str, *, first: bool) -> Callable[[], None]:
        account = writer(race)

        def run() -> None:
            for _ in range(ROUNDS):
                if first:
                    race.replace(DN, {"owner": [person("a"), person("b"), person("c")]})
                start.wait(60)
                try:
                    account.change(DN, (Values("owners", remove=(person(name), person("c"))),), ("owners",))
                except Emptied as error:
                    refused.append(error)
                start.wait(60)
                if first:
                    assert values(race, DN, "owner")
                start.wait(60)

        return run

    both(leaving("a", first=True), leaving("b", first=False))
    assert len(refused) >= ROUNDS


@pytest.mark.usefixtures("asserting")
def test_two_who_set_different_fields_both_have_them(race: Slapd) -> None:
    def setting(field: str) -> Callable[[], None]:
        account = writer(race)

        def run() -> None:
            for number in range(1, ROUNDS + 1):
                seen = None if number == 1 else number - 1
                before = 1 if field == "approvals" and seen is None else seen
                assert isinstance(account.change(DN, (Setting(field, number, before),)), Written)

        return run

    both(setting("hold_hours"), setting("approvals"))
    assert values(race, DN, "dgHoldHours") == values(race, DN, "dgApprovalsNeeded") == [str(ROUNDS)]


def test_a_write_is_bound_to_the_version_that_was_read(race: Slapd) -> None:
    """The server itself refuses when somebody came between, whatever he changed; then it is planned again."""
    account = writer(race)
    read = account.read(DN)
    assert read is not None
    race.replace(DN, {"dgHidden": "TRUE"})
    written = account.change(DN, (Setting("hold_hours", 5, None),))
    assert isinstance(written, Written)
    with pytest.raises(WriteRefused, match="changed meanwhile"):
        account.delete(DN, read.attributes["entrycsn"][0])
    assert values(race, DN, "dgHidden") == ["TRUE"]


def test_ten_thousand_members_in_bounded_steps(race: Slapd) -> None:
    account, every = writer(race), [person(number) for number in range(10_000)]
    for begin in range(0, len(every), 500):
        some = tuple(every[begin : begin + 500])
        assert account.change(DN, (Values("members", some),)).differences  # type: ignore[union-attr]
    assert len(values(race, DN, "member")) == len(every)
    # Begun again from anywhere, nothing is there twice and nothing is refused.
    assert account.change(DN, (Values("members", tuple(every[4_800:5_300])),)) == Written()


# what a server may do in the middle


def stored(request: Request, held: dict[str, tuple[bytes, ...]]) -> list[bytes]:
    """The answer to a search: the entry with what it holds, of that only what matches (RFC 3876), or the root DSE."""
    if not request.base:
        held = {"supportedControl": (ASSERTION.encode(), MATCHED_VALUES.encode())}
    if (matching := request.controls.get(MATCHED_VALUES)) is not None:
        held = {name: tuple(raw for raw in raws if raw in matching) for name, raws in held.items()}
    return [entry(request.number, request.base, held | {"entryUUID": (UUID,)}), page_end(request.number)]


def fresh() -> dict[str, tuple[bytes, ...]]:
    return {
        "objectClass": (b"groupOfNames", b"distributionGroup"),
        "mail": (b"race@masociete.example",),
        "member": (PLACEHOLDER.encode(),),
        "entryCSN": (b"1",),
    }


def fake(server: FakeLdap) -> Writer:
    """A writer there; an answer that never comes is known at once, for the server ends the connection."""
    return Writer(settings(server.uri, ("", "")), native())


@pytest.mark.parametrize("happened", [True, False])
def test_an_answer_that_never_comes_is_looked_for_in_the_directory(happened: bool) -> None:
    held = fresh()

    def script(request: Request) -> list[bytes] | None:
        if request.tag == SEARCH:
            return stored(request, held)
        if happened:
            held["member"] = (MEMBER.encode(),)
        return None

    with FakeLdap(script) as server:
        if happened:
            written = fake(server).change(DN, (Values("members", (MEMBER,)),))
            assert written == Written((Difference("members", (), (MEMBER,)),))
            return
        with pytest.raises(OutcomeUnknown, match="is not there so far"):
            fake(server).change(DN, (Values("members", (MEMBER,)),))


def test_a_server_that_is_gone_after_the_request_leaves_it_open() -> None:
    asked = []

    def script(request: Request) -> list[bytes] | None:
        asked.append(request.tag)
        return stored(request, fresh()) if set(asked) == {SEARCH} else None

    with FakeLdap(script) as server, pytest.raises(OutcomeUnknown, match="can't be told"):
        fake(server).change(DN, (Values("members", (MEMBER,)),))


@pytest.mark.parametrize("happened", [True, False])
def test_a_new_entry_and_a_removed_one_are_looked_for_too(happened: bool) -> None:
    held = fresh()

    def script(request: Request) -> list[bytes] | None:
        if request.tag != SEARCH:
            return None
        return stored(request, held if happened else held | {"mail": (b"other@masociete.example",)})

    with FakeLdap(script) as server:
        account, content = fake(server), {name.lower(): raws for name, raws in held.items()}
        if happened:
            assert account.create(DN, content) is True
            with pytest.raises(OutcomeUnknown, match="still there"):
                account.delete(DN)
            return
        with pytest.raises(OutcomeUnknown, match="not there so far"):
            account.create(DN, content)


def test_the_assertion_is_sent_with_single_values_only() -> None:
    def script(request: Request) -> list[bytes]:
        if request.tag == SEARCH:
            return stored(request, fresh())
        tags = {MODIFY: MODIFIED, ADD: ADDED, DELETE: DELETED}
        return [answer(request.number, tags[request.tag], tlv(0x0A, b"\0") + tlv(0x04, b"") * 2)]

    with FakeLdap(script) as server:
        fake(server).change(DN, (Values("members", (MEMBER,)),))
        fake(server).change(DN, (Setting("hold_hours", 3),))
        writes = [request for request in server.requests if request.tag == MODIFY]
    assert [ASSERTION in request.controls for request in writes] == [False, True]
    assert writes[1].controls[ASSERTION].endswith(b"entrycsn\x04\x011")


def test_a_replica_refers_and_is_not_followed() -> None:
    master = b"ldap://master.masociete.example"

    def script(request: Request) -> list[bytes]:
        if request.tag == SEARCH:
            return stored(request, fresh())
        body = tlv(0x0A, b"\x0a") + tlv(0x04, b"") + tlv(0x04, b"") + tlv(0xA3, tlv(0x04, master))
        return [answer(request.number, MODIFIED, body)]

    with (
        FakeLdap(script) as server,
        pytest.raises(WriteRefused, match=r"refers to ldap://master\S+, which is not followed"),
    ):
        fake(server).change(DN, (Values("members", (MEMBER,)),))


def test_a_server_set_to_read_only_says_so(openldap_files: Path) -> None:
    with Slapd(content=[openldap_files / "sample.ldif", openldap_files / "accounts.ldif"]) as server:
        server.configure_live(
            "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nadd: olcReadOnly\nolcReadOnly: TRUE\n"
        )
        account = Writer(settings(server.uri, server.root), native())
        with pytest.raises(WriteRefused, match="unwilling to perform: operation restricted"):
            account.change(f"cn=contact,{GROUPS}", (Setting("hidden", value=True),))


def test_a_server_that_is_down_has_taken_nothing(race: Slapd) -> None:
    account = writer(race)
    race.stop()
    try:
        with pytest.raises(DirectoryUnavailable, match="refused"):
            account.change(DN, (Values("members", (MEMBER,)),))
    finally:
        race.start()
    assert values(race, DN, "member") == [PLACEHOLDER]


def test_a_server_that_hangs_is_not_waited_for_and_asking_again_is_safe(race: Slapd) -> None:
    account = Writer(
        replace(settings(race.uri, WRITER), connect_timeout=1.0, operation_timeout=1.0), native()
    )
    race.freeze()
    try:
        with pytest.raises(DirectoryUnavailable):
            account.change(DN, (Values("members", (MEMBER,)),))
    finally:
        race.thaw()
    writer(race).change(DN, (Values("members", (MEMBER,)),))
    assert values(race, DN, "member") == [MEMBER]


def test_the_schema_has_the_last_word(race: Slapd) -> None:
    with pytest.raises(WriteRefused, match="no such entry"):
        writer(race).change(f"cn=none,{SUFFIX}", (Values("members", (MEMBER,)),))
    with pytest.raises(WriteRefused, match="can't be written as members"):
        writer(race).change(DN, (Values("members", ("not a name",)),))
