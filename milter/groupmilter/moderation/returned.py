"""Letters of ours that come back, told by their return path from reports about members' mail (`bouncing`).

A report is anybody's text, and the server of whoever was asked has seen the address that takes it. All that it can
bring about is that others are asked, too, once. Raises `LedgerUnavailable` and `DirectoryUnknown`: the report stays in
the mailbox and is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.ticket import LETTER, Keys, unseal
from groupmilter.moderation.bounce import Report, Tells
from groupmilter.moderation.correspondence import Correspondence
from groupmilter.moderation.item import Arrival
from groupmilter.moderation.mailbox import Folder

_UNSAID = "the report doesn't say why"


@dataclass(frozen=True, slots=True)
class Returned:
    """What reading reports takes.

    :param members: what becomes of a report that is about members' mail: the folder for it, None where it isn't kept.
    """

    correspondence: Correspondence
    keys: Keys
    members: Callable[[Arrival, Report], Folder | None]
    log: FilteringBoundLogger

    def take(self, arrival: Arrival, report: Report) -> Folder | None:
        """Have others asked where a letter has come back; return where the report belongs, None where it isn't kept."""
        ticket = unseal(arrival.ticket, self.keys)
        if ticket is None or ticket.reason != LETTER:
            return self.members(arrival, report)
        if arrival.return_path or report.tells is not Tells.FAILURE:
            self.log.info(
                "no report that a letter has come back", file=arrival.file, tells=report.tells.value
            )
            return None
        why = next((f"{one.status} {one.why}".strip() for one in report.failures), "") or _UNSAID
        if not self.correspondence.returned(ticket.nonce, ticket.group, why):
            self.log.info("report about a letter that nobody waits for", file=arrival.file)
            return None
        self.log.warning("letter came back", file=arrival.file, why=why)
        return Folder.REPORTS
