"""Before every call: a token that holds, not too often, and nobody without one gets further, whatever the path.

Cookies count for nothing here, so no page of somebody else's can use them. Pure ASGI, around the API's application.
Whoever guesses tokens is slowed down by his address; a good token is answered always, up to so many calls a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.language.catalogue import Translate
from groupmilter.moderation.ledger import LedgerUnavailable
from groupmilter.panel.api.access import AccessTokens, Holder
from groupmilter.panel.api.call import Call
from groupmilter.panel.api.problem import Code, Refusal, answered
from groupmilter.panel.client import Clients
from groupmilter.panel.language import chosen
from groupmilter.panel.parts import Parts
from groupmilter.panel.throttle import Throttle

CALLS = 600
"""Calls a minute that one token is good for."""

_MOST_CALLS = 100_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How often calls are taken, a minute.

    :param bad, bad_in_all: with no token that holds, by client address and together. ``calls``: with one token.
    """

    bad: int = 20
    bad_in_all: int = 600
    calls: int = CALLS

    def throttles(self, clock: Callable[[], float]) -> tuple[Throttle, Throttle]:
        """Return what counts calls without a token that holds, and what counts those with one."""
        return (
            Throttle(self.bad, self.bad_in_all, 60.0, clock),
            Throttle(self.calls, max(self.calls, _MOST_CALLS), 60.0, clock),
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """The layer.

    :param bad: counts calls without a token that holds, by client address. ``often``: counts calls, by token.
    :param report: told in words what failed (first) and why (second), for the log.
    """

    app: ASGIApp
    parts: Parts
    tokens: AccessTokens
    clients: Clients
    translate: Translate
    bad: Throttle
    often: Throttle
    report: Callable[[str, str], object]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3."""
        request = Request(scope)
        language = chosen("", "", request.headers.get("accept-language", ""))
        try:
            call = await run_in_threadpool(self._admitted, request)
        except Refusal as refusal:
            await answered(refusal, self.translate, language)(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "call": call}
        await self.app(scope, receive, send)

    def _admitted(self, request: Request) -> Call:
        client = self.clients.address(request)
        holder = self._holder(request.headers.get("authorization", ""))
        if holder is None:
            if not self.bad.admits(client):
                raise _too_many(self.bad)
            raise Refusal(Code.NO_TOKEN)
        if not self.often.admits(holder.digest):
            raise _too_many(self.often)
        language = chosen("", holder.person.language, "") if "accept-language" not in request.headers else ""
        language = language or chosen("", "", request.headers["accept-language"])
        return Call(self.parts, holder, client, self.translate, language)

    def _holder(self, header: str) -> Holder | None:
        """Return whom a header's token (RFC 6750 section 2.1) stands for."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return self.tokens.holder(token.strip())
        except DirectoryUnknown as error:
            self.report("token without directory", str(error))
            raise Refusal(Code.DIRECTORY) from error
        except LedgerUnavailable as error:
            self.report("token without ledger", str(error))
            raise Refusal(Code.LEDGER) from error


def _too_many(throttle: Throttle) -> Refusal:
    seconds = throttle.left()
    return Refusal(Code.TOO_MANY, headers={"retry-after": str(seconds)}, seconds=seconds)
