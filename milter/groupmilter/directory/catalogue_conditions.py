"""The conditions of a statement over the mirror's lists, with the values they name. Pure; nothing here fails.

The statements are our own words and numbers; everything that somebody typed is a parameter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from groupmilter.directory.catalogue_rows import Viewer
from groupmilter.directory.folding import folded, words
from groupmilter.directory.mirror_schema import HIDDEN, RIGHTS
from groupmilter.groups.group import Nodes
from groupmilter.groups.person import Node

OWNERS, MODERATORS = RIGHTS["owners"], RIGHTS["moderators"]
_SELVES = "SELECT value FROM json_each(:selves)"
INSIDE = "SELECT value FROM json_each(:above)"
"""Groups that hold somebody at any depth; see `Conditions.of_person`."""

OWNED = f"SELECT source FROM link WHERE target IN ({_SELVES}) AND field = {OWNERS}"  # noqa: S608  a number
"""Groups that somebody owns, himself or by a group."""

# Who decides: the moderators, the owners where none is set (`Group.deciders`).
DECIDED = f"""
SELECT source FROM link k WHERE target IN ({_SELVES}) AND (field = {MODERATORS} OR field = {OWNERS} AND NOT EXISTS (
  SELECT 1 FROM link s WHERE s.source = k.source AND s.field = {MODERATORS}))"""  # noqa: S608  numbers
"""Groups that somebody moderates, or would."""

_IN_DOMAINS = """EXISTS (
  SELECT 1 FROM json_each(:{0}) j WHERE substr(e.address, -length(j.value) - 1) = '@' || j.value)"""
_IN_BASES = """EXISTS (
  SELECT 1 FROM json_each(:bases) j, node n WHERE n.id = e.node
     AND (n.dn = j.value OR j.value = '' OR substr(n.dn, -length(j.value) - 1) = ',' || j.value))"""


@dataclass(slots=True)
class Conditions:
    """What rows of ``listed l`` with their ``entry e`` have to be, all of it."""

    terms: list[str] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the conditions as they follow another one."""
        return "".join(f" AND ({term})" for term in self.terms)

    def require(self, term: str) -> None:
        """Add a condition."""
        self.terms.append(term)

    def require_words(self, text: str, place: str = "l.text", *, unfolded: bool = False) -> None:
        """Have each word of a search stand in a text, without case and accents.

        :param unfolded: whether the text may have kept its accents, so that the word as typed counts too.
        """
        for number, word in enumerate(words(text)):
            term, plain, typed = f"instr({place}, :word{number})", folded(word), word.casefold()
            self.parameters[f"word{number}"] = plain
            if unfolded and typed != plain:
                self.parameters[f"typed{number}"] = typed
                term += f" OR instr({place}, :typed{number})"
            self.require(term)

    def of_person(self, person: Node | None, above: Nodes) -> None:
        """Say whom `INSIDE`, `OWNED` and `DECIDED` are about, and which groups hold him."""
        ordered = sorted(above)
        selves = [] if person is None else [*ordered, person]
        self.parameters |= {"above": json.dumps(ordered), "selves": json.dumps(selves)}

    def require_domains(self, domains: Iterable[str]) -> None:
        """Have groups' addresses in one of these domains."""
        self.require(_IN_DOMAINS.format("domains"))
        self.parameters["domains"] = json.dumps(sorted(domains))

    def require_visible(self, viewer: Viewer, above: Nodes) -> None:
        """Have no groups that the viewer may not see.

        :param above: the groups that hold him.
        """
        self.of_person(viewer.person, above)
        if viewer.administrator:
            return
        mine = [f"e.node IN ({groups})" for groups in (INSIDE, OWNED, DECIDED) if viewer.person is not None]
        if viewer.domains:
            mine.append(_IN_DOMAINS.format("administered"))
            self.parameters["administered"] = json.dumps(sorted(viewer.domains))
        if viewer.bases:
            mine.append(_IN_BASES)
            self.parameters["bases"] = json.dumps(sorted(viewer.bases))
        self.require(" OR ".join((f"NOT e.kind OR NOT e.flags & {HIDDEN}", *mine)))
