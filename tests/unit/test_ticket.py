"""Tickets: what goes in comes out, and nobody else can write one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.groups.ticket import Keys, Kind, LoopTrace, Ticket, digest, loop_digest, seal, unseal

KEYS = Keys({0: b"k" * 32, 3: b"n" * 32}, 3)
TICKETS = st.builds(
    Ticket,
    kind=st.sampled_from([Kind.HOLD, Kind.SPLIT, Kind.REFUSE, Kind.RELEASE]),
    time=st.integers(0, 2**32 - 1),
    nonce=st.integers(0, 2**32 - 1),
    group=st.integers(0, 2**56 - 1),
    sender=st.integers(0, 2**56 - 1),
    strength=st.integers(0, 4),
    smtputf8=st.booleans(),
)


@given(TICKETS)
def test_round_trip_in_any_case(ticket: Ticket) -> None:
    text = seal(ticket, KEYS)
    assert len(f"hold+{text}") == 64
    assert unseal(text, KEYS) == ticket
    assert unseal(text.upper(), KEYS) == ticket


def test_a_bounce_ticket_fits_its_prefix() -> None:
    ticket = Ticket(Kind.BOUNCE, 1_700_000_000, 5, digest("g"))
    text = seal(ticket, KEYS)
    assert len(f"bounce+{text}") <= 64
    assert unseal(text, KEYS) == ticket


@given(TICKETS, st.integers(0, 58), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_wrong_character_opens_nothing(ticket: Ticket, place: int, character: str) -> None:
    text = seal(ticket, KEYS)
    forged = text[:place] + character + text[place + 1 :]
    assert (unseal(forged, KEYS) is None) == (forged != text)


@given(st.text(max_size=70))
def test_garbage_is_none(text: str) -> None:
    assert unseal(text, KEYS) is None


@pytest.mark.parametrize("keys", [Keys({3: b"x" * 32}, 3), Keys({0: b"k" * 32}, 0)])
def test_a_wrong_or_retired_key_opens_nothing(keys: Keys) -> None:
    assert unseal(seal(Ticket(Kind.HOLD, 1, 1, 1), KEYS), keys) is None


def test_an_older_key_still_opens() -> None:
    old = seal(Ticket(Kind.HOLD, 1, 1, 1), Keys({0: b"k" * 32}, 0))
    assert unseal(old, KEYS) == Ticket(Kind.HOLD, 1, 1, 1)


def test_loop_trace_names_only_who_wrote_it() -> None:
    trace = LoopTrace(frozenset({loop_digest("a", b"k" * 32), "forged"}), (b"n" * 32, b"k" * 32))
    assert trace.names("a")
    assert not trace.names("b")
    assert not LoopTrace(trace.digests, (b"other",)).names("a")
