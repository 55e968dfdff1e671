"""A supervised milter for the tests of the processes: run it as a program with a JSON file of settings.

Each RCPT is answered with the tag of the settings and the process id that answered. MAIL FROM:<hang@...> hangs in
the callback, until the process ends. A file that isn't JSON is refused by the reload. Ends as the supervisor does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import milter

from groupmilter.config.places import Listen
from groupmilter.log import logger
from groupmilter.mta import worker
from groupmilter.mta.listener import Listener, inherited_listener, open_listener, open_unix
from groupmilter.supervision import Accepted, Channel, Limits, Notifier, Refused, Role, Supervisor


class Session:
    """What the callbacks of one process know; `adopting` replaces how the socket gets into libmilter."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.open = 0
        self.hanging_since: float | None = None

    def register(self) -> None:
        """Register the callbacks."""
        milter.set_connect_callback(self.connect)
        milter.set_envfrom_callback(self.mail)
        milter.set_envrcpt_callback(self.rcpt)
        milter.set_close_callback(self.close)
        milter.register("supervised")

    def connect(self, *_: object) -> int:
        """Count."""
        self.open += 1
        return milter.CONTINUE

    def close(self, _: object) -> int:
        """Count."""
        self.open -= 1
        return milter.CONTINUE

    def mail(self, _context: object, sender: str | bytes, *_: object) -> int:
        """Hang where asked to."""
        if "hang" in str(sender):
            self.hanging_since = time.monotonic()
            threading.Event().wait()
        return milter.CONTINUE

    def rcpt(self, context: milter.milterContext, *_: object) -> int:
        """Say who answers."""
        context.setreply("550", "5.7.1", f"{self.tag} {os.getpid()}")
        return milter.REJECT

    def oldest(self) -> float:
        """Return the age of the hanging callback."""
        return 0.0 if self.hanging_since is None else time.monotonic() - self.hanging_since


class Site:
    """The settings file, and the socket that outlives a reload."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = logger("debug", json=True)
        self.settings = json.loads(path.read_text())
        self.listener = inherited_listener(os.environ, os.getpid()) or self._open()

    def _open(self) -> Listener:
        listen = self.settings["listen"]
        kind, place = listen["kind"], listen["place"]
        address = (
            Listen(kind, path=Path(place))
            if kind == "unix"
            else Listen(kind, host=place, port=listen["port"])
        )
        return open_listener(address)

    def roles(self) -> tuple[Role, ...]:
        """Return the roles as the settings have them."""
        settings = json.loads(self.path.read_text())
        session_of = settings["tag"]

        def run(channel: Channel) -> int:
            session = Session(session_of)
            callbacks = worker.Sessions(session.register, lambda: session.open, session.oldest)
            if settings.get("crash"):
                return 3
            if settings.get("replacement"):  # as with a libmilter that does not know fd:
                worker.adopt = worker.adopt_by_replacement
            return worker.run_worker(channel, self.listener, callbacks, self.log, worker.Patience(1.0))

        milters = Role(
            "milter",
            settings.get("workers", 2),
            run,
            descriptors=frozenset({self.listener.fileno()}),
            # A worker of a busy machine is slow; it doesn't hang.
            stall_after=settings.get("stall", 120.0),
            drain_within=settings.get("drain", 60.0),
        )
        return (milters, Role("idle", 1, idle, alone=True)) if settings.get("idle") else (milters,)

    def reload(self) -> Accepted | Refused:
        """Read the settings again."""
        try:
            return Accepted(self.roles())
        except ValueError as error:
            return Refused((str(error),))


def idle(channel: Channel) -> int:
    """Run a role that has nothing to do with mail."""
    channel.ready()
    while channel.wait(0.2) is None:
        channel.alive({"descriptors": len(list(Path("/proc/self/fd").iterdir()))})
    channel.draining()
    return 0


def main() -> int:
    """Supervise."""
    site = Site(Path(sys.argv[1]))
    control = Listener(open_unix(Path(site.settings["control"]), mode=0o600))
    supervisor = Supervisor(
        site.roles(),
        site.reload,
        site.log,
        control=control.socket,
        notifier=Notifier.from_environment(os.environ, os.getpid()),
        limits=Limits(
            stop=site.settings.get("stop", 60.0),
            acknowledge=site.settings.get("acknowledge", 120.0),
            shortest=0.1,
            longest=0.5,
        ),
        on_stop=site.listener.close,
    )
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
