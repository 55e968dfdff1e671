"""Rotating the ticket keys: the file's text, its owner and mode, and that what was sealed before still opens."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from tests.moderation.ledgers import arrival

from groupmilter.bootstrap import ticket_keys
from groupmilter.config.keys import (
    Key,
    KeyRing,
    create_keys,
    create_secret,
    key_line,
    parse_keys,
    read_keys,
    read_secret,
)
from groupmilter.config.rotation import (
    KeysBusy,
    KeysFull,
    alone,
    fresh_key,
    replace_file,
    sealing,
    with_key,
    without_key,
    write_whole,
)
from groupmilter.groups.ticket import (
    Action,
    Kind,
    LoopTrace,
    Ticket,
    Token,
    key_id,
    loop_digest,
    seal,
    seal_token,
    unseal,
    unseal_token,
)
from groupmilter.moderation.item import Item, State, Terms
from groupmilter.moderation.key_use import UNDER_WAY, uses

NOW = 1_795_540_000
OLD, NEW = Key(0, b"o" * 32, NOW - 9_000_000), Key(1, b"n" * 32)


def rotate(path: Path, now: int = NOW) -> KeyRing:
    """Rotate as the command does."""
    key = fresh_key(read_keys(path))
    replace_file(path, lambda text: with_key(text, key))
    replace_file(path, lambda text: sealing(text, key.id, now))
    return read_keys(path)


def test_a_new_key_opens_first_and_then_seals() -> None:
    text = f"# our keys\n\n{key_line(OLD)}# the end\n"
    both = with_key(text, NEW)
    assert [key.id for key in parse_keys(both, "k").keys] == [0, 1]
    done = sealing(both, 1, NOW)
    ring = parse_keys(done, "k")
    assert [(key.id, key.since) for key in ring.keys] == [(1, NOW), (0, OLD.since)]
    assert (done.startswith("# our keys\n\n1 "), done.endswith("# the end\n")) == (True, True)
    assert without_key(done, 0) == sealing(with_key(text, NEW), 1, NOW).replace(key_line(OLD), "")
    with pytest.raises(LookupError):
        without_key(done, 7)
    with pytest.raises(LookupError):
        sealing(done, 7, NOW)


def test_what_the_comment_says_of_the_time_is_read_and_nothing_else() -> None:
    secret = "ab" * 32
    for comment, since in (
        ("# since 2026-11-25T16:26:40Z", 1_795_624_000),
        ("# since 2026-11-25T16:26:40Z, after the incident", 1_795_624_000),
        ("# since 2026-13-40T16:26:40Z", 0),
        ("# since yesterday", 0),
        ("# not since 2026-11-25T16:26:40Z", 0),
        ("", 0),
    ):
        assert parse_keys(f"3 {secret} {comment}\n", "k").current.since == since, comment
    assert parse_keys(key_line(Key(3, b"x" * 32, NOW)), "k").current == Key(3, b"x" * 32, NOW)


def test_ids_go_round_and_end_at_sixteen(tmp_path: Path) -> None:
    path = tmp_path / "ticket.key"
    create_keys(path, NOW)
    for number in range(1, 16):
        assert rotate(path).current.id == number
    with pytest.raises(KeysFull, match="drop"):
        fresh_key(read_keys(path))
    replace_file(path, lambda text: without_key(text, 4))
    assert rotate(path).current.id == 4
    assert len({key.secret for key in read_keys(path).keys}) == 16


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_the_file_keeps_mode_owner_and_comments(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ticket.key"
    create_keys(path, NOW)
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    before, text = path.stat(), path.read_text()
    with path.open() as reading:
        rotate(path)
        assert reading.read() == text, "replaced, never written over"
    after = path.stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (before.st_uid, before.st_gid, mode)
    assert path.read_text().startswith("# groupmilter ticket keys")
    assert [entry.name for entry in tmp_path.iterdir()] == ["ticket.key"]


def test_a_link_stays_one_and_what_cant_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path, link = tmp_path / "real" / "ticket.key", tmp_path / "ticket.key"
    create_keys(path, NOW)
    link.symlink_to(path)
    rotate(link)
    assert link.is_symlink()
    before = path.read_text()
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")
    assert path.read_text() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["ticket.key"]


def test_two_at_once_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "ticket.key"
    with alone(path), pytest.raises(KeysBusy), alone(path):
        raise AssertionError("both at once")
    with alone(path):
        assert not path.exists()


def test_tickets_tokens_and_loop_traces_from_before_still_hold(tmp_path: Path) -> None:
    path = tmp_path / "ticket.key"
    before = ticket_keys(create_keys(path, NOW))
    ticket, bounce = Ticket(Kind.HOLD, NOW, 1, 2, 3, 4, reason=5), Ticket(Kind.BOUNCE, NOW, 1, 2)
    token = Token(Kind.ANSWER, Action.APPROVE, NOW + 60, 7, 8)
    sealed = (seal(ticket, before), seal(bounce, before), seal_token(token, before))
    trace = frozenset({loop_digest("uuid", before.keys[0])})
    for _ in range(15):
        rotate(path)
    after = ticket_keys(read_keys(path))
    assert (unseal(sealed[0], after), unseal(sealed[1], after)) == (ticket, bounce)
    assert unseal_token(sealed[2], after) == token
    assert LoopTrace(trace, tuple(after.keys.values())).names("uuid")
    assert [key_id(text) for text in sealed] == [0, 0, 0]
    fresh = (seal(ticket, after), seal(bounce, after), seal_token(token, after))
    assert [key_id(text) for text in fresh] == [15, 15, 15]
    replace_file(path, lambda text: without_key(text, 0))
    gone = ticket_keys(read_keys(path))
    assert (unseal(sealed[0], gone), unseal_token(sealed[2], gone)) == (None, None)
    assert unseal(fresh[0], gone) == ticket


@pytest.mark.parametrize("text", ["", "a", "a" * 47, "a" * 60, "1" * 59, "é" * 59, "-" * 52])
def test_what_has_not_the_form_of_a_ticket_has_no_key(text: str) -> None:
    assert key_id(text) is None


def item(number: int, key: Key, noticed: int = 0) -> Item:
    keys = ticket_keys(KeyRing((key,)))
    made = arrival(number, ticket=seal(Ticket(Kind.HOLD, NOW, number, 2), keys))
    return Item(id=number, state=State.HELD, arrival=made, terms=Terms(), recorded=NOW, noticed=noticed)


def test_what_still_needs_a_key() -> None:
    sealing_now, old = Key(1, b"n" * 32, NOW - UNDER_WAY - 1), OLD
    ring = KeyRing((sealing_now, old))
    assert uses(ring, [], NOW)[1].reasons == ("it seals",)
    assert uses(ring, [], NOW)[0].reasons == ()
    bearing = uses(ring, [item(1, old), item(2, sealing_now)], NOW)
    assert (bearing[0].items, bearing[1].items) == (1, 1)
    assert bearing[0].reasons == ("1 open message bears its ticket",)
    asked = uses(ring, [item(2, sealing_now, noticed=sealing_now.since - 5)], NOW)[0]
    assert (asked.items, len(asked.reasons)) == (0, 1)
    assert "letters that it sealed" in asked.reasons[0]
    lately = uses(ring, [], NOW - 3600)[0].reasons
    assert "within the last ten days" in lately[0]
    unknown = KeyRing((Key(1, b"n" * 32), old))
    assert "nobody knows" in uses(unknown, [], NOW)[0].reasons[0]


def test_what_a_killed_one_has_left_keeps_nobody_from_making_the_file(tmp_path: Path) -> None:
    # In a container the next one has the same process id.
    for name in ("ticket.key", "release.secret"):
        (tmp_path / f".{name}.{os.getpid()}").write_text("half")
    assert create_keys(tmp_path / "ticket.key", NOW).keys
    create_secret(tmp_path / "release.secret")
    assert read_secret(tmp_path / "release.secret")
