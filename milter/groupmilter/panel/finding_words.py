"""What the directory gets wrong, in words for people: what each kind is called, what it means, what was found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groupmilter.directory.findings import Finding, Kind
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Fact


@dataclass(frozen=True, slots=True)
class Said:
    """A kind of finding.

    :param title: what it is called. ``advice``: what it means, and what to do.
    :param fact: what was found of one, with the names of `Finding.details`; empty where the subject says it all.
    :param tone: ``bad`` where mail goes wrong or rights are too wide, else ``warn``.
    """

    title: str
    advice: str
    fact: str = ""
    tone: str = "warn"


KINDS: Mapping[Kind, Said] = {
    Kind.OPEN_TO_INTERNET: Said(
        marked("Open to the Internet"),
        marked("Anybody may write to these groups, unproven and unmoderated. Is that meant so?"),
        tone="bad",
    ),
    Kind.NOBODY_DECIDES: Said(
        marked("Moderated, with nobody to decide"),
        marked("Their messages go to the administrators. Name moderators or owners."),
        tone="bad",
    ),
    Kind.CYCLE: Said(
        marked("Groups that contain each other"),
        marked("Everybody still gets one copy. Take one of the groups out of another."),
        marked("through {groups}"),
    ),
    Kind.OWNERLESS: Said(
        marked("Without an owner"),
        marked("Nobody looks after these groups but the administrators. Name an owner."),
    ),
    Kind.DANGLING: Said(
        marked("Names that lead nowhere"),
        marked("These entries are neither person nor group with mail: gone, or never there. Take them out."),
        marked("{count}: {names}"),
    ),
    Kind.DISABLED_MEMBER: Said(
        marked("Locked accounts"),
        marked("They get no mail and have no rights. Take them out if they don't come back."),
        marked("{count}: {names}"),
    ),
    Kind.DUPLICATE_ADDRESS: Said(
        marked("Addresses that several have"),
        marked("Mail for such an address can't be delivered surely. Leave it to one of them."),
        marked("{address}: {names}"),
        tone="bad",
    ),
    Kind.DUPLICATE_LOGIN: Said(
        marked("Log-in names that several have"),
        marked("None of them is recognised by it."),
        marked("{address}: {names}"),
        tone="bad",
    ),
    Kind.EMPTY: Said(
        marked("Without members"), marked("Mail to these groups is refused. Add members, or delete them.")
    ),
    Kind.NESTED_REFUSES: Said(
        marked("Nested groups that refuse"),
        marked("What the outer group takes doesn't reach the members of the inner one."),
        marked("{nested}: {reasons}"),
    ),
    Kind.OVER_LIMIT: Said(
        marked("Too large"),
        marked("Such a group can't be expanded at once; its mail waits for a human."),
        marked("{count} {what}, at most {limit}"),
        tone="bad",
    ),
    Kind.BAD_ADDRESS: Said(
        marked("Unusable addresses"),
        marked("They aren't used. Correct them."),
        marked("{attribute}: {value}: {expected}"),
    ),
    Kind.BAD_URL: Said(
        marked("Unusable member URLs"),
        marked("They find nobody. Correct them."),
        marked("{value}: {expected}"),
    ),
    Kind.BAD_VALUE: Said(
        marked("Values that aren't understood"),
        marked("The safe value is used instead. Correct them."),
        marked("{attribute}: {value}: {expected}"),
    ),
    Kind.DIGEST_COLLISION: Said(
        marked("Entries that tickets can't tell apart"),
        marked("Tell the developers."),
        marked("{count}: {names}"),
        "bad",
    ),
}
"""Every kind, in the order in which it matters."""


def facts(finding: Finding) -> dict[str, Fact]:
    """Return the facts that a finding's sentence may name; what isn't known is empty."""
    names = (
        "groups",
        "count",
        "names",
        "address",
        "nested",
        "reasons",
        "limit",
        "what",
        "attribute",
        "value",
        "expected",
    )
    return {name: finding.details.get(name, "") for name in names}
