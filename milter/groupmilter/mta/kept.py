"""The body of a message, kept until its end where a signature covers it; in memory first, then in a temporary file.

The file has no name any more and goes with its last reference. A disk without room raises `OSError`: the session's
guard defers the message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile

_IN_MEMORY = 256 * 1024
"""Octets kept in memory; a larger body goes into a file."""


def _file() -> SpooledTemporaryFile[bytes]:
    return SpooledTemporaryFile(_IN_MEMORY)


@dataclass(slots=True)
class KeptBody:
    """A body in chunks.

    :param largest: octets; of a larger one nothing is kept.
    """

    largest: int
    _file: SpooledTemporaryFile[bytes] | None = field(default_factory=_file)

    def add(self, chunk: bytes) -> None:
        """Keep a chunk."""
        if self._file is None:
            return
        if self._file.tell() + len(chunk) > self.largest:
            self.close()
        else:
            self._file.write(chunk)

    def close(self) -> None:
        """Forget what was kept."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        """Close the file with the last reference: a message ends in more ways than one."""
        self.close()

    @property
    def whole(self) -> bool:
        """Whether everything was kept."""
        return self._file is not None

    def read(self) -> bytes:
        """Return the octets of the whole body; nothing where it was too large."""
        if self._file is None:
            return b""
        self._file.seek(0)
        return self._file.read()
