"""Whether Postfix has anything queued, as its queue directory tells; never fails for what moves meanwhile.

showq(8) looks into the active queue before the incoming one, so it misses a message that goes from there to here just
then. Here the queues are looked into as mail goes through them (qmgr(8)), and twice: a report is on its way before the
message that it is about has gone, but may come into a queue that was looked into already.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_WAY = ("maildrop", "incoming", "active", "deferred", "hold", "active")


def is_empty(queue: Path) -> bool:
    """Tell whether no whole message is in any queue; what is still being written counts for nobody yet."""
    return not any(_has_mail(queue / name) for name in _WAY * 2)


def _has_mail(folder: Path) -> bool:
    return any(_whole(Path(parent, file)) for parent, _, files in os.walk(folder) for file in files)


def _whole(file: Path) -> bool:
    """Tell whether a message is complete: cleanup(8) and postdrop(1) say so by its mode. One that has moved on is."""
    try:
        return bool(file.lstat().st_mode & stat.S_IXUSR)
    except FileNotFoundError:
        return True
