"""Mail to the addresses that a group has besides its own: ``+join``, ``+leave``, ``+owner``. Pure.

Anybody may write to the owners, but programs; who they are is hidden from strangers. Whoever wants to join or leave is
proven by log-in, or by an aligned DKIM signature that says the message is for this address; else the desk asks his
address to confirm. What a group's rules never allow is refused here, before anybody would have to be written to. A
hidden group answers like an unknown address, but to its members and owners (specification 4.1).
"""

from __future__ import annotations

from dataclasses import replace

from groupmilter.groups.directory import Directory
from groupmilter.groups.group import Group, JoinPolicy
from groupmilter.groups.person import Person
from groupmilter.groups.reach import reachable
from groupmilter.groups.ticket import Action, digest
from groupmilter.mail.address import spelt, strict
from groupmilter.policy.answering import author_proven
from groupmilter.policy.disposition import Deferred, Refused, ToOwners, Undecided, Wished
from groupmilter.policy.facts import Content, Facts, Identity, Recipient, Strength
from groupmilter.policy.replies import contact_for, reply_for
from groupmilter.policy.rules import by_program, past, storm_count
from groupmilter.policy.settings import Settings

_WISHES = {"join": Action.JOIN, "leave": Action.LEAVE}
SERVED = frozenset({*_WISHES, "owner"})
"""Extensions that are served; others that mean something elsewhere are refused as unknown."""

Answer = Wished | ToOwners | Undecided | Refused | Deferred


def as_owners(group: Group) -> Group:
    """Return what stands for a group's owners where messages are counted and traced: not the group itself."""
    return replace(group, uuid=f"{group.uuid} owners")


def befriended(
    recipient: Recipient, group: Group, facts: Facts, directory: Directory, settings: Settings
) -> Answer:
    """Return what becomes of mail to one of a group's further addresses.

    :param recipient: with one of `SERVED` as extension.
    """
    if group.hidden and not _inside(group, facts.identity):
        reply = reply_for("concealed", spelt(recipient.address.received), settings)
        return Refused(reply, group, reason="concealed")
    if facts.content is not None and facts.content.trace.names(as_owners(group).uuid):
        return Refused(reply_for("loop", recipient.address.canonical, settings), group, concerns_all=True)
    if not facts.envelope_sender or (facts.content is not None and by_program(facts.content)):
        return Refused(
            reply_for("automatic", recipient.address.canonical, settings), group, reason="automatic"
        )
    action = _WISHES.get(recipient.extension)
    if action is None:
        return _to_owners(recipient, group, facts, directory, settings)
    return _wished(recipient, group, action, facts, settings)


def _inside(group: Group, identity: Identity) -> bool:
    return group.node in identity.nodes or _owns(group, identity)


def _owns(group: Group, identity: Identity) -> bool:
    return not group.owners.isdisjoint(identity.nodes)


def _wished(recipient: Recipient, group: Group, action: Action, facts: Facts, settings: Settings) -> Answer:
    policy = group.join_policy if action is Action.JOIN else group.leave_policy
    if policy is JoinPolicy.CLOSED and not _owns(group, facts.identity):
        return Refused(reply_for(f"{recipient.extension}-closed", group.address, settings), group)
    content, identity = facts.content, facts.identity
    if content is None:
        return Undecided()
    person = _person(recipient, identity, content)
    if person is None and identity.could_be is not None and identity.unasked:
        return Undecided()
    if (
        action is Action.JOIN
        and not isinstance(person, Person)
        and not group.join_outsiders
        and _outside(content)
    ):
        return Refused(reply_for("join-outsider", group.address, settings), group)
    if person is None:
        return Wished(group, action)
    known = digest(person.uuid) if isinstance(person, Person) else 0
    return Wished(group, action, known, identity.strength)


def _person(recipient: Recipient, identity: Identity, content: Content) -> Person | str | None:
    """Return who is proven to want it: a person, an outsider's address, or None for a mere claim."""
    if identity.strength is Strength.DMARC:
        return author_proven(recipient.address.canonical, identity, identity.signed, content)
    return identity.person


def _outside(content: Content) -> bool:
    """Tell whether the author is nobody of the directory."""
    return len(content.authors) == 1 and content.authors[0].owner is None


def _to_owners(
    recipient: Recipient, group: Group, facts: Facts, directory: Directory, settings: Settings
) -> Answer:
    count = storm_count(as_owners(group), settings.storm)
    if facts.counts is None or past(settings.storm.rate, facts.counts.get(count, 0)):
        situation = "unknown" if facts.counts is None else "storm"
        return Deferred(reply_for(situation, recipient.address.canonical, settings))
    if facts.content is None:
        return Undecided()
    addresses = tuple(person.address for person in reachable(group.owners, directory))
    contact = strict(contact_for(group.address, settings))
    addresses = addresses or ((contact,) if contact is not None else ())
    if not addresses:
        return Refused(reply_for("empty", recipient.address.canonical, settings), group, reason="empty")
    return ToOwners(group, addresses, veiled=not facts.identity.authenticated)
