"""The API's application: its endpoints, and what becomes of everything that goes wrong: problems in one form.

It stands below ``/api/v1``, behind `gate`: whoever has no token that holds learns nothing, not even which paths there
are. Its description (OpenAPI 3.1) is at ``/api/v1/openapi.json``; no page that loads scripts from elsewhere shows it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from groupmilter import __version__
from groupmilter.directory.change import WriteRefused
from groupmilter.directory.writer import OutcomeUnknown
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.language.catalogue import Translate
from groupmilter.membership.authority import Forbidden
from groupmilter.membership.service import NoSuchGroup
from groupmilter.moderation.entitlement import GoesNowhere, MayNotDecide
from groupmilter.moderation.ledger import LedgerUnavailable
from groupmilter.panel.api import (
    bounces,
    contacts,
    explain,
    groups,
    held,
    history,
    journal,
    lists,
    me,
    members,
    previewing,
    requests,
    status,
    tables,
    undoing,
)
from groupmilter.panel.api.access import AccessTokens
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Reading
from groupmilter.panel.api.gate import Bounds, Gate
from groupmilter.panel.api.invalid import invalid
from groupmilter.panel.api.problem import Code, Problem, Refusal, Wrong, answered
from groupmilter.panel.client import Clients
from groupmilter.panel.parts import Parts

PATH = "/api/v1"
_DESCRIPTION = """Everything that the panel's pages do, for programs that act for a person.

A call bears a token of the person: `Authorization: Bearer gm_…`. It has the person's rights, read from the directory at
each write, and never more than the token's scopes. Sentences come in the language of `Accept-Language`."""
_PARTS = (
    me, lists, groups, members, contacts, previewing, tables, requests, held, explain, journal, undoing, status,
    history, bounces,
)  # fmt: skip
_USUAL = Bounds()
_STATUS_CODES = {404: Code.NOT_FOUND, 405: Code.METHOD, 413: Code.TOO_LARGE, 415: Code.MEDIA}
Report = Callable[[str, str], object]
Place = tuple[re.Pattern[str], tuple[str, ...]]
"""A path, and its methods."""


def api(
    parts: Parts, translate: Translate, clients: Clients, report: Report, bounds: Bounds = _USUAL,
    clock: Callable[[], float] = time.monotonic,
) -> ASGIApp:  # fmt: skip
    """Return the API, to be mounted at `PATH`.

    :param report: told in words what failed (first) and why (second), for the log.
    :param clock: seconds from any start.
    """
    tokens = AccessTokens(parts.ledger, parts.lookups, parts.now)
    app = application(translate, report)
    return Gate(app, parts, tokens, clients, translate, *bounds.throttles(clock), report)


def application(translate: Translate, report: Report) -> FastAPI:
    """Return the endpoints and the handlers of what goes wrong."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for each in _PARTS:
        app.include_router(each.router)

    def describe(_: Reading) -> Response:
        """Return this description."""
        return JSONResponse(description(app))

    app.add_api_route(
        "/openapi.json",
        describe,
        operation_id="getOpenApi",
        tags=["me"],
        responses=problems(),
        response_class=JSONResponse,
    )
    _handle(app, translate, report)
    return app


def description(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document."""
    made = get_openapi(
        title="groupmilter", version=__version__.partition("+")[0], description=_DESCRIPTION, routes=app.routes,
        servers=[{"url": PATH}],
    )  # fmt: skip
    schemas: dict[str, Any] = made["components"]["schemas"]
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**schema.pop("$defs"), Problem.__name__: schema}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return made


def _handle(app: FastAPI, translate: Translate, report: Report) -> None:
    """Turn what the services raise into problems."""
    places = tuple(_places(app))

    def handler(turned: Callable[[Request, Any], Refusal]) -> Callable[[Request, Exception], Response]:
        def handle(request: Request, error: Exception) -> Response:
            return answered(turned(request, error), translate, request.state.call.language)

        return handle

    def directory(_: Request, error: DirectoryUnknown) -> Refusal:
        report("call without directory", str(error))
        return Refusal(Code.OUTCOME_UNKNOWN if isinstance(error, OutcomeUnknown) else Code.DIRECTORY)

    def ledger(_: Request, error: LedgerUnavailable) -> Refusal:
        report("call without ledger", str(error))
        return Refusal(Code.LEDGER)

    def refuses(_: Request, error: WriteRefused) -> Refusal:
        report("directory refuses", str(error))
        return Refusal(Code.REFUSED)

    turns: dict[type[Exception], Callable[[Request, Any], Refusal]] = {
        Refusal: lambda _, error: error,
        RequestValidationError: invalid,
        HTTPException: lambda request, error: _of_http(places, request, error),
        NoSuchGroup: lambda _, __: Refusal(Code.NOT_FOUND),
        Forbidden: _forbidden,
        MayNotDecide: lambda _, error: Refusal(Code.FORBIDDEN, error.sentence),
        GoesNowhere: _nowhere,
        WriteRefused: refuses,
        DirectoryUnknown: directory,
        LedgerUnavailable: ledger,
        Exception: lambda _, __: Refusal(Code.SURPRISE),
    }
    for kind, turned in turns.items():
        app.add_exception_handler(kind, handler(turned))


def _of_http(places: Iterable[Place], request: Request, error: HTTPException) -> Refusal:
    code = _STATUS_CODES.get(error.status_code, Code.MALFORMED)
    path = request.url.path.removeprefix(PATH)
    # The methods of all routes that have this path (RFC 9110 section 10.2.1).
    allowed = sorted({method for pattern, methods in places if pattern.fullmatch(path) for method in methods})
    return Refusal(code, headers={"allow": ", ".join(allowed)} if code is Code.METHOD else {})


def _places(app: FastAPI) -> Iterator[Place]:
    for path, methods in description(app)["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        yield re.compile(pattern), tuple(method.upper() for method in methods)


def _nowhere(_: Request, error: GoesNowhere) -> Refusal:
    return Refusal(Code.INVALID, errors=[Wrong("decision", error.sentence, error.values)])


def _forbidden(_: Request, error: Forbidden) -> Refusal:
    fields = [Wrong(field, error.sentence, {"fields": field}) for field in error.fields]
    return Refusal(Code.FORBIDDEN, error.sentence, errors=fields, fields=", ".join(error.fields))
