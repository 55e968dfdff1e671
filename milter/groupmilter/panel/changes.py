"""What a row of the journal has changed, field by field, in words for people. Raises `DirectoryUnknown`.

Names of entries become names of people where the mirror knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from groupmilter.directory.change import FieldContent
from groupmilter.directory.profile_fields import GROUP, Form
from groupmilter.language.catalogue import marked
from groupmilter.mail.shown import shown
from groupmilter.membership.roles import Lookup
from groupmilter.membership.undoing import fields_of
from groupmilter.panel.labels import label

Say = Callable[..., Markup]

_MOST = 500
_YES, _NO, _UNSET = marked("yes"), marked("no"), marked("not set")
WORDS = {
    "open": marked("open"),
    "closed": marked("closed"),
    "approval": marked("with an owner's approval"),
    "always": marked("every sender"),
    "internal": marked("internal senders"),
    "never": marked("nobody"),
    "auto": marked("by itself"),
    "sender": marked("the sender"),
    "owner": marked("the owners"),
    "nobody": marked("nobody"),
}
"""Words that are values of fields."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One field.

    :param before, after: a single value. ``came``, ``went``: values of a list; ``more``: how many aren't shown.
    """

    label: Markup
    listed: bool
    before: Markup = Markup()
    after: Markup = Markup()
    came: tuple[Markup, ...] = ()
    went: tuple[Markup, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads rows for one visitor.

    :param directory: a snapshot of the mirror, open.
    """

    t: Say
    directory: Lookup

    def changed(self, before: str, after: str) -> tuple[Changed, ...]:
        """Return the fields that a row is about; none for a row about no group."""
        return tuple(self._one(*each) for each in fields_of(before, after))

    def _one(self, field: str, was: FieldContent, became: FieldContent) -> Changed:
        words = label(self.t, field)
        if isinstance(was, tuple) or isinstance(became, tuple):
            went, came = _tuple(was), _tuple(became)
            more = max(0, len(went) - _MOST) + max(0, len(came) - _MOST)
            return Changed(
                words, listed=True, came=self.values(field, came[:_MOST]), went=self.values(field, went[:_MOST]),
                more=more,
            )  # fmt: skip
        return Changed(words, listed=False, before=self.value(field, was), after=self.value(field, became))

    def values(self, field: str, values: Sequence[str]) -> tuple[Markup, ...]:
        """Return the values of a list for people."""
        named = field in GROUP and GROUP[field].form is Form.NAMES
        return tuple(self._named(value) if named else Markup.escape(shown(value)) for value in values)

    def value(self, field: str, value: FieldContent) -> Markup:
        """Return a single value for people."""
        if isinstance(value, bool):
            return self.t(_YES if value else _NO)
        if value is None or value == "" or isinstance(value, tuple):
            return self.t(_UNSET)
        word = GROUP[field].form is Form.WORD if field in GROUP else False
        return self.t(WORDS[str(value)]) if word and value in WORDS else Markup.escape(shown(str(value)))

    def _named(self, dn: str) -> Markup:
        found = self.directory.by_dn(dn)
        return Markup.escape(shown(dn if found is None else found.name or found.address))


def _tuple(content: FieldContent) -> tuple[str, ...]:
    return content if isinstance(content, tuple) else ()
