"""From a request to a page's function and back: log-in, form, role, and what goes wrong, the same for all pages.

A page's function takes a `visit.Visit` and gives a response; it runs in a thread, so it may wait for directory and
ledger. What nobody foresaw passes through to `guard`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from urllib.parse import quote

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from groupmilter.directory.change import WriteRefused
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.language.catalogue import LANGUAGES
from groupmilter.membership.authority import Forbidden
from groupmilter.moderation.entitlement import MayNotDecide, Undecided
from groupmilter.moderation.ledger import LedgerUnavailable
from groupmilter.panel.client import Clients
from groupmilter.panel.form import Form, typed
from groupmilter.panel.labels import labels
from groupmilter.panel.language import Words
from groupmilter.panel.pages import Pages
from groupmilter.panel.parts import Parts
from groupmilter.panel.session import same
from groupmilter.panel.visit import HTMX, Gone, Visit
from groupmilter.panel.visitor import Visitor
from groupmilter.panel.waiting import Waiting

LANGUAGE = "groupmilter-language"
"""Cookie with the language that somebody chose; nothing secret."""

_YEAR = 365 * 86_400
Answer = Callable[[Visit], Response]
Down = Callable[[Visit, bool], Response]
"""Answers where the ledger (true) or the directory can't be reached."""
Report = Callable[[str, str], object]
"""Hears what failed (first) and why (second)."""


class Admits(Enum):
    """Whom a page is for."""

    ANYBODY = "anybody"
    PERSON = "person"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Route:
    """A page: where it stands, and what answers.

    :param path: of Starlette's kind, as ``/groups/{group}/members``. ``method``: GET or POST.
    :param down: answers where directory or ledger can't be reached; None: the page that offers to send it again.
    """

    path: str
    answer: Answer
    method: str = "GET"
    admits: Admits = Admits.PERSON
    down: Down | None = None


def get(path: str, answer: Answer, admits: Admits = Admits.PERSON) -> Route:
    """Return a page that only shows."""
    return Route(path, answer, "GET", admits)


def post(path: str, answer: Answer, admits: Admits = Admits.PERSON, down: Down | None = None) -> Route:
    """Return what a form is sent to; it has passed the check of its session's token before."""
    return Route(path, answer, "POST", admits, down)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is around each page.

    :param report: told in words what failed, for the log.
    """

    parts: Parts
    pages: Pages
    clients: Clients
    report: Report

    def mount(self, app: FastAPI, routes: Iterable[Route]) -> None:
        """Add pages to the application."""
        for route in routes:
            methods = ["GET", "HEAD"] if route.method == "GET" else [route.method]
            app.add_api_route(route.path, self._endpoint(route), methods=methods, response_model=None)

    def _endpoint(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            form = Form()
            if route.method != "GET":
                if not self.clients.same_origin(request):
                    raise HTTPException(403)
                try:
                    form = await typed(request)
                except ValueError:
                    raise HTTPException(415) from None
            return await run_in_threadpool(self._answered, route, request, form)

        return endpoint

    def _answered(self, route: Route, request: Request, form: Form) -> Response:
        client = self.clients.address(request)
        visit = Visit(request, self.parts, self.pages, self._words(request, None), client, None, form)
        try:
            visit = replace(visit, visitor=self.parts.door.visitor(request, client))
            visit = replace(visit, words=self._words(request, visit.visitor))
            response = self._admitted(route, visit)
        except (DirectoryUnknown, LedgerUnavailable) as error:
            self.report("page without directory or ledger", str(error))
            response = (route.down or _down)(visit, isinstance(error, LedgerUnavailable))
            response.headers["retry-after"] = "30"
        chosen = request.query_params.get("lang", "")
        if chosen in LANGUAGES:
            response.set_cookie(LANGUAGE, chosen, max_age=_YEAR, samesite="lax", httponly=True)
        return response

    def _words(self, request: Request, visitor: Visitor | None) -> Words:
        wish = request.cookies.get(LANGUAGE, "") or (visitor.person.language if visitor else "")
        return self.pages.words(request, wish)

    def _admitted(self, route: Route, visit: Visit) -> Response:
        visitor = visit.visitor
        if route.admits is not Admits.ANYBODY and visitor is None:
            return _log_in_first(visit)
        # What needs no log-in looks after its forms itself: whoever logs in again is no stranger to himself.
        own = (
            visitor is None
            or route.method == "GET"
            or route.admits is Admits.ANYBODY
            or _ours(visit, visitor)
        )
        if not own:
            return visit.page("stale.html", {"fields": _kept(visit)}, 403)
        if route.admits is Admits.ADMINISTRATOR and not (visitor is not None and visitor.administrator):
            return visit.page("missing.html", {}, 404)
        try:
            return route.answer(visit)
        except Gone:
            return visit.page("missing.html", {}, 404)
        except Forbidden as error:
            why = visit.t(error.sentence, fields=labels(visit.t, error.fields))
            return visit.page("forbidden.html", {"why": why}, 403)
        except Undecided as error:
            why = visit.t(error.sentence, **error.values)
            return visit.page("undecided.html", {"why": why}, 403 if isinstance(error, MayNotDecide) else 409)
        except WriteRefused as error:
            self.report("directory refuses", str(error))
            content = {"why": visit.t(error.sentence, **error.values), "fields": _kept(visit)}
            return visit.page("refused.html", {**content, "files": bool(visit.form.files)}, 502)


def _ours(visit: Visit, visitor: Visitor) -> bool:
    """Tell whether a form was made for this session (its token, in the form or in a header)."""
    sent = visit.form["csrf"] or visit.request.headers.get("x-csrf-token", "")
    return same(visitor.csrf, sent)


def _log_in_first(visit: Visit) -> Response:
    """Send to the log-in, and back afterwards: only to a page that shows, for what was typed is gone by then."""
    url = visit.request.url
    back = f"{url.path}?{url.query}" if url.query else url.path
    target = f"/login?next={quote(back, safe='')}" if visit.request.method in ("GET", "HEAD") else "/login"
    if HTMX in visit.request.headers:
        return Response(status_code=204, headers={"hx-redirect": target})
    if visit.request.method in ("GET", "HEAD"):
        return RedirectResponse(target, 303)
    return visit.page("stale.html", {"fields": _kept(visit)}, 401)


def _kept(visit: Visit) -> list[tuple[str, str]]:
    """Return what was typed, to be sent again: nothing typed is lost, and nothing secret is shown."""
    return [(name, value) for name, values in visit.form.fields.items() if name != "csrf" for value in values]


def _down(visit: Visit, ledger: bool) -> Response:
    content = {"fields": _kept(visit), "files": bool(visit.form.files), "ledger": ledger, "awaiting": Waiting}
    return visit.page("down.html", content, 503)
