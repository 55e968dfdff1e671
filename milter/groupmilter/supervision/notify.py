"""What systemd is told about us (sd_notify(3)): one datagram to ``NOTIFY_SOCKET``, abstract or a path.

Without that variable nothing is sent. A socket that doesn't take the datagram raises OSError, which the
supervisor logs and survives: systemd's own timeout decides then.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notifier:
    """Where to notify.

    :param address: ``NOTIFY_SOCKET`` as it stands; empty: nobody.
    :param watchdog: seconds within which systemd wants to hear of us; 0: never.
    """

    address: str = ""
    watchdog: float = 0.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> Notifier:
        """Return what systemd asked process ``pid`` for (sd_watchdog_enabled(3))."""
        microseconds = environment.get("WATCHDOG_USEC", "0")
        meant = environment.get("WATCHDOG_PID", str(pid)) == str(pid) and microseconds.isdigit()
        return cls(environment.get("NOTIFY_SOCKET", ""), int(microseconds) / 1e6 if meant else 0.0)

    def tell(self, *lines: str) -> None:
        """Send assignments such as ``READY=1``.

        :raises OSError: where systemd's socket can't be reached.
        """
        if not self.address:
            return
        place = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
            wire.settimeout(0)  # a stopped systemd may not stop us
            wire.sendto("\n".join(lines).encode(), place)
