"""The least a pymilter can do: replaces a group by so many members. The yardstick for what Python itself
costs, and the stand-in for ours when the harness is tried without the program.

    python trivial_pymilter.py unix:PATH|inet:PORT@HOST GROUP MEMBERS [GROUP MEMBERS]...

One process. It asks for MAIL, RCPT, DATA and end of message only. It fails as libmilter does when the
socket cannot be opened; an exception in a callback is pymilter's business (451).
"""

import os
import sys
from collections.abc import Mapping
from typing import Protocol

import milter

DOMAIN = "example.org"
_UNWANTED = ("P_NOCONNECT", "P_NOHELO", "P_NOHDRS", "P_NOEOH", "P_NOBODY", "P_NOUNKNOWN")


class _Context(Protocol):
    """What is used here of pymilter's milterContext."""

    def setpriv(self, value: list[str]) -> None: ...

    def getpriv(self) -> list[str]: ...

    def addrcpt(self, address: str) -> None: ...

    def delrcpt(self, address: str) -> None: ...


def _negotiate(_context: _Context, options: list[int]) -> int:
    """Answer the offer in place: the actions wanted, and the steps not wanted."""
    options[0] = milter.ADDRCPT | milter.DELRCPT
    options[1] = sum(int(getattr(milter, name)) for name in _UNWANTED)
    return milter.CONTINUE


def _mail(context: _Context, *_arguments: bytes) -> int:
    context.setpriv([])
    return milter.CONTINUE


def serve(address: str, groups: Mapping[str, int]) -> None:
    """Serve until stopped; `address` in libmilter's notation, `groups` from address to number of members."""
    members = [f"<person{number}@{DOMAIN}>" for number in range(max(groups.values()))]

    def recipient(context: _Context, argument: bytes, *_arguments: bytes) -> int:
        spelling = argument.decode()
        if spelling.strip("<>").lower() in groups:
            context.getpriv().append(spelling)
        return milter.CONTINUE

    def end(context: _Context) -> int:
        for spelling in context.getpriv() or ():
            for member in members[: groups[spelling.strip("<>").lower()]]:
                context.addrcpt(member)
            context.delrcpt(spelling)
        return milter.CONTINUE

    milter.set_flags(milter.ADDRCPT | milter.DELRCPT)
    milter.set_envfrom_callback(_mail)
    milter.set_envrcpt_callback(recipient)
    milter.set_eom_callback(end)
    milter.register("trivial", negotiate=_negotiate)
    os.umask(0)
    milter.setconn(address)
    milter.opensocket(True)
    milter.main()


if __name__ == "__main__":
    serve(sys.argv[1], dict(zip(sys.argv[2::2], map(int, sys.argv[3::2]), strict=True)))
