"""`python -m deploy.demo`: the demonstration, on a machine that has what it needs (`deploy/demo/run` sees to it).

Exit code 0: all messages and decisions fared as they should; 1: one did not; 2: bad arguments; 3: a server didn't
start.
Ctrl-C, TERM and HUP end everything that was started and remove the directory.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from deploy.demo import telling, telling_moderation
from deploy.demo.deciding import asked, decide, waiting
from deploy.demo.decisions import DECISIONS
from deploy.demo.guide import invite, watch
from deploy.demo.panel import looked_at
from deploy.demo.play import explain_arguments, play
from deploy.demo.post import folder_of
from deploy.demo.site import Site
from deploy.demo.story import DOMAIN, STORY, Scene, Words
from deploy.demo.telling import Explained
from rich.console import Console
from tests.support.postfix import PostfixError
from tests.support.serving import ServingFailed
from tests.support.slapd import SlapdFailed

_NOT_STARTED = 3
_WANTED = len(STORY) + len(DECISIONS) + 1
_FAILURES = (PostfixError, ServingFailed, SlapdFailed, OSError, TimeoutError)


class _Ended(BaseException):
    """Somebody wants it to end: Ctrl-C, TERM or HUP. No library on the way may take it for an error and go on."""


def main(arguments: Sequence[str]) -> int:
    """Show everything; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="deploy/demo/run", description="Five telling messages, four decisions, then stay up."
    )
    parser.add_argument(
        "--once", action="store_true", help="end after the messages; exit code 0 if all is well"
    )
    options = parser.parse_args(arguments)
    console = telling.terminal()
    _listen()
    try:
        return _show(console, once=options.once)
    except _Ended:
        return 0
    except _FAILURES as failure:
        sys.stderr.write(f"The demonstration could not go on · arrêt : {failure}\n")
        return _NOT_STARTED


def _listen() -> None:
    """Turn the first signal into an exception, so that all contexts are left, and be deaf to more of them."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in wanted:
            signal.signal(number, signal.SIG_IGN)
        raise _Ended

    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in wanted:
        signal.signal(number, end)


def _show(console: Console, *, once: bool) -> int:
    console.print(telling.opening())
    with Site(lambda words: console.print(telling.step(words))) as site:
        console.print(telling.configuration(site.serving.configuration))
        good = sum(_tell(console, site, number, scene) for number, scene in enumerate(STORY, 1))
        good += _decisions(console, site)
        good += _panel(console, site)
        console.print(telling.closing(good, _WANTED))
        if not once:
            invite(console, site)
            watch(site, lambda where, subject, sender: console.print(telling.arrival(where, subject, sender)))
        console.print(telling.step(Words("everything is being stopped", "arrêt de tout")))
    return 0 if good == _WANTED else 1


def _tell(console: Console, site: Site, number: int, scene: Scene) -> bool:
    outcome = play(site, scene)
    held = [site.read(name) for name in outcome.held]
    console.print(telling.scene(number, scene, outcome, explained(site, scene), held))
    return outcome.matches(scene)


def _decisions(console: Console, site: Site) -> int:
    """Have each held message decided about, and tell of it; return how many fared as they should."""
    console.print(telling_moderation.chapter())
    good = 0
    for number, decided in enumerate(DECISIONS, 1):
        file = waiting(site, decided.scene)
        letters = asked(site, decided.scene)
        if number == 1:
            words = Words("Siân's letter", "le courriel que reçoit Siân")
            console.print(telling_moderation.shown(letters[decided.moderator], words))
        came = decide(site, decided, file)
        console.print(telling_moderation.decision(number, decided, came))
        for told in came.told.values():
            words = Words("what the sender gets", "ce que reçoit l'expéditeur")
            console.print(telling_moderation.shown(told, words))
        good += came.matches(decided)
    where = {name: folder_of(path) for name, path in site.held().items()}
    console.print(telling_moderation.folders(where, str(site.hold)))
    return good


def _panel(console: Console, site: Site) -> int:
    """Have the administrator look for a group in the panel; return 1 where it shows, else 0."""
    address = f"contact@{DOMAIN}"
    shows = looked_at(site.panel, "administrator", address)
    console.print(telling.panel(site.panel, address, shows=shows))
    return int(shows)


def explained(site: Site, scene: Scene) -> Explained:
    """Ask `groupmilter explain` about a scene's message; raises ServingFailed if it can't say."""
    arguments = explain_arguments(scene)
    ran = site.serving.run("--json", *arguments)
    if ran.returncode != 0:
        raise ServingFailed(f"groupmilter {shlex.join(arguments)}: exit code {ran.returncode}\n{ran.stderr}")
    return Explained(f"groupmilter {shlex.join(arguments)}", json.loads(ran.stdout))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
