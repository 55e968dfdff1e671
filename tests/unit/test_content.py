"""The parts of a message as a file has it: what is a field, what the body, and that many lines cost little."""

from __future__ import annotations

import time

import pytest

from groupmilter.mail.content import content_digest, parted

ENOUGH = 60.0
"""Seconds of processor time: a hundred times what it takes, a small part of what copying the rest at each line does."""


@pytest.mark.parametrize(
    ("content", "fields", "body"),
    [
        (b"A: 1\nB: 2\n\nbody\n", [(b"A", b" 1"), (b"B", b" 2")], b"body\n"),
        (b"A: 1\n 2\n\t3\n\nbody", [(b"A", b" 1\n 2\n\t3")], b"body"),
        (b"A: 1\r\n 2\r\n\r\nbody", [(b"A", b" 1\r\n 2\r")], b"body"),
        (b"A: 1\nno field\nB: 2\n", [(b"A", b" 1")], b"no field\nB: 2\n"),
        (b"\nbody\n", [], b"body\n"),
        (b"A: 1", [(b"A", b" 1")], b""),
        (b"A: 1\n\n", [(b"A", b" 1")], b""),
        (b"", [], b""),
    ],
)
def test_the_parts_of_a_message(content: bytes, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    assert parted(content) == (fields, body)


def test_a_header_of_very_many_lines_before_a_large_body_takes_no_time() -> None:
    folded = b"X-Long: a\n" + b" a\n" * 170_000
    many = b"X-Many: a\n" * 50_000
    body = (b"x" * 76 + b"\n") * 117_000
    started = time.process_time()
    for header in (folded, many):
        content_digest(header + b"\n" + body)
    assert time.process_time() - started < ENOUGH
