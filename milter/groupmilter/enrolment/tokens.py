"""The addresses and links that stand in letters about requests: personal, expiring, sealed; and what one opens.

A confirmation's token names its address instead of a person; what makes it serve once is that its request moves on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from groupmilter.enrolment.service import Requests
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Action, Keys, Kind, Token, digest, seal_token, unseal_token
from groupmilter.moderation.request import Request

_DAY = 24 * 3600
_FOR_EVER = 30 * _DAY


class Fault(StrEnum):
    """Why a token of a request opens nothing."""

    EXPIRED = "expired"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Opened:
    """A token that holds: its request, and who decides; nobody where its address has only to confirm."""

    request: Request
    token: Token
    decider: Person | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes and opens them.

    :param panel: URL of the pages, empty where links are off. ``clock``: seconds since 1970, UTC.
    """

    requests: Requests
    keys: Keys
    service_domain: str
    panel: str
    clock: Callable[[], float]

    def address(self, word: str, action: Action, request: Request, holder: str) -> str:
        """Return an address that decides.

        :param word: before the ``+``. ``holder``: UUID of who decides, or the address that confirms.
        """
        return f"{word}+{self._sealed(Kind.ANSWER, action, request, holder)}@{self.service_domain}"

    def link(self, action: Action, request: Request, holder: str) -> str:
        """Return the address of a page; empty where links are off."""
        if not self.panel:
            return ""
        return f"{self.panel.rstrip('/')}/decide/{self._sealed(Kind.LINK, action, request, holder)}"

    def _sealed(self, kind: Kind, action: Action, request: Request, holder: str) -> str:
        # Beyond the request, so that who comes late is told what became of it.
        late = 0 if action is Action.CONFIRM else 2 * _DAY
        expires = (request.expires or int(self.clock()) + _FOR_EVER) + late
        return seal_token(Token(kind, action, expires, request.digest, digest(holder)), self.keys)

    def open(self, text: str) -> Opened | Fault | None:
        """Return what a link's token stands for; None where it is about no request.

        :raises LedgerUnavailable: where nobody can tell.
        """
        token = unseal_token(text, self.keys)
        if token is None or token.kind is not Kind.LINK:
            return None
        request = self.requests.ledger.requests.by_digest(token.item)
        if request is None:
            return None
        if token.expires < self.clock():
            return Fault.EXPIRED
        if token.action is Action.CONFIRM:
            return Opened(request, token) if token.moderator == digest(request.address) else Fault.FOREIGN
        return self._decider(request, token)

    def _decider(self, request: Request, token: Token) -> Opened | Fault:
        try:
            with self.requests.registers.snapshot() as directory:
                person = directory.by_digest(token.moderator)
            if not isinstance(person, Person) or not self.requests.may(person, request):
                return Fault.FOREIGN
        except DirectoryUnknown:
            return Fault.UNKNOWN
        return Opened(request, token, person)
