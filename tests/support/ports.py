"""Free loopback ports for the servers that the tests start.

The ports lie below Linux' ephemeral range, so that no outgoing connection takes one between the look and the
use. Two test runs can still draw the same number: who starts a server tries again with another one.
Fails with OSError when no port of the range is free.
"""

import random
import socket

LOOPBACK = "127.0.0.1"
_RANGE = range(20000, 32000)
_TRIES = 200


def is_free(port: int) -> bool:
    """Say whether nothing is bound to the TCP port on the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a TCP port on which nothing listens right now."""
    for _ in range(_TRIES):
        port = random.choice(_RANGE)
        if is_free(port):
            return port
    raise OSError(f"no free port on {LOOPBACK} in {_RANGE}")
