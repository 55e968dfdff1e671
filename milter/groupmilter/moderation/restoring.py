"""Putting a backup back, in an order in which whatever stops it leaves a set that works.

The archive is verified, then written beside the places where it belongs and looked at there. Then the mail goes into
the mailbox, where what is there already stays; then the keys, which go on opening what the present ones have sealed;
and last the ledger, in one rename. What fails before that is undone; what was killed has only brought in mail that
the desk records by itself. What stood in the place of ledger and keys before is kept beside them under another name.

Raises `BadArchive`, `InTheWay`, `LedgerUnavailable` for a ledger of a later version, OSError; nothing is changed then.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from groupmilter.config.disk import bring_to_disk
from groupmilter.config.keys import Key, key_line, parse_keys
from groupmilter.moderation.archive import (
    RELEASE_SECRET,
    STATE,
    TICKET_KEY,
    Manifest,
    Tick,
    verified,
)
from groupmilter.moderation.database import LedgerUnavailable, fold_log
from groupmilter.moderation.extracting import Folders, extract
from groupmilter.moderation.item import Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Maildir

_GRACE = 24 * 3600
_LOGS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database; another database's would spoil it."""
_DATABASE, _LOG = b"SQLite format 3\0", b"\x37\x7f\x06"
"""How its files begin. Source: SQLite, Database File Format, sections 1.2 and 4.1."""


_FORCE = "--force puts the backup's in its place, and keeps this one under another name"


class InTheWay(Exception):
    """Something stands where the backup would go; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of a backup belong."""

    state: Path
    mailbox: Maildir
    keys: Path
    secret: Path


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it.

    :param mail: how many messages were brought in; ``there``: how many stood there already.
    :param kept: where what stood there before is now.
    :param lost_keys: ids of present keys that open nothing any more: the backup has other keys of the same ids.
    """

    manifest: Manifest
    mail: int
    there: int
    kept: tuple[Path, ...]
    lost_keys: tuple[int, ...]


@dataclass(slots=True)
class Restore:
    """One restore.

    :param stamp: appended to the names of what stood there before.
    :param tick: told how many octets were read; each is read twice.
    """

    places: Places
    who: Who
    now: int
    stamp: str
    tick: Tick
    _undo: list[Callable[[], object]] = field(default_factory=list)
    _kept: list[Path] = field(default_factory=list)

    def run(self, archive: Path, *, force: bool) -> Restored:
        """Put a backup back.

        :param force: also where there is a ledger, or are other keys, already.
        """
        manifest = verified(archive, self.tick)
        if not force:
            self._refuse_ledger()
        folders = Folders()
        try:
            with self._beside() as beside:
                extract(archive, manifest, beside, folders, self.tick)
                keys, lost = self._keys(beside[TICKET_KEY])
                if not force:
                    self._refuse_keys(beside)
                self._look_at(beside[STATE], archive)
                mail, there = self._bring_in(beside, folders, keys)
        except BaseException:
            self._take_back()
            folders.remove()
            raise
        return Restored(manifest, mail, there, tuple(self._kept), lost)

    @contextmanager
    def _beside(self) -> Iterator[dict[str, Path]]:
        """Give where each part is written at first, on the file system where it belongs; gone in the end."""
        places = {
            STATE: self.places.state,
            TICKET_KEY: self.places.keys,
            RELEASE_SECRET: self.places.secret,
            "hold": self.places.mailbox.path,
        }
        made = {name: path.with_name(f".{path.name}.restoring") for name, path in places.items()}
        try:
            for path in made.values():
                _remove(path)
            yield made
        finally:
            for path in made.values():
                _remove(path)

    def _refuse_ledger(self) -> None:
        if self.places.state.exists():
            raise InTheWay(f"{self.places.state}: there is a ledger already; {_FORCE}")

    def _refuse_keys(self, beside: dict[str, Path]) -> None:
        for name, path in ((TICKET_KEY, self.places.keys), (RELEASE_SECRET, self.places.secret)):
            if path.exists() and beside[name].exists() and path.read_bytes() != beside[name].read_bytes():
                raise InTheWay(f"{path}: it is another one than the backup's; {_FORCE}")

    def _look_at(self, copy: Path, archive: Path) -> None:
        """See whether the ledger is whole and of a version that is known here, and note the restore in it.

        What waits in it gets a day at least: its moderators are reminded before it expires.
        """
        ledger = Ledger.open(f"sqlite:///{copy}")
        try:
            ledger.database.check()
            ledger.grant(self.now + _GRACE, self.now)
            ledger.note("restore", self.who, self.now, detail=archive.name)
        finally:
            ledger.close()

    def _keys(self, copy: Path) -> tuple[str, tuple[int, ...]]:
        """Return the backup's keys with the present ones after them, and the ids for which that can't be."""
        text = copy.read_text("utf-8")
        ring = parse_keys(text, "the backup's ticket keys")
        present: tuple[Key, ...] = ()
        if self.places.keys.exists():
            present = parse_keys(self.places.keys.read_text("utf-8"), str(self.places.keys)).keys
        more = [key for key in present if ring.find(key.id) is None]
        lost = [key.id for key in present if (known := ring.find(key.id)) and known.secret != key.secret]
        return text.rstrip("\n") + "\n" + "".join(map(key_line, more)), tuple(lost)

    def _bring_in(self, beside: dict[str, Path], folders: Folders, keys: str) -> tuple[int, int]:
        mail, there = self._mail(beside["hold"], folders)
        beside[TICKET_KEY].write_text(keys, "utf-8")
        # Written to disk all at once: after this, renames only.
        os.sync()
        self._place(beside[TICKET_KEY], self.places.keys)
        if beside[RELEASE_SECRET].exists():
            self._place(beside[RELEASE_SECRET], self.places.secret)
        self._fold_log()
        self._set_logs_aside()
        self._place(beside[STATE], self.places.state)
        return mail, there

    def _mail(self, copies: Path, folders: Folders) -> tuple[int, int]:
        """Bring mail into the mailbox; a message that stands anywhere in it already stays where it is.

        Folders that are made for it stay in any case: the MTA may have delivered into them by now.
        """
        mailbox, mail, there = self.places.mailbox, 0, 0
        if not mailbox.path.exists():
            folders.make("hold", mailbox.path)
        mailbox.prepare()
        names = {path.name.partition(":")[0] for path in mailbox.files()}
        for copy in Maildir(copies).files():
            if copy.name.partition(":")[0] in names:
                there += 1
                continue
            target = mailbox.path / copy.relative_to(copies)
            self._undo.append(partial(target.unlink, missing_ok=True))
            copy.rename(target)
            mail += 1
        return mail, there

    def _place(self, new: Path, target: Path) -> None:
        """Put a file in its place in one rename; what stood there is kept under another name."""
        if target.exists():
            if filecmp.cmp(target, new, shallow=False):
                return
            kept = self._name_before(target)
            kept.hardlink_to(target)
            self._kept.append(kept)
            self._undo.append(partial(kept.replace, target))
        else:
            self._undo.append(partial(target.unlink, missing_ok=True))
        new.replace(target)
        bring_to_disk(target.parent)

    def _fold_log(self) -> None:
        """Have SQLite bring its log into the present ledger: killed between the two renames that follow, we would
        leave that ledger without its last decisions.

        Where either isn't what it should be, which may well be why there is a restore, both are kept as they are.
        """
        state = self.places.state
        if not _begins(state, _DATABASE) or not _begins(state.with_name(f"{state.name}-wal"), _LOG):
            return
        with suppress(LedgerUnavailable):
            fold_log(state)

    def _set_logs_aside(self) -> None:
        """Keep what SQLite has written beside the present ledger with it: another one's would spoil the restored."""
        for end in _LOGS:
            log = self.places.state.with_name(self.places.state.name + end)
            if log.exists():
                kept = log.with_name(self._name_before(self.places.state).name + end)
                log.rename(kept)
                self._undo.append(partial(kept.replace, log))

    def _name_before(self, target: Path) -> Path:
        return target.with_name(f"{target.name}.before-{self.stamp}")

    def _take_back(self) -> None:
        while self._undo:
            self._undo.pop()()


def _begins(path: Path, octets: bytes) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as file:
        return file.read(len(octets)) == octets


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    for end in ("", *_LOGS):
        path.with_name(path.name + end).unlink(missing_ok=True)
