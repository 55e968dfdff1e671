"""The exit codes of every command, in one place; docs/commands.md lists them, and a test compares."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says. 2 is Typer's own for a command line that can't be read."""

    OK = 0
    FINDING = 1
    USAGE = 2
    CONFIGURATION = 3
    DIRECTORY = 4
    NOT_RUNNING = 5
    MIRROR = 6
    POSTFIX = 7
    STATE = 8
    DECIDED = 9
    IN_THE_WAY = 10
    CHANGED = 11
    SURPRISE = 70

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "All is well.",
    Exit.FINDING: "The command ran and found something: a failing case, a serious finding, no such group or message.",
    Exit.USAGE: "The command line can't be read.",
    Exit.CONFIGURATION: "The configuration, a policy, a key file or a case file is bad; nothing was changed.",
    Exit.DIRECTORY: "The directory can't be reached or read, or doesn't take a change.",
    Exit.NOT_RUNNING: "groupmilter isn't running, or doesn't answer on its control socket.",
    Exit.MIRROR: "There is no mirror that can be used: never loaded, too old, or not readable.",
    Exit.POSTFIX: "Postfix's settings can't be read, or the generated map can't be built.",
    Exit.STATE: "The ledger, the hold mailbox or a backup can't be used: not there, damaged, or of a later version.",
    Exit.DECIDED: "Somebody had decided before about one of the messages; that decision stands.",
    Exit.IN_THE_WAY: "Something is in the way: groupmilter runs, a file is there, a key is needed; nothing is changed.",
    Exit.CHANGED: "Somebody else has changed the same field meanwhile; nothing was overwritten.",
    Exit.SURPRISE: "An error nobody foresaw; its trace is printed. Please report it.",
}
