"""``deliver``: writes the hold mailbox, for Sendmail, which starts it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EX_TEMPFAIL = 75
"""sysexits(3): the MTA keeps the message and tries again."""


def deliver(
    maildir: Annotated[Path, typer.Argument(metavar="MAILDIR", help="The hold mailbox.")],
) -> None:
    """Put mail into the hold mailbox, spoken to by LMTP on standard input.

    For Sendmail, which starts it as a mailer; Postfix writes the mailbox itself. It answers 250 only for what is on
    disk, and needs neither the configuration nor a running groupmilter.
    """
    import sys

    from groupmilter.moderation.delivery import Broken, Drop, Session

    def complain(text: str) -> None:
        typer.echo(f"groupmilter deliver: {text}", err=True)

    session = Session(Drop(maildir), sys.stdin.buffer, sys.stdout.buffer, complain)
    try:
        session.serve()
    except (Broken, OSError) as error:
        complain(str(error))
        raise typer.Exit(EX_TEMPFAIL) from error
