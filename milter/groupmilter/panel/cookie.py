"""The cookies: the session's, and one for the log-in form, which proves that the form came from us.

Over HTTPS their names begin with ``__Host-``: a browser takes such a cookie only from this very host, over TLS and for
all paths, so that no neighbouring host can slip one in (RFC 6265bis section 4.1.3.2). Over plain HTTP, which is for
loopback, they have neither that name nor ``Secure``. Nothing here fails.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from groupmilter.panel.session import same

_NAME = "groupmilter"
_FORM = "groupmilter-form"


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie.

    :param name: without prefix. ``secure``: whether browsers reach us by HTTPS.
    """

    name: str
    secure: bool

    @property
    def full_name(self) -> str:
        """The name as it is sent."""
        return f"__Host-{self.name}" if self.secure else self.name

    def read(self, request: Request) -> str:
        """Return what the browser sent, empty where it has none."""
        return request.cookies.get(self.full_name, "")

    def give(self, response: Response, value: str) -> None:
        """Have the browser keep a value until it is closed."""
        response.set_cookie(
            self.full_name, value, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def take(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(self.full_name, path="/", secure=self.secure, httponly=True, samesite="lax")


def session_cookie(url: str) -> Cookie:
    """Return the cookie of sessions.

    :param url: the panel's public one.
    """
    return Cookie(_NAME, urlsplit(url).scheme == "https")


@dataclass(frozen=True, slots=True)
class FormCookie:
    """What keeps a foreign page from logging somebody in here (login CSRF), where there is no session yet.

    The form holds a word that follows from the cookie; who can't read our cookie doesn't know it.
    """

    cookie: Cookie

    def fresh(self, request: Request) -> tuple[str, str]:
        """Return the word for a form's ``csrf``, and the value of the cookie to give along with the page."""
        value = self.cookie.read(request) or secrets.token_urlsafe(32)
        return _word(value), value

    def proves(self, request: Request, given: str) -> bool:
        """Tell whether a form's ``csrf`` belongs to the browser's cookie."""
        value = self.cookie.read(request)
        return bool(value) and same(_word(value), given)


def form_cookie(url: str) -> FormCookie:
    """Return the log-in form's cookie; ``url`` as for `session_cookie`."""
    return FormCookie(Cookie(_FORM, urlsplit(url).scheme == "https"))


def _word(value: str) -> str:
    return hashlib.sha256(f"groupmilter form {value}".encode()).hexdigest()
