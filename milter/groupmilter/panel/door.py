"""The door: who a request's cookie stands for, and how one is given and taken.

Raises `LedgerUnavailable` and `DirectoryUnknown`; nobody is in or out by that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from groupmilter.groups.person import Person
from groupmilter.moderation.item import Who
from groupmilter.panel.cookie import Cookie, FormCookie
from groupmilter.panel.login import Doorman, Refusal
from groupmilter.panel.session import Sessions
from groupmilter.panel.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Door:
    """Sessions and the browser's cookie for them.

    :param cookie: of sessions. ``form``: of the log-in form.
    :param administers: whether a person administers anything. ``now``: the wall clock, seconds.
    """

    sessions: Sessions
    doorman: Doorman
    cookie: Cookie
    form: FormCookie
    administers: Callable[[Person], bool]
    now: Callable[[], float]

    def visitor(self, request: Request, client: str) -> Visitor | None:
        """Return who comes with a request; None for nobody."""
        token = self.cookie.read(request)
        session = self.sessions.visitor(token, int(self.now())) if token else None
        if session is None:
            return None
        return Visitor(session.person, session.csrf, client, self.administers(session.person))

    def enter(self, request: Request, login: str, password: str, client: str) -> str | Refusal:
        """Let somebody in; return the token of his new session. What session the browser had ends."""
        found = self.doorman.admit(login, password, client)
        if isinstance(found, Refusal):
            return found
        return self.sessions.open(found, client, int(self.now()), self.cookie.read(request))

    def leave(self, request: Request, who: Who, *, everywhere: bool = False) -> None:
        """End the session of a request, or all of whose it is."""
        if everywhere:
            self.sessions.close_all(who)
        else:
            self.sessions.close(self.cookie.read(request), who)

    def marked(self, response: Response, token: str) -> Response:
        """Give the browser a session's cookie."""
        self.cookie.give(response, token)
        return response

    def unmarked(self, response: Response) -> Response:
        """Take the cookie away."""
        self.cookie.take(response)
        return response
