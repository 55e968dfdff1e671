"""Around every page: strict headers, a bound on what is read and for how long, and no word of what went wrong.

Pure ASGI, no framework in between. What nobody foresaw is told to ``report`` and becomes a page with status 500.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 64 * 1024
FILE_LIMIT = 16 * 1024 * 1024
"""For pages that take a file or a long list; their paths end so."""

_LARGE = ("/import", "/members")
BODY_SECONDS = 10.0
FOREVER = "public, max-age=31536000, immutable"

WITH_OUR_SCRIPT = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
}
"""For pages whose lists are exchanged in place; nothing inline runs there either."""

WITH_A_FRAME = {
    "content-security-policy": f"{WITH_OUR_SCRIPT['content-security-policy']}; frame-src 'self'",
    "x-dns-prefetch-control": "off",
}
"""For a page that frames what a stranger wrote: wherever that leads, the frame stays with us."""

IN_A_FRAME = {
    "content-security-policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    "x-frame-options": "SAMEORIGIN",
    "x-dns-prefetch-control": "off",
}
"""For what a stranger wrote, also where it is opened by itself: of no origin, without script, loading nothing."""

AS_A_FILE = {"content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'"}
"""For what is saved and never shown."""

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": (
        "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
        "microphone=(), payment=(), usb=()"
    ),
    "x-robots-tag": "noindex, nofollow, noarchive",
    "cache-control": "no-store",
}
_ENCODED = tuple((name.encode(), value.encode()) for name, value in _HEADERS.items())

Fallback = Callable[[Request], Response]
"""Makes the page for status 500."""

Report = Callable[[BaseException], object]
"""Hears of an error that nobody foresaw; never gets the URL, which holds a token."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The outermost layer of the application that we write ourselves.

    :param patience: seconds within which a body has to come.
    """

    app: ASGIApp
    fallback: Fallback
    report: Report
    patience: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        limit = FILE_LIMIT if scope["path"].endswith(_LARGE) else BODY_LIMIT
        body = _Body(receive, asyncio.get_running_loop().time() + self.patience, limit)
        try:
            await self.app(scope, body.receive, answer.send)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the last resort of a request
            self.report(error)
            if not answer.begun:
                await self.fallback(Request(scope))(scope, receive, answer.send)


@dataclass(slots=True)
class _Answer:
    """What goes out, with the headers that every answer has."""

    out: Send
    begun: bool = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            there = {name.lower() for name, _ in message["headers"]}
            added = [(name, value) for name, value in _ENCODED if name not in there]
            message = {**message, "headers": [*message["headers"], *added]}
        await self.out(message)


@dataclass(slots=True)
class _Body:
    """What comes in: no more than so many octets, and no later than at a point in time.

    Once the whole body is there, waiting (for the client to hang up) has no end.
    """

    inside: Receive
    until: float
    limit: int
    size: int = 0
    whole: bool = False

    async def receive(self) -> Message:
        if self.whole:
            return await self.inside()
        try:
            async with asyncio.timeout_at(self.until):
                message = await self.inside()
        except TimeoutError:
            raise HTTPException(408) from None
        self.size += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.size > self.limit:
            raise HTTPException(413)
        return message
