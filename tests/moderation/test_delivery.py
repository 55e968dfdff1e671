"""The hold mailbox as `groupmilter deliver` writes it: LMTP in, files out, and what a crash or a full disk leaves."""

from __future__ import annotations

import errno
import io
import os
import resource
import subprocess
from pathlib import Path

import pytest
from tests.support.serving import command

from groupmilter.moderation.arrival import message_of
from groupmilter.moderation.delivery import Broken, Drop, Session

HOLD = b"hold+abc@groups.masociete.example"
ENVELOPE = b"LHLO mx.example\r\nMAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME\r\n"


def talk(path: Path, said: bytes) -> list[bytes]:
    """What is answered to an MTA that says all this."""
    replies = io.BytesIO()
    Session(Drop(path), io.BytesIO(said), replies).serve()
    return replies.getvalue().split(b"\r\n")[:-1]


def transaction(message: bytes, *recipients: bytes, envelope: bytes = ENVELOPE) -> bytes:
    """One message as an MTA sends it."""
    rcpt = b"".join(b"RCPT TO:<" + one + b">\r\n" for one in recipients or (HOLD,))
    return envelope + rcpt + b"DATA\r\n" + message + b".\r\nQUIT\r\n"


def files(path: Path, part: str = "new") -> list[bytes]:
    """The contents of what lies there."""
    return [file.read_bytes() for file in sorted((path / part).iterdir())]


def test_it_writes_what_virtual_8_would(tmp_path: Path) -> None:
    replies = talk(tmp_path / "hold", transaction(b"Subject: x\r\n\r\n..dot\r\nlone\rcr\r\n"))
    assert replies[-3:] == [b"354 the message, please", b"250 2.0.0 kept", b"221 2.0.0 goodbye"]
    top = b"Return-Path: <a@b.example>\nX-Original-To: " + HOLD + b"\nDelivered-To: " + HOLD + b"\n"
    assert files(tmp_path / "hold") == [top + b"Subject: x\n\n.dot\nlone\rcr\n"]
    assert files(tmp_path / "hold", "tmp") == []
    assert (tmp_path / "hold").stat().st_mode & 0o777 == 0o700


def test_its_own_lines_are_all_that_is_taken_off_again(tmp_path: Path) -> None:
    forged = b"Return-Path: <x@y>\r\nX-Original-To: x@y\r\nDelivered-To: hold+forged@g\r\n\r\nbody\r\n"
    talk(tmp_path, transaction(forged))
    assert message_of(files(tmp_path)[0]) == forged.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\r\n",
        b"no end of the header\r\n",
        b"a: b\r\n\r\n" + b"x" * 100_000 + b"\r\n",
        b"a: b\r\n\r\n" + b"x" * 8191 + b"\r\ny\r\n",
        bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n",
    ],
)
def test_every_octet_arrives(tmp_path: Path, message: bytes) -> None:
    talk(tmp_path, transaction(message))
    assert message_of(files(tmp_path)[0]) == message.replace(b"\r\n", b"\n")


def test_each_recipient_gets_a_file_and_an_answer(tmp_path: Path) -> None:
    replies = talk(tmp_path, transaction(b"x\r\n", b"hold+a@g.example", b"hold+b@g.example"))
    assert replies[-3:-1] == [b"250 2.0.0 kept"] * 2
    named = sorted(line for file in files(tmp_path) for line in file.split(b"\n") if b"Delivered" in line)
    assert named == [b"Delivered-To: hold+a@g.example", b"Delivered-To: hold+b@g.example"]


def test_a_report_has_the_null_return_path(tmp_path: Path) -> None:
    talk(tmp_path, transaction(b"x\r\n", envelope=b"LHLO x\r\nMAIL FROM:<>\r\n"))
    assert files(tmp_path)[0].startswith(b"Return-Path: <>\n")


def test_several_messages_in_one_session(tmp_path: Path) -> None:
    one = transaction(b"x\r\n").removesuffix(b"QUIT\r\n")
    talk(tmp_path, one + one + b"QUIT\r\n")
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HELO x\r\n", b"500 5.5.2"),
        (b"\r\n", b"500 5.5.2"),
        (b"MAIL FROM:a@b\r\n", b"501 5.1.7"),
        (b"RCPT TO:<a@b>\r\n", b"503 5.5.1"),
        (b"MAIL FROM:<a@b>\r\nRCPT TO:<>\r\n", b"501 5.1.3"),
        (b"DATA\r\n", b"503 5.5.1"),
        (b"MAIL FROM:<a@b>\r\nRSET\r\nDATA\r\n", b"503 5.5.1"),
        (b"NOOP\r\n", b"250 2.0.0"),
        (b"x" * 9000 + b"\r\n", b"500 5.5.2"),
    ],
)
def test_commands_out_of_place_are_answered(tmp_path: Path, said: bytes, answer: bytes) -> None:
    assert talk(tmp_path, said)[-1].startswith(answer)
    assert list(tmp_path.iterdir()) == []


def test_an_mta_that_goes_in_mid_message_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Broken):
        talk(tmp_path, transaction(b"half a mess").removesuffix(b".\r\nQUIT\r\n"))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_at_any_step_is_tried_again_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for step in ("fsync", "link", "open"):
        with monkeypatch.context() as broken:
            broken.setattr(os, step, full)
            assert talk(tmp_path, transaction(b"x\r\n"))[-2].startswith(b"451 4.3.0")
        assert [file for part in ("new", "tmp") for file in files(tmp_path, part)] == []


def test_the_program_itself_with_no_room_left(tmp_path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    ran = run(tmp_path / "hold", transaction(b"x" * 70 + b"\r\n" + b"y" * 5000 + b"\r\n"), limited)
    assert b"\r\n451 4.3.0 " in ran.stdout
    assert b"File too large" in ran.stderr
    assert [file for part in ("new", "tmp") for file in files(tmp_path / "hold", part)] == []


def test_the_program_itself(tmp_path: Path) -> None:
    ran = run(tmp_path / "hold", transaction(b"x\r\n"))
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert len(files(tmp_path / "hold")) == 1
    broken = run(tmp_path / "hold", transaction(b"x\r\n").removesuffix(b".\r\nQUIT\r\n"))
    assert broken.returncode == 75
    assert len(files(tmp_path / "hold")) == 1


def test_killed_before_its_answer_it_has_kept_all_or_nothing(tmp_path: Path) -> None:
    """Whatever moment SIGKILL meets, a name in `new` is a whole message, and a 250 is never said without one."""
    for point in ("os.fsync", "os.link", "bring_to_disk", "Session._say"):
        path = tmp_path / point
        ran = subprocess.run(
            [str(command().with_name("python3")), "-c", _KILLED, point, str(path)],
            input=transaction(b"whole\r\n"), capture_output=True, check=False,
        )  # fmt: skip
        assert ran.returncode == -9, ran.stderr
        kept = files(path) if path.exists() else []
        assert all(file.endswith(b"\nwhole\n") for file in kept)
        assert b"250 2.0.0 kept" not in ran.stdout


_KILLED = """
import os, signal, sys
from pathlib import Path
from groupmilter.moderation import delivery

point, path = sys.argv[1:]

def killed(*arguments):
    if point != "Session._say" or b"kept" in arguments[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    said(*arguments)

said = delivery.Session._say
match point:
    case "Session._say": delivery.Session._say = killed
    case "bring_to_disk": delivery.bring_to_disk = killed
    case _: setattr(os, point.removeprefix("os."), killed)
delivery.Session(delivery.Drop(Path(path)), sys.stdin.buffer, sys.stdout.buffer).serve()
"""


def run(path: Path, said: bytes, before: object = None) -> subprocess.CompletedProcess[bytes]:
    """`groupmilter deliver`, as Sendmail starts it."""
    return subprocess.run(
        [str(command()), "deliver", str(path)], input=said, capture_output=True, check=False,
        preexec_fn=before if callable(before) else None,
    )  # fmt: skip
