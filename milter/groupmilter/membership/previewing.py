"""Whom a rule for dynamic members finds, before it is set: asked of the directory, counted so far, the first by name.

A rule by criteria may ask for what the mirror keeps of everybody; what asks for more is for administrators, since whom
it finds tells what stands in an entry. Administrators of a part ask so in that part only, and see nobody else by name.
`UrlError` for a rule that can't be used; `DirectoryUnknown` as in `service`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from groupmilter.directory.administration import Administration, open_to
from groupmilter.directory.dynamic import UrlError
from groupmilter.directory.filter import needs_server
from groupmilter.language.catalogue import marked
from groupmilter.membership.address_book import Known
from groupmilter.membership.criteria import Rule, rule
from groupmilter.membership.service import Groups

COUNTED = 5_000
"""A preview counts so far."""

RESTRICTED = marked(
    "This rule asks for what only administrators may ask for. Choose from the list of attributes."
)
BEYOND = marked(
    "This rule asks for what you may ask for only below what you administer. Choose another branch, or from the list "
    "of attributes."
)
UNUSABLE = marked("This rule can't be used: {why}")


@dataclass(frozen=True, slots=True)
class Preview:
    """Whom a rule would find.

    :param rule: by criteria, None where they can't say it. ``count``: of whom whoever asks may know.
        ``more``: it finds more than are counted.
    :param first: some of them, none that whoever asks may not know of.
    """

    url: str
    rule: Rule | None
    count: int
    first: tuple[Known, ...]
    more: bool


def preview(
    groups: Groups,
    group: str,
    url: str,
    *,
    held: Sequence[Administration],
    owns: bool,
    known_of: Callable[[Sequence[Known]], Sequence[Known]],
    shown: int,
) -> Preview:
    """Return whom a member URL finds.

    :param group: DN of the group that the rule is for. ``held``: by what whoever asks administers it.
    :param owns: whether he owns it: then he sees whom every owner sees.
    :param known_of: returns of some entries those of which he may learn; hidden groups aren't counted either.
    :param shown: how many are returned by name, at most.
    """
    parsed = groups.wishes.rule(url)
    asks_more = needs_server(parsed.filter, groups.writer.profile.filter_attributes)
    if asks_more and not open_to(held, parsed.below):
        raise UrlError(BEYOND if held else RESTRICTED)
    found = groups.book.matching(parsed, COUNTED + 1)

    known = known_of(found[:COUNTED])

    def named(each: Known) -> bool:
        return each.dn != group and (owns or _concerns(held, each))

    first = tuple(islice(filter(named, known), shown))
    return Preview(url, rule(url), len(known), first, len(found) > COUNTED)


def _concerns(held: Sequence[Administration], known: Known) -> bool:
    """Tell whether somebody belongs to what is administered: by his place, and the domains of his addresses."""
    return any(one.covers(known.dn, known.addresses) for one in held)


def why(error: UrlError) -> tuple[str, dict[str, object]]:
    """Return why a rule can't be used, as a sentence of the catalogue and its values."""
    return (error.sentence, {}) if error.sentence in (RESTRICTED, BEYOND) else (UNUSABLE, {"why": error})
