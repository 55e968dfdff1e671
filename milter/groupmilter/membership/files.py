"""Files of whole groups, by what they are: a table of ours, an export of Exchange, or a roster of Mailman. Pure."""

from __future__ import annotations

from groupmilter.membership import exchange, mailman
from groupmilter.membership.draft import Drafts
from groupmilter.membership.importing import own_table

TABLE, EXCHANGE, MAILMAN = "table", "exchange", "mailman"
MEMBER = "member"


def drafts(text: str, kind: str, group: str = "", role: str = MEMBER) -> Drafts:
    """Return the groups that a file describes; `BadFile` where it isn't what it is said to be.

    :param kind: `TABLE`, `EXCHANGE` or `MAILMAN`. ``group``: address of the group that a roster is for.
    :param role: what the addresses of a roster are, where it doesn't say so: member, owner or moderator.
    """
    if kind == MAILMAN:
        return mailman.roster(text, group, role)
    return exchange.groups(text) if kind == EXCHANGE else own_table(text)
