"""Log-ins that fail are slowed down, ever more, and never locked out for good.

Failures count by client address and by log-in name, and fade with time. Who has logged in from an address before is
slowed there by his own failures only, not by what others try under his name or from his office's address. Memory is
bounded: what has been quiet for longest is forgotten first. Nothing here fails. For any thread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from groupmilter.panel.throttle import network_of

_MOST = 8192
_FIRST_WAIT = 1.0
_DOUBLED_AT_MOST = 20
_ADDRESS_EASE = 20
"""How many times faster the failures of an address fade: many people may share it."""


@dataclass(slots=True)
class _Failures:
    """Failures, faded; ``until``: when the next attempt may be made, ``last``: when the last one was."""

    count: float = 0.0
    until: float = 0.0
    last: float = 0.0


class LoginThrottle:
    """Says how long an attempt has to wait.

    :param tries, tries_by_address: failures without a wait, by log-in name and by client address.
    :param longest: seconds that anybody waits at most, and in which one failure of a name fades.
    :param clock: seconds from any start.
    """

    def __init__(self, tries: int, tries_by_address: int, longest: float, clock: Callable[[], float]) -> None:
        self._tries = {"name": tries, "own": tries, "address": tries_by_address}
        self._ease = {"name": longest, "own": longest, "address": longest / _ADDRESS_EASE}
        self._longest = longest
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._failures) + len(self._known)

    def begin(self, login: str, address: str) -> int:
        """Return the seconds that this attempt has to wait before it is made; 0: it is made now.

        An attempt that is made counts as failed until `succeeded` is told, so that many at once are no way round.
        """
        with self._lock:
            now = self._clock()
            keys = self._keys(login, address)
            # What is only looked at takes no room: it would push out what others have failed.
            wait = max(known.until - now if (known := self._failures.get(key)) else 0.0 for key in keys)
            if wait > 0:
                return max(1, round(wait + 0.5))
            for key in keys:
                self._fail(key, now)
            return 0

    def succeeded(self, login: str, address: str) -> None:
        """Forget what failed under this name; the address gets back this attempt only."""
        with self._lock:
            # Who knows one password must not get any number of tries at others'.
            self._take_back(login, address)
            for key in self._keys(login, address):
                if key[0] != "address":
                    self._failures.pop(key, None)
            self._remember((login, network_of(address)))

    def undecided(self, login: str, address: str) -> None:
        """Take back an attempt that came to nothing: the directory couldn't be asked."""
        with self._lock:
            self._take_back(login, address)

    def _take_back(self, login: str, address: str) -> None:
        for key in self._keys(login, address):
            entry = self._failures.get(key)
            if entry is not None:
                entry.count, entry.until = max(0.0, entry.count - 1), 0.0

    def _keys(self, login: str, address: str) -> tuple[tuple[str, str], ...]:
        network = network_of(address)
        if (login, network) in self._known:
            return (("own", f"{network} {login}"),)
        return (("name", login), ("address", network))

    def _entry(self, key: tuple[str, str]) -> _Failures:
        entry = self._failures.setdefault(key, _Failures())
        self._failures.move_to_end(key)
        while len(self._failures) > _MOST:
            self._failures.popitem(last=False)
        return entry

    def _fail(self, key: tuple[str, str], now: float) -> None:
        entry = self._entry(key)
        faded = (now - entry.last) / self._ease[key[0]]
        entry.count, entry.last = max(0.0, entry.count - faded) + 1, now
        over = int(entry.count) - self._tries[key[0]]
        if over >= 0:
            entry.until = now + min(self._longest, _FIRST_WAIT * 2 ** min(over, _DOUBLED_AT_MOST))

    def _remember(self, known: tuple[str, str]) -> None:
        self._known[known] = None
        self._known.move_to_end(known)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
