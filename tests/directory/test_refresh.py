"""From sync events to changes, without any server: what a refresh means for the entries that it does not name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from groupmilter.directory.entry import Change, Entry, KeepOnly, Put, Remove
from groupmilter.directory.ldap_syncrepl import (
    Changed,
    Deleted,
    Event,
    Finished,
    Mode,
    NewCookie,
    PhaseEnd,
    Present,
    sync_request,
)
from groupmilter.directory.refresh import Refresh

NAMES = st.sampled_from("abcdefgh")


def put(name: str) -> Changed:
    return Changed(Entry(name, f"cn={name}"))


def run(state: Refresh, *events: Event) -> list[Change]:
    return [change for event in events for change in state.step(event)]


def applied(before: set[str], changes: list[Change]) -> set[str]:
    after = set(before)
    for change in changes:
        if isinstance(change, Put):
            after.add(change.entry.uuid)
        elif isinstance(change, Remove):
            after.discard(change.uuid)
        else:
            after &= change.uuids
    return after


def test_without_a_cookie_only_what_is_named_stays() -> None:
    state = Refresh(initial=True)
    changes = run(state, put("a"), PhaseEnd(present=False, finished=True, cookie=b"c"))
    assert changes == [Put(Entry("a", "cn=a")), KeepOnly(frozenset("a"))]
    assert (state.finished, state.cookie) == (True, b"c")


def test_with_a_cookie_and_a_delete_phase_the_unnamed_stays() -> None:
    state = Refresh(initial=False)
    changes = run(state, put("a"), Deleted(("b",)), PhaseEnd(present=False, finished=True))
    assert changes == [Put(Entry("a", "cn=a")), Remove("b")]


def test_with_a_cookie_and_a_present_phase_it_goes() -> None:
    state = Refresh(initial=False)
    changes = run(state, Present(("a", "b")), put("c"), PhaseEnd(present=True, finished=True))
    assert changes[-1] == KeepOnly(frozenset("abc"))


def test_a_present_phase_before_a_delete_phase() -> None:
    state = Refresh(initial=False)
    ended = PhaseEnd(present=True, finished=False)
    changes = run(
        state, Present(("a",)), ended, put("b"), Deleted(("a",)), PhaseEnd(present=False, finished=True)
    )
    assert applied({"a", "x"}, changes) == {"b"}


def test_an_unchanged_directory_changes_nothing() -> None:
    state = Refresh(initial=False)
    assert run(state, Finished(0, "", present=False, cookie=b"same")) == []
    assert (state.finished, state.cookie) == (True, b"same")


def test_after_the_refresh_nothing_is_presumed_gone() -> None:
    state = Refresh(initial=True)
    run(state, put("a"), PhaseEnd(present=False, finished=True))
    later = run(state, put("b"), Deleted(("a",)), NewCookie(b"n"), PhaseEnd(present=True, finished=True))
    assert later == [Put(Entry("b", "cn=b")), Remove("a")]
    assert state.cookie == b"n"


def test_an_event_without_cookie_keeps_the_last_one() -> None:
    state = Refresh(initial=True)
    run(state, NewCookie(b"one"), put("a"))
    assert state.cookie == b"one"


@given(st.sets(NAMES), st.lists(st.tuples(st.booleans(), NAMES)))
def test_an_initial_refresh_ends_with_what_the_server_has(
    before: set[str], steps: list[tuple[bool, str]]
) -> None:
    """Also where the mirror has entries from before, and where entries go away during the refresh."""
    server: set[str] = set()
    state, changes = Refresh(initial=True), []
    for added, name in steps:
        (server.add if added else server.discard)(name)
        changes += run(state, put(name) if added else Deleted((name,)))
    changes += run(state, Finished(0, "", present=True))
    assert applied(before, changes) == server


def test_the_request_control() -> None:
    assert sync_request(Mode.REFRESH_ONLY, None)[1:] == (True, b"\x30\x03\x0a\x01\x01")
    assert sync_request(Mode.REFRESH_AND_PERSIST, b"k")[2] == b"\x30\x06\x0a\x01\x03\x04\x01k"
