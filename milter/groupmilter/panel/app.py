"""The panel's application: its pages, and what surrounds them all.

``/decide/<token>`` is `deciding`; ``/healthz``, ``/robots.txt`` and the stylesheet need nobody. Nothing here describes
itself to strangers: no OpenAPI, no version, no server header.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from groupmilter.enrolment.tokens import Tokens
from groupmilter.language.catalogue import Translate
from groupmilter.moderation.ledger import LedgerUnavailable
from groupmilter.panel.api.app import PATH, api
from groupmilter.panel.api.gate import CALLS, Bounds
from groupmilter.panel.client import Clients, Networks
from groupmilter.panel.deciding import Deciding, ledger_unavailable
from groupmilter.panel.guard import BODY_SECONDS, FOREVER, Guard
from groupmilter.panel.pages import KINDS, Pages
from groupmilter.panel.parts import Parts
from groupmilter.panel.requesting import Requesting
from groupmilter.panel.routes import Frame
from groupmilter.panel.screens import ROUTES
from groupmilter.panel.service import DecisionsLike
from groupmilter.panel.throttle import Throttle

_PAGE = ["GET", "HEAD"]
_KNOWN_ERRORS = frozenset({400, 403, 404, 405, 408, 413, 415, 429, 500})


class Log(Protocol):
    """Where the panel says what went wrong; structlog's loggers are such."""

    def error(self, event: str, **fields: object) -> object:
        """Log what somebody has to look at."""

    def warning(self, event: str, **fields: object) -> object:
        """Log what somebody may want to know."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the panel needs to know of where it runs.

    :param translate: the catalogue of sentences. ``url``: the panel's public one, or empty.
    :param proxies: networks of the reverse proxies whose ``X-Forwarded-For`` is believed.
    :param zone: in which times are shown; None for the host's.
    :param bad_tokens, bad_tokens_in_all: a minute, by client address and together, that are recorded; the rest is
        answered 429. A good token is answered always. ``calls``: a minute, that a token of the API is good for.
    :param body_seconds: within which what is sent along with a request has to be here.
    """

    translate: Translate
    log: Log
    url: str = ""
    proxies: Networks = ()
    zone: tzinfo | None = None
    bad_tokens: int = 20
    bad_tokens_in_all: int = 600
    calls: int = CALLS
    body_seconds: float = BODY_SECONDS
    monotonic: Callable[[], float] = time.monotonic


def create_app(
    decisions: DecisionsLike, around: Surroundings, parts: Parts | None = None, tokens: Tokens | None = None
) -> FastAPI:
    """Return the application, which decides through ``decisions``.

    :param parts: what the pages work with; None: there are none but those behind decision links.
    :param tokens: what opens links about requests to join or leave; None: there are none.
    """
    pages = Pages(around.translate, around.zone)
    clients = Clients(around.proxies, urlsplit(around.url).netloc)
    bad = Throttle(around.bad_tokens, around.bad_tokens_in_all, 60.0, around.monotonic)
    log = around.log
    deciding = Deciding(
        decisions, pages, clients, bad, lambda why: log.warning("sender not remembered", why=why)
    )
    # A redirect would carry the token to wherever the Host header says, and without TLS behind a proxy.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    linked = deciding if tokens is None else Requesting(tokens, pages, clients, deciding)
    app.add_api_route("/decide/{token}", linked.show, methods=_PAGE, response_model=None)
    app.add_api_route("/decide/{token}", linked.answer, methods=["POST"], response_model=None)
    if parts is not None:
        report = lambda event, why: log.warning(event, why=why)  # noqa: E731 - two words for the log
        bounds = Bounds(around.bad_tokens, around.bad_tokens_in_all, around.calls)
        Frame(parts, pages, clients, report).mount(app, ROUTES)
        app.mount(PATH, api(parts, around.translate, clients, report, bounds))
    _add_small_pages(app, pages)
    errors = _Errors(pages, panel=parts is not None)
    _add_errors(app, errors)
    # The type alone: an error's text may quote what came in.
    app.add_middleware(
        Guard,
        fallback=lambda request: errors.page(request, 500),
        report=lambda error: log.error("page failed", kind=type(error).__name__, exc_info=error),
        patience=around.body_seconds,
    )
    return app


def _add_small_pages(app: FastAPI, pages: Pages) -> None:
    def healthz() -> Response:
        return PlainTextResponse("ok\n")

    def robots() -> Response:
        return PlainTextResponse("User-agent: *\nDisallow: /\n")

    def static(content: bytes, kind: str) -> Callable[[], Response]:
        def endpoint() -> Response:
            return Response(content, media_type=kind, headers={"cache-control": FOREVER})

        return endpoint

    served = {
        path: static(content, KINDS[Path(name).suffix]) for name, (path, content) in pages.statics.items()
    }
    for path, endpoint in {"/healthz": healthz, "/robots.txt": robots, **served}.items():
        app.add_api_route(path, endpoint, methods=_PAGE, response_model=None)


@dataclass(frozen=True, slots=True)
class _Errors:
    """Pages for what isn't as it was asked for.

    :param panel: whether there are groups to lead back to.
    """

    pages: Pages
    panel: bool

    def page(self, request: Request, status: int) -> Response:
        shown = status if status in _KNOWN_ERRORS else 400 if status < 500 else 500
        content = {"status": shown, "panel": self.panel}
        return self.pages.page("error.html", self.pages.words(request), content, status)


def _add_errors(app: FastAPI, errors: _Errors) -> None:
    def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        response = errors.page(request, status)
        # The method list that 405 has to name.
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    def unavailable(request: Request, _: Exception) -> Response:
        return ledger_unavailable(errors.pages, request)

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(LedgerUnavailable, unavailable)
