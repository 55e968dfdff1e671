"""The generated map: which group addresses exist, for an MTA that has to go on without us (specification 1.3, 2.5).

Postfix looks group addresses up in it as virtual aliases, so that they are known recipients, and a message that gets
past the milter goes to ``unprocessed@<service domain>`` and not to the members. It is built aside with postmap(1) and
renamed into place: processes that hold the old table open see that its file has no name left and restart by
themselves (Postfix's dict_changed_name). What would empty it, or halve it without force, is `MapError` and the old
one stays.

Sources: postmap(1), virtual(5), DATABASE_README.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from groupmilter.config.disk import bring_to_disk
from groupmilter.mail.address import strict, with_extension

# File name endings of Postfix's table types, best first. A texthash is read by each process when it starts.
SUFFIXES: Mapping[str, str] = {"lmdb": ".lmdb", "cdb": ".cdb", "hash": ".db", "texthash": ""}
FURTHER = ("join", "leave", "owner")
"""What each group's address may be extended by (specification 4.1)."""

_POSTMAP_SECONDS = 120


class MapError(Exception):
    """The map can't be built, or must not be replaced; the old one is still in place."""


@dataclass(frozen=True, slots=True)
class Written:
    """What `AddressMap.write` did.

    :param changed: whether the map in place is another one now.
    :param left_out: addresses that no such table can hold.
    :param reload_needed: whether the MTA notices only after ``postfix reload``.
    """

    changed: bool
    count: int
    left_out: tuple[str, ...]
    reload_needed: bool


def preferred_type(known: Iterable[str]) -> str:
    """Return the best table type among those that the MTA knows (``postconf -m``); ``texthash`` needs nothing."""
    types = set(known)
    order = ("lmdb", "hash", "cdb")
    return next((kind for kind in order if kind in types), "texthash")


def entries(
    group_addresses: Iterable[str], service_domain: str, delimiters: str = "", taken: Container[str] = ()
) -> dict[str, str]:
    """Return the map's content: each group address and where its mail goes if we never see it.

    With delimiters also each group's ``+join``, ``+leave`` and ``+owner``, so that these are known recipients wherever
    addresses have no extensions else. The service domain needs no entries: all of it is one mailbox.

    :param taken: addresses that are somebody's own; they get no entry for what a group's extension would be.
    """
    known = tuple(group_addresses)
    further = {
        found: f"{_told(extension, address)}@{service_domain}"
        for address in (known if delimiters else ())
        for extension in FURTHER
        if (found := with_extension(address, extension, delimiters)) and found not in taken
    }
    return further | dict.fromkeys(known, f"unprocessed@{service_domain}")


def _told(extension: str, address: str) -> str:
    """Return where mail goes that gets past us, with whom it was for, for the human who finds it."""
    named = f"{extension}+{address.replace('@', '=')}"
    return named if strict(f"{named}@example.org") and named.isascii() else extension


@dataclass(frozen=True, slots=True)
class AddressMap:
    """One generated map.

    :param path: the text file; the table stands beside it, with the ending of its type.
    :param kind: a key of `SUFFIXES`; with ``texthash`` only the text is written (also right for Sendmail hosts).
    :param postmap: the program; ``configuration`` the MTA's directory if not the built-in one.
    """

    path: Path
    kind: str
    postmap: str = "postmap"
    configuration: Path | None = None

    @property
    def table(self) -> Path:
        """The file that the MTA opens."""
        return self.path.with_name(self.path.name + SUFFIXES[self.kind])

    def write(self, content: Mapping[str, str], *, force: bool = False) -> Written:
        """Make this the map's content.

        :param content: canonical address to target address.
        :param force: allow fewer than half as many addresses as before; even so, never none after some.
        :raises MapError: and then the old map is still in place.
        """
        usable = {address: target for address, target in content.items() if _fits(address)}
        left_out = tuple(sorted(content.keys() - usable.keys()))
        lines = [f"{address}\t{target}\n" for address, target in sorted(usable.items())]
        try:
            before = self._lines()
            if lines == before and self.table.exists():
                return Written(False, len(lines), left_out, False)  # noqa: FBT003  named by the class
            _check_size(len(lines), len(before or ()), force=force)
            self._replace("".join(lines))
        except OSError as error:
            raise MapError(f"{self.path}: {error.strerror}") from error
        return Written(True, len(lines), left_out, self.kind == "texthash")  # noqa: FBT003

    def _lines(self) -> list[str] | None:
        """Return the lines of the map in place, None where there is none."""
        try:
            with self.path.open(encoding="utf-8") as text:
                return list(text)
        except FileNotFoundError:
            return None

    def _replace(self, text: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.new")
        built = aside.with_name(aside.name + SUFFIXES[self.kind])
        try:
            _write_through(aside, text)
            if built != aside:
                self._compile(aside)
                bring_to_disk(built)
                built.replace(self.table)
            aside.replace(self.path)
            bring_to_disk(self.path.parent)
        finally:
            aside.unlink(missing_ok=True)
            built.unlink(missing_ok=True)

    def _compile(self, source: Path) -> None:
        configured = [] if self.configuration is None else ["-c", str(self.configuration)]
        command = [self.postmap, *configured, f"{self.kind}:{source}"]
        try:
            done = subprocess.run(  # noqa: S603  no shell, and the arguments are paths of the configuration
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_POSTMAP_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MapError(f"{self.postmap}: {error}") from error
        if done.returncode:
            raise MapError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")


def _fits(address: str) -> bool:
    """Tell whether a line of a table can begin with this address: no space, no comment, nothing to be repaired."""
    return strict(address) == address and not address.startswith("#")


def _check_size(count: int, before: int, *, force: bool) -> None:
    if before and not count:
        raise MapError(f"it would be empty after {before} addresses; not replaced")
    if count * 2 < before and not force:
        raise MapError(f"it would shrink from {before} to {count} addresses; not replaced without force")


def _write_through(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)
