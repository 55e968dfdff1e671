"""What is to be changed in a group, and what came of it: frozen values in the canonical vocabulary, and the refusal.

A lost race is a value too (`Meanwhile`): who edits what somebody else has changed meanwhile is told, and nothing is
overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from groupmilter.directory.profile_fields import Scalar
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Spoken

READ_ONLY = marked("{file}: an LDIF file is read-only; edit it by hand")


class WriteRefused(Spoken):
    """The directory doesn't take the change, and won't when asked again; the message says why."""


class Unseen(Enum):
    """Stands for a value that nobody has looked at before it is changed."""

    UNSEEN = "unseen"


UNSEEN = Unseen.UNSEEN
FieldContent = Scalar | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """Values that come into a field of several, and values that leave it; whatever else it holds stays.

    :param field: canonical, such as ``members``. ``add``, ``remove``: DNs, addresses, patterns or URLs; what is in
        both stays.
    """

    field: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """The one value that a field is to have.

    :param value: None takes it away: what absent means counts again.
    :param seen: what it was when whoever changes it looked; another value in the directory is `Meanwhile`.
    :param language: of a ``mail_tip``, empty for the one without a language.
    """

    field: str
    value: Scalar
    seen: Scalar | Unseen = UNSEEN
    language: str = ""

    @property
    def label(self) -> str:
        """The field's name, with the language where it has one."""
        return f"{self.field}.{self.language}" if self.language else self.field


Change = Values | Setting


@dataclass(frozen=True, slots=True)
class Difference:
    """What has changed in one field.

    :param before: the value as it was, or the values that are no longer there.
    :param after: the value as it is, or the values that are new.
    """

    field: str
    before: FieldContent
    after: FieldContent


@dataclass(frozen=True, slots=True)
class Written:
    """The change is in the directory; no differences: it was so already."""

    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Somebody else has changed a field since it was looked at; nothing was written, as a rule.

    :param seen: what it was. ``found``: what it is.
    :param written: what is in the directory nevertheless: only the side store's part was too late.
    """

    field: str
    seen: Scalar
    found: Scalar
    written: tuple[Difference, ...] = ()


Outcome = Written | Meanwhile
