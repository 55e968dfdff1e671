"""What the directory gets wrong, as values: one kind, one subject, one English sentence and the facts behind
it.

Findings never stop a group by themselves; `groupmilter check` and the panel show them. The mirror keeps
them (`mirror_findings` computes them). A finding is never raised, so nothing here fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What sort of mistake it is; the panel translates by this word and `Finding.details`."""

    CYCLE = "cycle"
    DANGLING = "dangling"
    DUPLICATE_ADDRESS = "duplicate-address"
    OWNERLESS = "ownerless"
    OPEN_TO_INTERNET = "open-to-internet"
    BAD_URL = "bad-url"
    BAD_ADDRESS = "bad-address"
    BAD_VALUE = "bad-value"
    DISABLED_MEMBER = "disabled-member"
    OVER_LIMIT = "over-limit"
    DIGEST_COLLISION = "digest-collision"
    NOBODY_DECIDES = "moderated-with-nobody-to-decide"
    EMPTY = "empty-group"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake of the directory.

    :param subject: the group's (or person's) address, its DN where it has none.
    :param dn: the entry as the server spells it, empty where the finding is about no single entry.
    :param text: one English sentence for an administrator.
    :param details: the facts of the sentence as strings, for translation.
    """

    kind: Kind
    subject: str
    dn: str
    text: str
    details: Mapping[str, str] = field(default_factory=dict)
