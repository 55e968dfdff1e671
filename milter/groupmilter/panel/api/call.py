"""One call of the API: whose token, in which language, with what it is answered.

Raises `Refusal` where the token's scopes don't reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.requests import Request

from groupmilter.directory.catalogue import Catalogue
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.language.catalogue import Translate
from groupmilter.language.spoken import said
from groupmilter.membership.address_book import Known
from groupmilter.membership.roles import Roles
from groupmilter.membership.service import Groups
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.item import Way, Who
from groupmilter.panel.api.access import Holder, Scope
from groupmilter.panel.api.problem import Code, Refusal
from groupmilter.panel.parts import Parts

Found = TypeVar("Found")
_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token of a person, made on the page *My account* or by `groupmilter token create`.",
)


@dataclass(frozen=True, slots=True)
class Call:
    """What an endpoint works with.

    :param holder: whom the token stands for. ``client``: network address of whoever asks.
    """

    parts: Parts
    holder: Holder
    client: str
    translate: Translate
    language: str

    @property
    def person(self) -> Person:
        """Whom the token stands for, as the mirror has him now."""
        return self.holder.person

    @property
    def who(self) -> Who:
        """Who that is to ledger and journal: the person, by this token, from there."""
        person = self.person
        name = person.address or (person.logins[0] if person.logins else person.name)
        return Who(name, Way.API, person.uuid, f"{self.client} token {self.holder.name}".strip())

    def groups(self) -> AbstractContextManager[Groups]:
        """Give what changes groups on the person's behalf, for the length of a ``with`` block."""
        return self.parts.changing(self.person, self.who)

    def named(self, dn: str) -> str:
        """Return by which address the person may know an entry; empty where there is none for him."""
        return self.look(lambda directory: self._named(dn, directory))

    def knows(self, known: Known) -> bool:
        """Tell whether the person may learn of an entry; what the mirror doesn't have yet may be hidden."""
        return bool(self.known_of((known,)))

    def known_of(self, found: Sequence[Known]) -> Sequence[Known]:
        """Return of some entries those of which the person may learn, as `knows` tells."""
        if not any(each.group for each in found):
            return found

        def gathered(directory: Lookup) -> Sequence[Known]:
            roles = self.roles(directory)
            if roles.administers_everything:
                return found
            entries = ((each, directory.by_dn(each.dn) if each.group else None) for each in found)
            return [
                each
                for each, entry in entries
                if not each.group or (isinstance(entry, Group) and roles.knows_of(entry))
            ]

        return self.look(gathered)

    def _named(self, dn: str, directory: Lookup) -> str:
        entry = directory.by_dn(dn)
        if isinstance(entry, Group) and not self.roles(directory).knows_of(entry):
            return ""
        return entry.address if entry is not None else ""

    def require_administrator(self, *, whole: bool = False) -> None:
        """Raise `Refusal` unless the person administers something; everything, for what is of the ``whole``."""
        roles = self.look(self.roles)
        if not (roles.administers_everything if whole else roles.administers):
            raise Refusal(Code.FORBIDDEN)

    def look(self, gather: Callable[[Snapshot], Found]) -> Found:
        """Return what is gathered from one look at the mirror; raises `DirectoryUnknown`."""
        with self.parts.lookups.snapshot() as directory:
            return gather(directory)

    def lists(self, directory: Snapshot) -> Catalogue:
        """Return the lists of a look, as the person may see them."""
        return Catalogue(directory, self.roles(directory).viewer(self.person))

    def roles(self, directory: Lookup) -> Roles:
        """Return what the person is to groups, as the mirror has it."""
        return self.parts.roles(self.person, directory)

    def t(self, sentence: str, **values: object) -> str:
        """Return a sentence in the language of the call."""
        return said(partial(self.translate, self.language), sentence, values)

    def require(self, scope: Scope) -> None:
        """Refuse what the token isn't made for."""
        if scope not in self.holder.scopes:
            raise Refusal(Code.NOT_IN_SCOPE, scope=scope.value)


def _call(request: Request, scope: Scope) -> Call:
    call: Call = request.state.call
    call.require(scope)
    return call


def _reading(request: Request, _: Annotated[object, Depends(_BEARER)]) -> Call:
    return _call(request, Scope.READ)


def _writing(request: Request, _: Annotated[object, Depends(_BEARER)]) -> Call:
    return _call(request, Scope.WRITE)


def _deciding(request: Request, _: Annotated[object, Depends(_BEARER)]) -> Call:
    return _call(request, Scope.DECIDE)


Reading = Annotated[Call, Depends(_reading)]
"""A call that only looks."""

Writing = Annotated[Call, Depends(_writing)]
"""A call that changes groups or memberships."""

Deciding = Annotated[Call, Depends(_deciding)]
"""A call that decides about mail or requests."""
