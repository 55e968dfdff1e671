"""Why a message was held or refused, as the one octet of a ticket, so that the desk knows it from the ticket alone.

Rules of the chain and the other situations have fixed numbers, which are never given to another; a site's own rules
have one from their name (`site_rule_number`), and two rules of one number are an error of the policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from groupmilter.policy.settings import SiteRule

FIXED: Mapping[str, int] = {
    "moderation": 1,
    "storm": 2,
    "bound": 3,
    "rate-limit": 4,
    "disabled": 5,
    "automatic": 6,
    "loop": 7,
    "denied": 8,
    "authentication": 9,
    "allowed": 10,
    "send-as": 11,
    "size": 12,
    "empty": 13,
    "extension": 14,
    "unknown": 15,
    "concealed": 16,
    "source-route": 17,
    "replay": 18,
}
_FIRST_OF_SITE = 32
_NUMBERS_OF_SITE = 256 - _FIRST_OF_SITE


def site_rule_number(name: str) -> int:
    """Return the number, 32 to 255, of a site's own rule."""
    octets = hashlib.sha256(f"site rule\0{name}".encode()).digest()[:4]
    return _FIRST_OF_SITE + int.from_bytes(octets, "big") % _NUMBERS_OF_SITE


def number(reason: str, rules: Iterable[SiteRule]) -> int:
    """Return the number of a fixed situation or of a site rule's name; 0 where it has none."""
    if reason in FIXED:
        return FIXED[reason]
    return site_rule_number(reason) if any(rule.name == reason for rule in rules) else 0


def reason(value: int, rules: Iterable[SiteRule]) -> tuple[str, SiteRule | None]:
    """Return the situation of a number, and the site rule where it is one; ``""`` where nobody knows it any more."""
    for name, fixed in FIXED.items():
        if fixed == value:
            return name, None
    for rule in rules:
        if value >= _FIRST_OF_SITE and site_rule_number(rule.name) == value:
            return rule.name, rule
    return "", None
