"""Looks whether the panel works as a browser would: the form, the log-in, the list of groups.

Fails with `PanelFailed` for an answer that isn't what it should be, OSError where nothing answers.
"""

from __future__ import annotations

import re
from html import unescape
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from deploy.demo.people import PASSWORD

_SECONDS = 150.0
_TOKEN = re.compile(r'name="csrf" value="([^"]*)"')


class PanelFailed(OSError):
    """The panel answered with something else."""


def looked_at(url: str, login: str, address: str) -> bool:
    """Log somebody in; tell whether the list of groups, searched for an address, has it.

    :param url: of the panel, without a slash at the end.
    """
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    form = _page(browser, f"{url}/login")
    token = _TOKEN.search(form)
    if token is None:
        raise PanelFailed("the panel's log-in page has no form")
    fields = {"csrf": unescape(token[1]), "login": login, "password": PASSWORD, "next": "/groups"}
    _page(browser, f"{url}/login", urlencode(fields).encode())
    return address in _page(browser, f"{url}/groups?{urlencode({'q': address})}")


def _page(browser: OpenerDirector, url: str, form: bytes | None = None) -> str:
    with browser.open(url, form, timeout=_SECONDS) as answer:
        return str(answer.read().decode())
