"""What processes cost, from /proc (Linux, proc(5)): CPU time and memory of a process and all below it.

A process that ends while it is being looked at counts as nothing; no /proc is an OSError.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in octets; `pss` shares common pages among their users, `peak` is the largest RSS ever."""

    pid: int
    rss: int
    pss: int
    peak: int


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (state) on; the second may hold blanks and parentheses."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """The process `root` and all its descendants."""
    parents = {int(path.name): _stat(int(path.name)) for path in _PROC.iterdir() if path.name.isdigit()}
    family, before = {root}, 0
    while len(family) > before:
        before = len(family)
        family |= {pid for pid, fields in parents.items() if fields and int(fields[1]) in family}
    return sorted(family)


def cpu_seconds(root: int) -> float:
    """User and system time of the tree so far, with that of its children which have ended."""
    total = 0
    for pid in tree(root):
        fields = _stat(pid)
        if fields:
            # proc(5): utime, stime, cutime, cstime are fields 14 to 17
            total += sum(int(value) for value in fields[11:15])
    return total / _TICK


def memory(root: int) -> list[Memory]:
    """Memory of each process of the tree that has any."""
    return [one for one in map(_memory_of, tree(root)) if one.rss]


def _memory_of(pid: int) -> Memory:
    # Of one look: VmRSS and VmHWM are what the kernel has counted so far, per processor, and lag behind (proc(5)).
    rollup, status = _fields(pid, "smaps_rollup"), _fields(pid, "status")
    rss = rollup.get("Rss", 0)
    return Memory(pid, rss, rollup.get("Pss", 0), max(rss, status.get("VmHWM", 0)))


def _fields(pid: int, name: str) -> dict[str, int]:
    """The `Name: N kB` lines of a /proc file, in octets."""
    try:
        lines = (_PROC / str(pid) / name).read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    words = [line.split() for line in lines if line.endswith(" kB")]
    return {word[0].rstrip(":"): int(word[1]) * 1024 for word in words}
