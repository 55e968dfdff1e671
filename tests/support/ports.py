"""Free loopback ports for the servers that the tests start.

The ports lie below Linux' ephemeral range, so that no outgoing connection takes one between the look and the
use. Each process of tests has a block of them to itself, for as long as it lives: whoever runs beside it draws from
another, and inside the block a port's turn comes again only after all others. So a server that takes seconds to
start, or is stopped and started again, finds its port free.

Fails with OSError when every block has its process, or no port of ours is free.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from functools import cache

LOOPBACK = "127.0.0.1"
_FIRST, _BLOCKS, _SIZE = 20000, 40, 300


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
    """Return a TCP port on which nothing listens right now, and which nobody else is given for the time being."""
    turns = _turns(os.getpid())
    for _ in range(_SIZE):
        port = next(turns)
        if is_free(port):
            return port
    raise OSError(f"no free port on {LOOPBACK} among {_SIZE}")


@cache
def _turns(process: int) -> Iterator[int]:
    """The ports of a process' block, round and round."""
    block = _taken(process)
    return _round(range(_FIRST + block * _SIZE, _FIRST + (block + 1) * _SIZE))


def _round(ports: range) -> Iterator[int]:
    while True:
        yield from ports


def _taken(process: int) -> int:
    """Take a block that nobody has; return its number.

    A name in Linux' abstract namespace (unix(7)) says whose it is, and is gone with its last process.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for block in random.sample(range(_BLOCKS), _BLOCKS):
        try:
            claim.bind(f"\0groupmilter-tests-ports-{block}")
        except OSError:
            continue
        # Kept open as long as the process lives.
        claim.detach()
        return block
    claim.close()
    raise OSError(f"process {process}: all {_BLOCKS} blocks of ports are taken")
