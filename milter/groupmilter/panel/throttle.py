"""Counting by client address, within bounds of memory: a fixed number of addresses, the longest silent forgotten.

Nothing here fails. For any thread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

_MOST = 4096


class Throttle:
    """How often something may happen within a window, by address and in all.

    :param each, total: how often, for one address (an IPv6 network of 64 bits counts as one) and for all.
    :param window: seconds. ``clock``: seconds from any start.
    """

    def __init__(self, each: int, total: int, window: float, clock: Callable[[], float]) -> None:
        self._each = each
        self._total = total
        self._window = window
        self._clock = clock
        self._began = clock()
        self._all = 0
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def admits(self, address: str) -> bool:
        """Count one more from an address; tell whether it is within the bounds."""
        key = network_of(address)
        with self._lock:
            self._turn()
            self._all += 1
            count = self._counts.pop(key, 0) + 1
            self._counts[key] = count
            if len(self._counts) > _MOST:
                self._counts.popitem(last=False)
            return count <= self._each and self._all <= self._total

    def left(self) -> int:
        """Return the seconds until counting begins anew, at least 1."""
        return max(1, round(self._began + self._window - self._clock()))

    def _turn(self) -> None:
        now = self._clock()
        if now - self._began >= self._window:
            self._began = now
            self._all = 0
            self._counts.clear()


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or 64 bits of an IPv6 one."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64))
