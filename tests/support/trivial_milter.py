"""A trivial pymilter filter, for the self-tests of the milter client: run it as a program with a socket to open.

It refuses recipients that contain `refused`, defers those with `later`, replaces `group` by two members at the end,
adds a header, and says in it which macros it was told. It fails as pymilter does.
"""

from __future__ import annotations

import sys

import Milter  # type: ignore[import-untyped]  # pymilter has no types


class TrivialMilter(Milter.Base):  # type: ignore[misc]  # pymilter has no types
    """One SMTP session."""

    def envfrom(self, sender: str, *_parameters: str) -> int:
        """A new message."""
        self.groups: list[str] = []
        self.login = self.getsymval("{auth_authen}")
        self.early_queue_id = self.getsymval("i")
        self.size = 0
        return int(Milter.REJECT if "banned" in sender else Milter.CONTINUE)

    def envrcpt(self, recipient: str, *_parameters: str) -> int:
        """Refuse, defer, or note a group."""
        if "refused" in recipient.lower():
            self.setreply("550", "5.7.1", "100%% no")
            return int(Milter.REJECT)
        if "later" in recipient:
            return int(Milter.TEMPFAIL)
        if "group" in recipient.lower():
            self.groups.append(recipient)
        return int(Milter.CONTINUE)

    def header(self, name: str, value: str) -> int:
        """Refuse a message with a certain header."""
        return int(Milter.REJECT if (name, value) == ("X-Refuse", "yes") else Milter.CONTINUE)

    def body(self, chunk: bytes) -> int:
        """Count octets; more than one chunk is not wanted."""
        self.size += len(chunk)
        return int(Milter.SKIP)

    def eom(self) -> int:
        """Change what there is to change."""
        for group in self.groups:
            self.addrcpt("<jean@masociete.example>", "NOTIFY=NEVER ORCPT=rfc822;group@masociete.example")
            self.addrcpt("<pierre@masociete.example>")
            self.delrcpt(group)
        self.chgfrom("<bounce@masociete.example>")
        self.chgheader("Subject", 1, "changed")
        self.addheader("X-Seen", f"{self.login} {self.early_queue_id} {self.getsymval('i')} {self.size}")
        return int(Milter.CONTINUE)


def main() -> None:
    """Serve on the socket named by the first argument."""
    Milter.factory = TrivialMilter
    Milter.set_flags(Milter.CHGHDRS + Milter.ADDHDRS + Milter.ADDRCPT + Milter.DELRCPT + Milter.CHGFROM)
    Milter.runmilter("trivial", sys.argv[1], 60)


if __name__ == "__main__":
    main()
