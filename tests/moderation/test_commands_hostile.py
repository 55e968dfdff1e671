"""What outsiders, damaged logs and foreign archives can bring to an administrator's terminal: nothing it would obey."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.moderation.hosts import Host, host
from tests.moderation.test_commands import decide

from groupmilter.cli.exits import Exit
from groupmilter.moderation.item import Event

OBEYED = "\x1b]0;mine\x07 \x9b2J \x7f \u202e\U000e0041 \udcff"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


def harmless(printed: str) -> bool:
    """Whether nothing stands in it but lines of what can be seen."""
    return all(c.isprintable() or c == "\n" for c in printed)


def test_json_holds_nothing_that_a_terminal_obeys_and_says_the_same(site: Host) -> None:
    item = site.held(1)
    decide(site, item.id, Event.REJECT, comment=OBEYED)
    said = OBEYED.replace("\udcff", "\N{REPLACEMENT CHARACTER}")
    for command in (("held", "show", item.name), ("held", "list", "-s", "all"), ("trace", item.name)):
        printed = site.call(*command, "--json").stdout
        assert harmless(printed), command
        assert json.dumps(said)[1:-1] in json.dumps(json.loads(printed))
    rows = site.call("audit", "--json").stdout
    assert harmless(rows)
    assert json.loads(rows.splitlines()[-1])["detail"] == said


def test_a_failure_holds_nothing_that_a_terminal_obeys(site: Host) -> None:
    for more in ((), ("--json",)):
        result = site.call("held", "show", f"x{OBEYED}", *more, code=Exit.FINDING)
        assert harmless(result.output), result.output
    assert "no held message has this name" in result.output


def test_a_reason_of_several_lines_is_read_as_such(site: Host) -> None:
    item = site.held(1)
    decide(site, item.id, Event.REJECT, comment="Too late.\nAsk again\tin May.")
    shown = site.call("held", "show", item.name).stdout
    assert "\N{REPLACEMENT CHARACTER}" not in shown
    lines = [line.strip() for line in shown.splitlines()]
    place = next(number for number, line in enumerate(lines) if line.startswith("Comment"))
    assert lines[place].endswith("Too late.")
    assert lines[place + 1] == "Ask again in May."
    assert "Too late. Ask again in May." in site.call("audit").stdout


@pytest.mark.parametrize(
    ("ending", "pack"), [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)]
)
@pytest.mark.parametrize("kept", [-9, 0.0], ids=["cut", "damaged"])
def test_a_packed_log_that_is_cut_or_damaged_is_one_sentence(
    site: Host, tmp_path: Path, ending: str, pack: Callable[[bytes], bytes], kept: float
) -> None:
    octets = pack(bytes(range(256)) * 40)
    log = tmp_path / f"mail.log.{ending}"
    log.write_bytes(octets[:-9] if kept else octets[:12] + b"\xff" * 20 + octets[32:])
    said = site.call("trace", "a@x.example", "--log", str(log), code=Exit.CONFIGURATION).stderr
    assert said.count("\n") == 1
    assert f"mail.log.{ending}: " in said


def rewritten(archive: Path, **changes: object) -> Path:
    """The same backup, whose manifest says something else of it."""
    with tarfile.open(archive) as old:
        members = [(info, file.read() if (file := old.extractfile(info)) else b"") for info in old]
    path = archive.with_name("changed.tgz")
    with tarfile.open(path, "w:gz") as new:
        for info, content in members:
            octets = content
            if info.name == "manifest.json":
                octets = json.dumps(json.loads(content) | changes).encode()
                info.size = len(octets)
            new.addfile(info, io.BytesIO(octets))
    return path


def test_what_an_archive_says_of_itself_reaches_no_terminal(site: Host, tmp_path: Path) -> None:
    site.held(1)
    site.call("backup", str(tmp_path / "b.tgz"))
    foreign = rewritten(tmp_path / "b.tgz", host=OBEYED, missing=[OBEYED])
    printed = site.call("restore", str(foreign), "--force").stdout
    assert "is verified and back" in printed
    assert harmless(printed), printed


@pytest.mark.parametrize("made", [10**18, -(10**18), float("inf"), float("nan"), "x"])
def test_an_archive_of_no_time_is_refused(site: Host, tmp_path: Path, made: object) -> None:
    site.call("backup", str(tmp_path / "b.tgz"))
    foreign = rewritten(tmp_path / "b.tgz", made=made)
    said = site.call("restore", str(foreign), "--force", code=Exit.STATE).stderr
    assert "its manifest can't be read" in said
