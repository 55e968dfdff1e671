"""The generated map: which group addresses exist, for the MTA, with none of our processes running.

Each group address leads to ``unprocessed@<service domain>``: the address is a valid recipient, and a message that gets
past the milter lands in the hold mailbox instead of with the members or nowhere. Built aside with postmap(1) and renamed
into place; never replaced by an empty one, never more than halved, unless forced (`MapRefused`, and the old one stays).
Sources: postmap(1), lmdb_table(5), DATABASE_README.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

KINDS = {"lmdb": ".lmdb", "cdb": ".cdb", "hash": ".db", "texthash": ""}
"""Kinds of lookup table, the preferred first, with the suffix of the file that postmap makes."""

UNPROCESSED = "unprocessed"
_PATIENCE = 60.0


class MapRefused(Exception):
    """The new map was not put into place; the text says why."""


class AddressMap:
    """The map at one path. For one writer; any process may read.

    :param path: of the text; the table stands beside it with its kind's suffix.
    :param kind: one of `KINDS`; None takes the first that Postfix knows, ``texthash`` without Postfix.
    """

    def __init__(self, path: Path, kind: str | None, service_domain: str) -> None:
        self.path = path
        self._wanted = kind
        self._service_domain = service_domain
        self._read: tuple[int, frozenset[str]] | None = None

    @property
    def kind(self) -> str:
        """The kind of table, as in ``lmdb:/path``."""
        return self._wanted or _first_known()

    def write(self, addresses: Iterable[str], *, force: bool = False) -> bool:
        """Bring the map up to the addresses; tell whether it changed.

        :param force: replace it by an empty or much smaller one, too.
        :raises MapRefused: where that isn't allowed, or postmap or the disk fails.
        """
        wanted = sorted(set(addresses))
        kind = self.kind
        if not self._differs(wanted, kind):
            return False
        if not force:
            self._check(len(wanted))
        try:
            self._replace(wanted, kind)
        except OSError as error:
            raise MapRefused(f"{self.path}: {error.strerror}") from error
        return True

    def addresses(self) -> frozenset[str] | None:
        """Return the addresses that the map knows; None where there is no map yet."""
        try:
            changed = self.path.stat().st_mtime_ns
            if self._read is None or self._read[0] != changed:
                lines = self.path.read_text("utf-8").splitlines()
                self._read = changed, frozenset(line.partition("\t")[0] for line in lines if line)
        except OSError:
            return None
        return self._read[1]

    def _differs(self, wanted: list[str], kind: str) -> bool:
        table = self.path.with_name(self.path.name + KINDS[kind])
        return not table.exists() or self.addresses() != frozenset(wanted)

    def _check(self, count: int) -> None:
        known = len(self.addresses() or ())
        if known and count * 2 < known:
            raise MapRefused(f"{self.path} has {known} addresses and would have {count}; --force does it")

    def _replace(self, wanted: list[str], kind: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".map-", dir=self.path.parent) as folder:
            aside = Path(folder) / self.path.name
            aside.write_text("".join(f"{a}\t{UNPROCESSED}@{self._service_domain}\n" for a in wanted), "utf-8")
            suffix = KINDS[kind]
            if suffix:
                _postmap(kind, aside)
                self._place(
                    aside.with_name(aside.name + suffix), self.path.with_name(self.path.name + suffix)
                )
            self._place(aside, self.path)

    def _place(self, made: Path, final: Path) -> None:
        with made.open("rb+") as file:
            os.fsync(file.fileno())
        made.chmod(0o644)
        made.replace(final)


def _first_known() -> str:
    """Return the best kind that the Postfix of this host has, asked without its configuration."""
    program = _program("postconf")
    if program is None:
        return "texthash"
    known = set(_run([program, "-m"]).split())
    return next((kind for kind in KINDS if kind in known), "texthash")


def _postmap(kind: str, text: Path) -> None:
    program = _program("postmap")
    if program is None:
        raise MapRefused(
            f"postmap is not installed, so there can be no {kind}: table; set map.type to texthash"
        )
    _run([program, f"{kind}:{text}"])


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _run(command: list[str]) -> str:
    """Run one of Postfix's programs with an empty configuration of its own, so that no main.cf is needed."""
    with tempfile.TemporaryDirectory(prefix="groupmilter-postfix-") as folder:
        Path(folder, "main.cf").write_text("compatibility_level = 3.6\n", "ascii")
        whole = [command[0], "-c", folder, *command[1:]]
        try:
            done = subprocess.run(whole, capture_output=True, text=True, timeout=_PATIENCE, check=False)  # noqa: S603 - fixed words and our own paths
        except subprocess.TimeoutExpired as late:
            raise MapRefused(f"{command[0]} took more than {_PATIENCE:.0f} s") from late
    if done.returncode:
        raise MapRefused(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout
