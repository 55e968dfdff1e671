"""What the directory gets wrong, as values: a kind, a subject, one English sentence and the facts behind it.

Findings never stop a group by themselves; `groupmilter check` and the panel show them. The mirror keeps their facts
(`mirror_findings` computes them), the sentences are made here. Pure; nothing here fails.
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
    DUPLICATE_LOGIN = "duplicate-login"
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
    NESTED_REFUSES = "nested-refuses"


_SENTENCES: Mapping[Kind, str] = {
    Kind.CYCLE: "{subject} contains itself through {groups}",
    Kind.DANGLING: "{subject} names {count} that are neither person nor group with mail: {names}",
    Kind.DUPLICATE_ADDRESS: "{address} belongs to {count} entries: {names}",
    Kind.DUPLICATE_LOGIN: "{count} persons log in as {address}, so that nobody does: {names}",
    Kind.OWNERLESS: "{subject} has no owner",
    Kind.OPEN_TO_INTERNET: "{subject} takes mail from anybody, unmoderated",
    Kind.BAD_URL: "{subject}: member URL {value!r} is not used: {expected}",
    Kind.BAD_ADDRESS: "{subject}: {attribute} {value!r} is not used: {expected}",
    Kind.BAD_VALUE: "{subject}: {attribute} {value!r} is not understood: {expected}; the safe value is used",
    Kind.DISABLED_MEMBER: "{subject} names {count} that are locked, without rights or mail: {names}",
    Kind.OVER_LIMIT: "{subject} has {count} {what}, more than the {limit} that can be expanded",
    Kind.DIGEST_COLLISION: "{count} entries have the same digest in tickets: {names}",
    Kind.NOBODY_DECIDES: "{subject} is moderated, and nobody is there to decide",
    Kind.EMPTY: "{subject} has no members",
    Kind.NESTED_REFUSES: "{subject} takes mail that a group nested in it refuses: {nested} {reasons}",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake of the directory.

    :param subject: the entry's address, its DN where it has none.
    :param dn: the entry as the server spells it, empty where the finding is about no single entry.
    :param text: one English sentence for an administrator.
    :param details: the facts of the sentence as text, for translation.
    """

    kind: Kind
    subject: str
    dn: str
    text: str
    details: Mapping[str, str] = field(default_factory=dict)


def finding(kind: Kind, subject: str, dn: str, details: Mapping[str, str]) -> Finding:
    """Return a finding with its sentence; `details` must hold what the kind's sentence names."""
    return Finding(kind, subject, dn, _SENTENCES[kind].format(subject=subject, **details), dict(details))
