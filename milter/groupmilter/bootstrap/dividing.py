"""Whom a split copy is for, transaction by transaction: the desk asks what the milter would, through the same code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groupmilter.authentication.identity import Connection
from groupmilter.groups.directory import Member
from groupmilter.groups.ticket import RELEASE_LOCAL_PART, Kind
from groupmilter.mail.address import Address, canonical
from groupmilter.mail.content import parted
from groupmilter.moderation.item import Arrival, ticket_again
from groupmilter.moderation.submission import NotSubmitted
from groupmilter.mta.collector import Collector
from groupmilter.mta.site import Site
from groupmilter.policy.batching import batches
from groupmilter.policy.disposition import Decision, Expanded, Split
from groupmilter.policy.facts import Recipient
from groupmilter.policy.settings import RELEASE_HEADROOM

_ADDED = 32_768
"""Octets left for what the MTA and we add to the header."""


@dataclass(frozen=True, slots=True)
class Dividing:
    """The division of split copies.

    :param site: as the milter has it.
    """

    site: Site

    def __call__(
        self, arrival: Arrival, message: bytes, left_out: tuple[str, ...]
    ) -> Sequence[Sequence[Member]]:
        """Return whom each transaction is for; none where others of the delivery have reached everybody.

        :param left_out: addresses that the copy need not reach.
        :raises NotSubmitted: where nobody gets it: the group is gone, or has no members any more.
        :raises DirectoryUnknown: where the directory can't tell.
        """
        octets = len(message) + message.count(b"\n")
        ticket = ticket_again(arrival, Kind.SPLIT, arrival.sent, 0)
        facts, decision = self._collected(arrival, message, octets).copied(ticket, left_out)
        disposition = _expanded(decision)
        bounds = self.site.settings.bounds
        room = bounds.message_size_limit + RELEASE_HEADROOM - _ADDED - octets
        told = facts.may_be_told
        return batches(disposition.group, disposition.expansion, bounds.in_place, room, told=told)

    def _collected(self, arrival: Arrival, message: bytes, octets: int) -> Collector:
        own = self.site.settings.own_domains
        path = arrival.return_path
        sender = Address(f"<{path}>", canonical(path, own) or path)
        collector = Collector(self.site, Connection(""), sender, smtputf8=arrival.smtputf8)
        address = f"{RELEASE_LOCAL_PART}@{self.site.settings.service_domain}"
        collector.accept(Recipient(Address(f"<{address}>", address), release=arrival.ticket or address))
        for name, value in parted(message)[0]:
            collector.header(name.decode("utf-8", "surrogateescape"), value.strip())
        collector.octets = octets
        return collector


def _expanded(decision: Decision) -> Expanded | Split:
    (verdict,) = decision.verdicts
    disposition = verdict.disposition
    if isinstance(disposition, Expanded | Split):
        return disposition
    reply = decision.answer
    raise NotSubmitted(int(reply.smtp) if reply else 550, str(reply or "nobody is left to get it"))
