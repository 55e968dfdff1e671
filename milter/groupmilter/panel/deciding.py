"""A moderator's link: GET shows what waits, POST decides, and nothing else ever does.

Who holds the link may be a program that looks into mail, so the page says neither subject nor text, and a decision
wants a word typed (specification 3.3). `LedgerUnavailable` passes through: nothing was decided then.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import TOKEN_LENGTH, Kind
from groupmilter.moderation.decision import Asked, Problem
from groupmilter.moderation.entitlement import GoesNowhere, MayNotDecide
from groupmilter.moderation.item import Event, Item, State, Way, Who
from groupmilter.moderation.ledger import Changed, LedgerUnavailable
from groupmilter.moderation.transitions import after
from groupmilter.moderation.wording import proof
from groupmilter.panel.client import Clients
from groupmilter.panel.pages import Pages
from groupmilter.panel.remembering import Offer, not_remembered, offer
from groupmilter.panel.service import DecisionsLike
from groupmilter.panel.throttle import Throttle
from groupmilter.panel.typed import FORM, Typed, typed, word

_RETRY = {"retry-after": "30"}
_STATUS = {
    Problem.FORGED: 404,
    Problem.GONE: 404,
    Problem.EXPIRED: 410,
    Problem.FOREIGN: 403,
    Problem.UNKNOWN: 503,
    Problem.NOWHERE: 409,
}
_APPROVED = frozenset({State.APPROVED, State.RELEASED, State.REPORTED})


async def posted(request: Request, clients: Clients) -> Typed:
    """Return what was typed into one of these forms; HTTPException for another page's, and for what is no form."""
    if not clients.same_origin(request):
        raise HTTPException(403)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415)
    try:
        return typed(await request.body())
    except ValueError:
        raise HTTPException(400) from None


@dataclass(frozen=True, slots=True)
class Deciding:
    """The page behind ``/decide/<token>``.

    :param bad: how many bad tokens are answered, by address; beyond it nothing is recorded either.
    :param warn: told in words why a sender wasn't remembered.
    """

    decisions: DecisionsLike
    pages: Pages
    clients: Clients
    bad: Throttle
    warn: Callable[[str], object]

    def show(self, request: Request, token: str) -> Response:
        """Answer GET and HEAD; changes nothing but the audit trail of bad tokens."""
        asked = self._open(request, token)
        if isinstance(asked, Response):
            return asked
        return self._form(request, token, asked, Typed())

    async def answer(self, request: Request, token: str) -> Response:
        """Answer POST: decide, or show the form again with what is missing."""
        form = await posted(request, self.clients)
        return await run_in_threadpool(self._answered, request, token, form)

    def _answered(self, request: Request, token: str, form: Typed) -> Response:
        asked = self._open(request, token)
        if isinstance(asked, Response):
            return asked
        if form.decision is None or form.wrong(token):
            return self._form(request, token, asked, form, submitted=True)
        person = asked.moderator
        who = Who(_name(person), Way.LINK, person.uuid, self.clients.address(request))
        try:
            changed = self.decisions.decide(asked.item, form.decision, who, form.comment)
        except MayNotDecide:
            return self._problem(request, token, Problem.FOREIGN)
        except GoesNowhere:
            return self._problem(request, token, Problem.NOWHERE)
        except DirectoryUnknown:
            return self._form(request, token, asked, form, down=True)
        if changed.missing:
            return self._counted(request, asked, changed)
        if not changed.happened:
            return self._decided(request, asked, changed.item, form.decision)
        content: dict[str, object] = {"item": changed.item, "person": person, "form": form}
        content |= {"approved": form.decision is Event.APPROVE, "remembered": False, "note": None}
        if form.remembers and self.decisions.is_owner(asked):
            allow = form.decision is Event.APPROVE
            note = not_remembered(self.decisions, asked.item, who, allow=allow, warn=self.warn)
            content |= {"remembered": note is None, "note": note}
        words = self.pages.words(request, person.language)
        return self.pages.page("done.html", words, content | _sender(asked.item))

    def _counted(self, request: Request, asked: Asked, changed: Changed) -> Response:
        """Say that an approval counts, and how many are still missing."""
        words = self.pages.words(request, asked.moderator.language)
        content: dict[str, object] = {"item": changed.item, "missing": changed.missing}
        return self.pages.page("counted.html", words, content | _sender(changed.item))

    def _form(
        self,
        request: Request,
        token: str,
        asked: Asked,
        form: Typed,
        *,
        submitted: bool = False,
        down: bool = False,
    ) -> Response:
        """Show the form; ``down``: with a word that the directory couldn't be asked, and all that was typed."""
        if after(asked.item.state, Event.APPROVE) is None:
            return self._decided(request, asked, asked.item, form.decision if submitted else None)
        words = self.pages.words(request, asked.moderator.language)
        wrong = form.wrong(token) if submitted else ()
        content: dict[str, object] = {
            "item": asked.item,
            "person": asked.moderator,
            "form": form,
            "wrong": wrong,
            "down": down,
        }
        content |= {"word": word(token, words.language), "offer": self._offer(asked)}
        status = 503 if down else 422 if submitted else 200
        headers = _RETRY if down else {}
        return self.pages.page("decide.html", words, content | _sender(asked.item), status, headers)

    def _offer(self, asked: Asked) -> Offer | None:
        return offer(self.decisions, asked.item) if self.decisions.is_owner(asked) else None

    def _decided(self, request: Request, asked: Asked, item: Item, wanted: Event | None) -> Response:
        """Say who was first; 409 where somebody wanted something else than what stands."""
        own = bool(item.decided_by) and item.decided_by in (
            _name(asked.moderator),
            *asked.moderator.addresses,
        )
        approved = item.state in _APPROVED
        late = wanted is not None and not (own and approved is (wanted is Event.APPROVE))
        words = self.pages.words(request, asked.moderator.language)
        content: dict[str, object] = {"item": item, "own": own, "late": late, "approved": approved}
        return self.pages.page("decided.html", words, content | _sender(item), 409 if late else 200)

    def _open(self, request: Request, token: str) -> Asked | Response:
        asked = self.decisions.open(token, Kind.LINK) if len(token) == TOKEN_LENGTH else Problem.FORGED
        if isinstance(asked, Asked):
            return asked
        return self._problem(request, token, asked)

    def _problem(self, request: Request, token: str, problem: Problem) -> Response:
        words = self.pages.words(request)
        headers = dict(_RETRY) if problem is Problem.UNKNOWN else {}
        if problem is not Problem.UNKNOWN and not self._recorded(request, token, problem):
            headers = {"retry-after": str(self.bad.left())}
            return self.pages.page("error.html", words, {"status": 429, "panel": False}, 429, headers)
        return self.pages.page("problem.html", words, {"problem": str(problem)}, _STATUS[problem], headers)

    def _recorded(self, request: Request, token: str, problem: Problem) -> bool:
        """Leave one audit row, which doesn't hold the token; tell whether the bounds still allow one."""
        address = self.clients.address(request)
        if not self.bad.admits(address):
            return False
        detail = f"{request.method} {hashlib.sha256(token.encode()).hexdigest()[:8]}"
        with contextlib.suppress(LedgerUnavailable):
            self.decisions.refused(problem, Who("", Way.LINK, origin=address), detail)
        return True


def ledger_unavailable(pages: Pages, request: Request) -> Response:
    """Return the page for a ledger that can't be reached: nothing was decided."""
    return pages.page("problem.html", pages.words(request), {"problem": "ledger"}, 503, _RETRY)


def _name(person: Person) -> str:
    return person.address or person.name


def _sender(item: Item) -> dict[str, object]:
    """Return the sender's address and how it is proven; no display name, which is the sender's own text."""
    arrival = item.arrival
    address = parseaddr(arrival.author)[1] if arrival.author.count("@") == 1 else arrival.author
    return {"sender": address or arrival.author or arrival.return_path, "proof": proof(arrival)}
