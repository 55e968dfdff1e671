"""The generated map as a site has it: its table type found out once, its programs run without the site's main.cf.

The addresses in it are also what the milter falls back on while the mirror can't be read: who is in the map may be a
group, and waits; everybody else's mail goes on. Raises `MapError` where the map can't be built, the old one then stays.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from groupmilter.directory.addressmap import AddressMap, MapError, Written, entries, preferred_type

_PATIENCE = 30.0


class GeneratedMap:
    """The map at one path, for one writer; any process may read it.

    :param path: the text; the table stands beside it.
    :param kind: the table's type; None: the best that the Postfix of this host has, ``texthash`` without one.
    :param delimiters: of address extensions, the MTA's; empty: groups have no further addresses.
    """

    def __init__(self, path: Path, kind: str | None, service_domain: str, delimiters: str = "") -> None:
        self.path = path
        self._kind = kind
        self._service_domain = service_domain
        self._delimiters = delimiters
        self._known: tuple[int, frozenset[str]] | None = None
        self._last: tuple[object, Written] | None = None

    @property
    def kind(self) -> str:
        """The table's type, as in ``lmdb:/path``."""
        self._kind = self._kind or preferred_type(_known_types())
        return self._kind

    def write(
        self, addresses: tuple[str, ...], taken: frozenset[str] = frozenset(), *, force: bool = False
    ) -> Written:
        """Bring the map up to the groups' addresses; raises `MapError`. Costs little where they are those of last time.

        :param taken: addresses that are somebody's own, though they look like a group's further ones.
        """
        if self._last is not None and self._last[0] == (addresses, taken, *self._stamps()):
            return replace(self._last[1], changed=False, reload_needed=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _empty_configuration() as configuration:
            content = entries(addresses, self._service_domain, self._delimiters, taken)
            written = self._map(configuration).write(content, force=force)
        self._last = ((addresses, taken, *self._stamps()), written)
        return written

    def _map(self, configuration: Path | None = None) -> AddressMap:
        return AddressMap(self.path, self.kind, _program("postmap") or "postmap", configuration)

    def _stamps(self) -> tuple[tuple[int, int] | None, ...]:
        """Return what tells whether text and table are still those that were written."""
        return tuple(map(_stamp, (self.path, self._map().table)))

    def addresses(self) -> frozenset[str] | None:
        """Return the addresses that the map knows; None where there is no map yet."""
        try:
            changed = self.path.stat().st_mtime_ns
            if self._known is None or self._known[0] != changed:
                lines = self.path.read_text("utf-8").splitlines()
                self._known = changed, frozenset(line.partition("\t")[0] for line in lines)
        except OSError:
            return None
        return self._known[1]


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _known_types() -> list[str]:
    program = _program("postconf")
    if program is None:
        return []
    with _empty_configuration() as configuration:
        command = [program, "-c", str(configuration), "-m"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)  # noqa: S603 - fixed words
        except (OSError, subprocess.SubprocessError) as error:
            raise MapError(f"{program}: {error}") from error
    return done.stdout.split()


@contextmanager
def _empty_configuration() -> Iterator[Path]:
    """Give Postfix's programs a main.cf of their own: the site's need not be there, nor be readable to us."""
    with tempfile.TemporaryDirectory(prefix="groupmilter-postfix-") as folder:
        Path(folder, "main.cf").write_text("compatibility_level = 3.6\n", "ascii")
        yield Path(folder)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
