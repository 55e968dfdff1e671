"""What the directory gets wrong, as values: a kind, a subject, one sentence and the facts behind it.

Findings never stop a group by themselves; `groupmilter check` and the panel show them. The mirror keeps their facts
(`mirror_findings` computes them), the sentences are made here. Pure; nothing here fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Fact, Sentence, said


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
    Kind.CYCLE: marked("{subject} contains itself through {groups}"),
    Kind.DANGLING: marked("{subject} names {count} that are neither person nor group with mail: {names}"),
    Kind.DUPLICATE_ADDRESS: marked("{address} belongs to {count} entries: {names}"),
    Kind.DUPLICATE_LOGIN: marked("{count} persons log in as {address}, so that nobody does: {names}"),
    Kind.OWNERLESS: marked("{subject} has no owner"),
    Kind.OPEN_TO_INTERNET: marked("{subject} takes mail from anybody, unmoderated"),
    Kind.BAD_URL: marked("{subject}: member URL “{value}” is not used: {expected}"),
    Kind.BAD_ADDRESS: marked("{subject}: {attribute} “{value}” is not used: {expected}"),
    Kind.BAD_VALUE: marked(
        "{subject}: {attribute} “{value}” is not understood: {expected}; the safe value is used"
    ),
    Kind.DISABLED_MEMBER: marked("{subject} names {count} that are locked, without rights or mail: {names}"),
    Kind.OVER_LIMIT: marked("{subject} has {count} {what}, more than the {limit} that can be expanded"),
    Kind.DIGEST_COLLISION: marked("{count} entries have the same digest in tickets: {names}"),
    Kind.NOBODY_DECIDES: marked("{subject} is moderated, and nobody is there to decide"),
    Kind.EMPTY: marked("{subject} has no members"),
    Kind.NESTED_REFUSES: marked("{subject} takes mail that a group nested in it refuses: {nested} {reasons}"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake of the directory.

    :param subject: the entry's address, its DN where it has none.
    :param dn: the entry as the server spells it, empty where the finding is about no single entry.
    :param sentence: for an administrator, English as the catalogue has it; ``details`` stand in its places.
    """

    kind: Kind
    subject: str
    dn: str
    sentence: str
    details: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Return the sentence in English."""
        return said(str, self.sentence, self.places)

    @property
    def places(self) -> Mapping[str, Fact]:
        """What stands in the places of the sentence."""
        return {**self.details, "subject": self.subject}


def finding(kind: Kind, subject: str, dn: str, details: Mapping[str, Fact]) -> Finding:
    """Return a finding with its sentence; `details` must hold what the kind's sentence names."""
    return Finding(kind, subject, dn, _SENTENCES[kind], dict(details))


def stored(details: Mapping[str, Fact]) -> str:
    """Return facts as the mirror keeps them, JSON: a text, or a sentence with the facts in its places."""
    return json.dumps({name: _packed(fact) for name, fact in details.items()})


def restored(text: str) -> dict[str, Fact]:
    """Return what `stored` was given."""
    return {name: _unpacked(fact) for name, fact in json.loads(text).items()}


def _packed(fact: Fact) -> str | list[object]:
    if isinstance(fact, str):
        return fact
    return [fact.sentence, {name: _packed(inner) for name, inner in fact.places}]


def _unpacked(fact: str | list[Any]) -> Fact:
    if isinstance(fact, str):
        return fact
    sentence, places = fact
    return Sentence(sentence, tuple((name, _unpacked(inner)) for name, inner in places.items()))
