"""What has to survive a loss of power. Fails with OSError."""

from __future__ import annotations

import os
from pathlib import Path


def bring_to_disk(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on disk, so that a rename never outlives what it names.

    Source: fsync(2).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
