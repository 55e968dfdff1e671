"""The only place where parts are wired: a configuration in, running roles out.

What the commands need too stands in `parts` and `moderation` and is quickly imported; `serving` imports everything.
Fails with `ConfigurationError` for what the administrator wrote, `MirrorError` or OSError for what the host lacks.
"""

from __future__ import annotations

from groupmilter.bootstrap.moderation import decisions, door, rebuilding, terms_of
from groupmilter.bootstrap.parts import (
    FRESHNESS,
    Snapshots,
    address_map,
    administrations,
    ldap_settings,
    ledger,
    log_of,
    looking,
    mailbox,
    mirror_settings,
    profile,
    snapshots,
    ticket_keys,
    trust,
    with_keys,
    write_settings,
)

__all__ = [
    "FRESHNESS",
    "Snapshots",
    "address_map",
    "administrations",
    "decisions",
    "door",
    "ldap_settings",
    "ledger",
    "log_of",
    "looking",
    "mailbox",
    "mirror_settings",
    "profile",
    "rebuilding",
    "snapshots",
    "terms_of",
    "ticket_keys",
    "trust",
    "with_keys",
    "write_settings",
]
