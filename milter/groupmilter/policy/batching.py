"""How large an expansion is in the MTA's queue file, and how a group's copy is cut into transactions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from groupmilter.groups.directory import Member
from groupmilter.groups.expansion import Expansion
from groupmilter.groups.group import Group
from groupmilter.mail.address import xtext

_RECORDS = 17 + 4 * 2
"""Octets of a recipient in a Postfix queue file beside its texts: a pointer, and the heads of four records."""

_ORCPT, _NOTIFY = len("dsn_orig_rcpt=rfc822;"), len("dsn_notify_flags=1")


def sizes(group: Group, members: Iterable[Member]) -> Iterator[int]:
    """Yield how many octets of the queue file each member takes (read with postcat(1) in Postfix 3.7: 119 and 20 for
    NOTIFY, with addresses of 26 and 23 characters).
    """
    fixed = _RECORDS + _ORCPT + _NOTIFY + len(xtext(group.address))
    return (fixed + 2 * len(member.address) for member in members)


def batches(
    group: Group, expansion: Expansion, most: int, room: int, *, told: bool
) -> list[Sequence[Member]]:
    """Return whom each transaction is for, none of them too large for the MTA.

    What isn't members (groups inside that wait for their moderators, or refuse) goes with the first, which is for
    nobody else then: its return path is the sender's.

    :param most: members in one. ``room``: octets that the queue file has for recipients, beside the message.
    :param told: whether the sender is told of what groups inside refuse.
    """
    made: list[Sequence[Member]] = [()] if expansion.holds or (told and expansion.news) else []
    current: list[Member] = []
    octets = 0
    for member, size in zip(expansion.members, sizes(group, expansion.members), strict=True):
        if current and (len(current) >= most or octets + size > room):
            made.append(current)
            current, octets = [], 0
        current.append(member)
        octets += size
    return [*made, current] if current else made


def brought(expansion: Expansion, number: int, members: tuple[Member, ...]) -> Expansion:
    """Return the expansion of one transaction: its own members, and with the first one all that isn't members."""
    if members or number:
        return replace(expansion, members=members, holds=(), refused=())
    return replace(expansion, members=())
