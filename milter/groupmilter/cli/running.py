"""The running service as commands reach it: one control socket, or one for each role that runs on its own.

Raises `CommandFailed` where it refuses, `ControlError` where it runs and doesn't answer.
"""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import TYPE_CHECKING

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed

if TYPE_CHECKING:
    from groupmilter.config.model import Site

_PATIENCE = 90.0
_ABSENT = {errno.ENOENT, errno.ECONNREFUSED}


def answering(site: Site) -> tuple[Path, ...]:
    """Return the control sockets behind which somebody is at work; none: groupmilter isn't running."""
    control = site.control
    beside = sorted(control.parent.glob(f"{control.stem}-*{control.suffix}"))
    return tuple(path for path in (control, *beside) if _alive(path))


def serves(site: Site, role: str) -> bool:
    """Tell whether a process of a role is at work."""
    from groupmilter.supervision.control import ControlError, ask

    for path in answering(site):
        try:
            children = ask(path, {"command": "status"}, 5.0).get("children")
        except ControlError:
            continue
        if isinstance(children, list) and any(child.get("role") == role for child in children):
            return True
    return False


def _alive(path: Path) -> bool:
    from groupmilter.supervision.control import ControlError, ask

    try:
        ask(path, {"command": "status"}, 5.0)
    except ControlError as error:
        cause = error.__cause__
        return not (isinstance(cause, OSError) and cause.errno in _ABSENT)
    return True


def reloaded(sockets: tuple[Path, ...]) -> None:
    """Have everybody read the configuration anew, and wait until all processes are replaced.

    :raises CommandFailed: where somebody refuses, which changes nothing there, or isn't done in time.
    """
    from groupmilter.supervision.control import ask

    for path in sockets:
        answer = ask(path, {"command": "reload"})
        if not answer.get("ok"):
            errors = answer.get("errors")
            sentences = [str(error) for error in errors] if isinstance(errors, list) else ["refused"]
            raise CommandFailed(Exit.CONFIGURATION, *sentences)
    deadline = time.monotonic() + _PATIENCE
    waiting = list(sockets)
    while waiting:
        waiting = [path for path in waiting if not ask(path, {"command": "status"}).get("settled")]
        if waiting and time.monotonic() > deadline:
            said = f"the processes were not replaced within {_PATIENCE:.0f} s; see groupmilter status and the log"
            raise CommandFailed(Exit.NOT_RUNNING, said)
        time.sleep(0.1 if waiting else 0)
