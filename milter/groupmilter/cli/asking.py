"""Asking before something is done to much at once, or for good; `CommandFailed` where nobody says yes."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed


def ask(question: str, *, instead: str, nothing: str, show: Callable[[], None] | None = None) -> None:
    """Have the administrator say yes on a terminal; anything else ends the command.

    :param instead: what to say where nobody can be asked, with the options that ask nothing.
    :param nothing: that nothing was done. ``show``: prints what the question is about, before it.
    """
    if not sys.stdin.isatty():
        raise CommandFailed(Exit.USAGE, instead)
    if show is not None:
        show()
    if not typer.confirm(question, err=True):
        raise CommandFailed(Exit.FINDING, nothing)
