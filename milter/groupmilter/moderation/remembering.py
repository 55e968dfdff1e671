"""What "from now on always allow, or block, this sender" writes into a group. Pure.

To allow is to spare approval, and, where the group would not let the sender in at all, to name him as an external
sender. Both rights count only for a proven identity, so a forged author gains nothing. To block counts for a mere
claim too; that is why an item whose author isn't proven never blocks (or allows) an address of an own domain:
whoever forges a colleague's address must not get that colleague shut out.
"""

from __future__ import annotations

from collections.abc import Sequence

from groupmilter.groups.group import Group
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import Pattern, canonical, domain_of, first_match, pattern, strict
from groupmilter.moderation.item import Item
from groupmilter.policy.facts import Strength

Values = tuple[tuple[str, str], ...]
"""Canonical field and value, each to be added; none where everything stands there already."""

NO_ADDRESS = marked("The sender's address can't be read without doubt.")
OWN_ADDRESS = marked(
    "That is an address of this organisation, and nobody has proven that the message comes from there."
)
OF_GROUP = marked("That is an address of the group itself.")
DENIED = marked("The group's list of blocked senders names this sender; it has to be taken off there first.")
BY_RULE = marked("A rule of this site holds such messages, whoever sends them.")
REFUSALS = (NO_ADDRESS, OWN_ADDRESS, OF_GROUP, DENIED, BY_RULE)
"""Why a sender isn't remembered: sentences for people, to be looked up in the catalogue."""

_MODERATION = ("", "moderation")


def remembered(group: Group, item: Item, own_domains: frozenset[str], allow: bool) -> Values | str:
    """Return what to add to the group so that the item's author always passes, or never more.

    :param own_domains: canonical.
    :returns: one of `REFUSALS` where that can't be.
    """
    address = author(item, own_domains)
    named = pattern(address)
    if named is None:
        return NO_ADDRESS
    if address in group.addresses:
        return OF_GROUP
    if domain_of(address) in own_domains and not proven(item):
        return OWN_ADDRESS
    if not allow:
        return _new(group.denied_addresses, address, "denied_addresses", named)
    if item.terms.why not in _MODERATION:
        return BY_RULE
    if first_match(group.denied_addresses, (address,)) is not None:
        return DENIED
    return _allowed(group, address, named, outside=domain_of(address) not in own_domains)


def proven(item: Item) -> bool:
    """Tell whether the author's address is proven, not only the host that the message came from."""
    strength = item.arrival.strength
    return strength == Strength.DMARC or (strength > Strength.CLAIMED and item.arrival.sender != 0)


def author(item: Item, own_domains: frozenset[str] = frozenset()) -> str:
    """Return the canonical address of the item's author; empty where it can't be read without doubt."""
    return author_address(item.arrival.author, own_domains)


def author_address(shown: str, own_domains: frozenset[str] = frozenset()) -> str:
    """Return the canonical address in a From field as it is kept for people; empty where it can't be read."""
    text = shown.strip()
    if text.endswith(">"):
        # What is shown before the brackets is the sender's own text, and may look like another address.
        before, opened, text = text[:-1].rpartition("<")
        if not opened or "<" in before:
            return ""
    whole = strict(text)
    return (canonical(whole, own_domains) or "") if whole else ""


def _allowed(group: Group, address: str, named: Pattern, *, outside: bool) -> Values:
    values = _new(group.bypass_addresses, address, "bypass_addresses", named)
    if outside and _shut(group, address):
        values += _new(group.external_senders, address, "external_senders", named)
    return values


def _shut(group: Group, address: str) -> bool:
    """Tell whether the group asks for more than an address that is proven but stands on none of its lists."""
    listed = group.restricted and first_match(group.allowed_addresses, (address,)) is None
    return group.require_authentication or listed


def _new(there: Sequence[Pattern], address: str, field: str, named: Pattern) -> Values:
    return () if first_match(there, (address,)) is not None else ((field, str(named)),)
