"""The page behind a link about a request to join or leave: an owner decides, or an address confirms that it asked.

GET shows, POST acts, and a word has to be typed, as for held mail (`deciding`): programs follow links in mail, too.
What isn't about a request is handed on. `LedgerUnavailable` passes through: nothing has happened then.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from groupmilter.enrolment.service import Requests, answer_of
from groupmilter.enrolment.tokens import Fault, Opened, Tokens
from groupmilter.enrolment.wording import refusal
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import TOKEN_LENGTH
from groupmilter.membership.authority import Forbidden
from groupmilter.moderation.item import Event, Way, Who
from groupmilter.moderation.request import Request as Wish
from groupmilter.moderation.request import Stage
from groupmilter.panel.client import Clients
from groupmilter.panel.deciding import posted
from groupmilter.panel.pages import Pages
from groupmilter.panel.typed import Typed, word

_STATUS = {Fault.EXPIRED: 410, Fault.FOREIGN: 403, Fault.UNKNOWN: 503}
_RETRY = {"retry-after": "30"}
_ACCEPTED = frozenset({Stage.ACCEPTED, Stage.DONE, Stage.FAILED})


class Otherwise(Protocol):
    """What answers links that aren't about a request."""

    def show(self, request: Request, token: str) -> Response:
        """Answer GET and HEAD."""

    def answer(self, request: Request, token: str) -> Awaitable[Response]:
        """Answer POST."""


@dataclass(frozen=True, slots=True)
class Requesting:
    """The page."""

    tokens: Tokens
    pages: Pages
    clients: Clients
    otherwise: Otherwise

    def show(self, request: Request, token: str) -> Response:
        """Answer GET and HEAD; changes nothing."""
        opened = self._open(token)
        if opened is None:
            return self.otherwise.show(request, token)
        if isinstance(opened, Fault):
            return self._fault(request, opened)
        return self._form(request, token, opened, Typed())

    async def answer(self, request: Request, token: str) -> Response:
        """Answer POST: decide or confirm, or show the form again with what is missing."""
        opened = await run_in_threadpool(self._open, token)
        if opened is None:
            return await self.otherwise.answer(request, token)
        form = await posted(request, self.clients)
        if isinstance(opened, Fault):
            return self._fault(request, opened)
        return await run_in_threadpool(self._answered, request, token, opened, form)

    def _open(self, token: str) -> Opened | Fault | None:
        return self.tokens.open(token) if len(token) == TOKEN_LENGTH else None

    @property
    def _requests(self) -> Requests:
        return self.tokens.requests

    def _answered(self, request: Request, token: str, opened: Opened, form: Typed) -> Response:
        wrong = _wrong(opened, form, token)
        if wrong or not _open_still(opened):
            return self._form(request, token, opened, form, wrong)
        wish, origin = opened.request, self.clients.address(request)
        try:
            if opened.decider is None:
                who = Who(wish.address, Way.LINK, wish.person_uuid, origin)
                asked = self._requests.confirm(wish, who)
                stands = self._requests.carry_out(asked.request or wish, who)
                return self._stands(request, opened, stands, happened=asked.new)
            person = opened.decider
            who = Who(person.address or person.name, Way.LINK, person.uuid, origin)
            accept = form.decision is Event.APPROVE
            turned = self._requests.decide(wish, accept, who, form.comment)
        except DirectoryUnknown:
            return self._fault(request, Fault.UNKNOWN)
        except Forbidden:
            return self._fault(request, Fault.FOREIGN)
        return self._stands(request, opened, turned.request, happened=turned.happened, wanted=form.decision)

    def _form(
        self, request: Request, token: str, opened: Opened, form: Typed, wrong: tuple[str, ...] = ()
    ) -> Response:
        if not _open_still(opened):
            return self._stands(request, opened, opened.request, happened=False, wanted=form.decision)
        words = self.pages.words(request, self._language(opened))
        content: dict[str, object] = {"wish": opened.request, "person": opened.decider, "form": form}
        content |= {"wrong": wrong, "word": word(token, words.language)}
        return self.pages.page("wish.html", words, content, 422 if wrong else 200)

    def _stands(
        self, request: Request, opened: Opened, wish: Wish, *, happened: bool, wanted: Event | None = None
    ) -> Response:
        """Say how the request stands; 409 where somebody wanted something else than what stands."""
        accepted, person = wish.stage in _ACCEPTED, opened.decider
        own = person is not None and wish.decided_by in (person.address, person.name)
        late = not happened and wanted is not None and not (own and accepted is (wanted is Event.APPROVE))
        answer = answer_of(wish.note) if wish.stage is Stage.REFUSED else None
        content: dict[str, object] = {"wish": wish, "person": person, "late": late, "accepted": accepted}
        content |= {"own": own, "happened": happened}
        content |= {"refusal": refusal(wish.kind, answer) if answer is not None else ""}
        content |= {"through": ", ".join(answer.through) if answer is not None else ""}
        words = self.pages.words(request, self._language(opened))
        return self.pages.page("wished.html", words, content, 409 if late else 200)

    def _fault(self, request: Request, fault: Fault) -> Response:
        words = self.pages.words(request)
        headers = _RETRY if fault is Fault.UNKNOWN else {}
        return self.pages.page("problem.html", words, {"problem": str(fault)}, _STATUS[fault], headers)

    def _language(self, opened: Opened) -> str:
        return opened.decider.language if opened.decider is not None else opened.request.language


def _open_still(opened: Opened) -> bool:
    wanted = Stage.UNCONFIRMED if opened.decider is None else Stage.WAITING
    return opened.request.stage is wanted


def _wrong(opened: Opened, form: Typed, token: str) -> tuple[str, ...]:
    """Return the names of the fields that keep a form from being an answer; to confirm there is nothing to choose."""
    return tuple(name for name in form.wrong(token) if opened.decider is not None or name == "word")
