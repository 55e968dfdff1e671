"""Archives that somebody else has made: nothing is written outside or through links, and no surprise comes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from copy import copy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tests.moderation.holding import holding
from tests.moderation.ledgers import NOW
from tests.moderation.test_backup import House, elsewhere, restore

from groupmilter.config.keys import create_keys, create_secret
from groupmilter.moderation.archive import BadArchive, verified

Member = tuple[tarfile.TarInfo, bytes]


@pytest.fixture(name="good", scope="module")
def _good(tmp_path_factory: pytest.TempPathFactory) -> list[Member]:
    """The members of a backup with one message."""

    folder = tmp_path_factory.mktemp("good")
    with holding(folder) as hold:
        create_keys(folder / "ticket.key", NOW)
        create_secret(folder / "release.secret")
        house = House(folder, hold, skipped=[])
        house.held(1)
        path = house.save()
    with tarfile.open(path) as archive:
        return [(info, file.read() if (file := archive.extractfile(info)) else b"") for info in archive]


def written(path: Path, members: list[Member]) -> Path:
    """Write an archive of these members, with a manifest that says so."""
    files = {
        info.name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for info, content in members
        if info.isreg() and info.name != "manifest.json"
    }
    with gzip.open(path, "wb") as squeezed, tarfile.open(fileobj=squeezed, mode="w|") as archive:
        for info, content in members:
            octets = content
            if info.name == "manifest.json":
                octets = json.dumps(json.loads(content) | {"files": files}).encode()
            made = copy(info)
            made.size = len(octets)
            archive.addfile(made, io.BytesIO(octets))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o600
    return info, b"x" if kind == tarfile.REGTYPE else b""


HOSTILE = {
    "a path upwards": member("hold/cur/../../../../evil"),
    "an absolute path": member("/tmp/evil"),
    "a path upwards at once": member("../evil"),
    "another file": member("hold/cur/sub/evil"),
    "a hidden file": member("hold/cur/.evil"),
    "a file among the keys": member("keys/authorized_keys"),
    "a file in tmp": member("hold/tmp/1.evil"),
    "an unknown folder": member("hold/.Evil/cur/1.evil"),
    "a symbolic link": member("hold/cur/1.evil", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "a symbolic link for a folder": member("hold", kind=tarfile.SYMTYPE, link="/etc"),
    "a hard link": member("hold/cur/1.evil", kind=tarfile.LNKTYPE, link="state.db"),
    "a device": member("hold/cur/1.evil", kind=tarfile.CHRTYPE),
    "a pipe": member("hold/cur/1.evil", kind=tarfile.FIFOTYPE),
    "a folder where mail is": member("hold/cur/1.evil", kind=tarfile.DIRTYPE),
    "a sparse file": member("hold/cur/1.evil", kind=tarfile.GNUTYPE_SPARSE),
    "a name with NUL": member("hold/cur/1.e\0vil"),
    "nothing for a name": member(""),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_member_of_a_backup_is_refused(good: list[Member], tmp_path: Path, what: str) -> None:
    path = written(tmp_path / "evil.tgz", [*good[:5], HOSTILE[what], *good[5:]])
    new = tmp_path / "new"
    new.mkdir()
    with pytest.raises(BadArchive):
        restore(path, elsewhere(new))
    assert list(new.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_an_unchanged_one_is_restored(good: list[Member], tmp_path: Path) -> None:
    assert restore(written(tmp_path / "good.tgz", good), elsewhere(tmp_path / "new")).mail == 1


def changed(good: list[Member], **fields: object) -> list[Member]:
    """The members, with other header fields for the files."""
    made = [(copy(info), content) for info, content in good]
    for info, _ in made:
        if info.isreg():
            for name, value in fields.items():
                setattr(info, name, value)
    return made


def test_modes_let_nobody_in_and_set_no_identity(good: list[Member], tmp_path: Path) -> None:
    places = elsewhere(tmp_path / "new")
    restore(written(tmp_path / "open.tgz", changed(good, mode=0o6777)), places)
    for path in (places.state, places.keys, places.secret, *places.mailbox.files()):
        assert path.stat().st_mode & 0o7007 == 0, path


@pytest.mark.parametrize(
    "fields",
    [
        {"mtime": -5},
        {"mtime": 2**62},
        {"pax_headers": {"mtime": "nan"}},
        {"mtime": 1.5},
        {"uname": "nobody-here"},
    ],
)
def test_odd_header_fields_are_no_obstacle(
    good: list[Member], tmp_path: Path, fields: dict[str, object]
) -> None:
    path = written(tmp_path / "odd.tgz", changed(good, **fields))
    assert restore(path, elsewhere(tmp_path / "new")).mail == 1


def test_what_waits_as_a_link_at_the_target_is_not_followed(good: list[Member], tmp_path: Path) -> None:
    new, outside = tmp_path / "new", tmp_path / "outside"
    new.mkdir()
    outside.write_text("mine")
    for name in (".state.db.restoring", ".ticket.key.restoring"):
        (new / name).symlink_to(outside)
    restore(written(tmp_path / "good.tgz", good), elsewhere(new))
    assert outside.read_text() == "mine"


Change = Callable[[list[Member]], list[Member]]


def without(name: str) -> Change:
    return lambda members: [one for one in members if one[0].name != name]


def spoiled(name: str, content: bytes) -> Change:
    """The content of one member changed behind the manifest's back."""

    def change(members: list[Member]) -> list[Member]:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        return [(info, content) if one.name == name else (one, octets) for one, octets in members]

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("manifest.json"), "too early"),
        (without("state.db"), "manifest"),
        (lambda members: [*members, member("hold/cur/9.x")], "after the manifest"),
        (lambda members: [*members[:5], members[4], *members[5:]], "twice"),
        (spoiled("manifest.json", b"{}"), "manifest can't be read"),
        (spoiled("manifest.json", b"[" * 100_000), "manifest can't be read"),
        (spoiled("manifest.json", b'{"format": 2, "version": "9.9"}'), "made by groupmilter 9.9"),
        (spoiled("keys/ticket.key", b"0 " + b"00" * 32), "digest"),
        (lambda _: [], "too early"),
    ],
)
def test_what_differs_from_the_manifest_is_refused(
    good: list[Member], tmp_path: Path, change: Change, says: str
) -> None:
    path = tmp_path / "changed.tgz"
    with gzip.open(path, "wb") as squeezed, tarfile.open(fileobj=squeezed, mode="w|") as archive:
        for info, content in change(good):
            archive.addfile(info, io.BytesIO(content))
    with pytest.raises(BadArchive, match=says):
        verified(path, lambda _: None)


def test_something_after_its_end_is_refused(good: list[Member], tmp_path: Path) -> None:
    path = written(tmp_path / "long.tgz", good)
    with path.open("ab") as file:
        file.write(gzip.compress(b"\0" * 3_000_000))
    with pytest.raises(BadArchive, match="after its end"):
        verified(path, lambda _: None)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    changes=some.lists(some.tuples(some.integers(0, 2**20), some.integers(0, 255)), min_size=1, max_size=8)
)
def test_damage_anywhere_is_found_and_is_no_surprise(
    good: list[Member], tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    """Octets of the tar itself are changed, so that gzip's own checksum doesn't find it first."""
    octets = bytearray(gzip.decompress(written(tmp_path / "good.tgz", good).read_bytes()))
    for place, value in changes:
        octets[place % len(octets)] = value
    path = tmp_path / "damaged.tgz"
    path.write_bytes(gzip.compress(bytes(octets), 1))
    places = elsewhere(tmp_path / "new")
    try:
        restore(path, places)
    except BadArchive:
        assert not (tmp_path / "new").exists()
        return
    # What was changed meant nothing: padding, or a header's owner and time, under a sum that still holds.
    originals = {info.name: content for info, content in good}
    assert places.keys.read_bytes() == originals["keys/ticket.key"]
    assert places.secret.read_bytes() == originals["keys/release.secret"]
    assert [path.read_bytes() for path in places.mailbox.files()] == [
        content for name, content in originals.items() if name.startswith("hold/")
    ]
    shutil.rmtree(tmp_path / "new")
