"""Logging in and out."""

from __future__ import annotations

from starlette.responses import Response

from groupmilter.language.catalogue import marked
from groupmilter.panel.login import Reason, Refusal, onward
from groupmilter.panel.routes import Admits, get, post
from groupmilter.panel.screens.tokens import tokens_of
from groupmilter.panel.visit import Visit

_NO_DIRECTORY = marked("The directory can't be reached at the moment.")
_NO_LEDGER = marked("The database of held messages and changes can't be reached at the moment.")
_SHORTLY = marked("Please try again shortly.")
_STATUS = {Reason.SLOW: 429, Reason.FILE: 503, Reason.UNSEEN: 503}


def show(visit: Visit) -> Response:
    """Show the form, or go on where somebody is logged in already."""
    onwards = onward(visit.asked("next"))
    return visit.to(onwards) if visit.visitor is not None else _form(visit, onwards)


def enter(visit: Visit) -> Response:
    """Log in; the same words for an unknown name and a wrong password."""
    onwards, door = onward(visit.form["next"]), visit.parts.door
    if not door.form.proves(visit.request, visit.form["csrf"]):
        return _form(visit, onwards, visit.t("This page had been open for long. Please log in again."), 403)
    found = door.enter(visit.request, visit.form["login"], visit.form.secret("password"), visit.client)
    if isinstance(found, Refusal):
        words = visit.t(found.sentence, seconds=found.seconds)
        return _form(visit, onwards, words, _STATUS.get(found.reason, 403))
    return door.marked(visit.to(onwards), found)


def _unable(visit: Visit, ledger: bool) -> Response:
    """Show the form again, to be filled in again: a password is kept nowhere, so it can't be sent once more."""
    words = visit.t(_NO_LEDGER if ledger else _NO_DIRECTORY) + " " + visit.t(_SHORTLY)
    return _form(visit, onward(visit.form["next"]), words, 503)


def _form(visit: Visit, onwards: str, refusal: str = "", status: int = 200) -> Response:
    word, value = visit.parts.door.form.fresh(visit.request)
    content = {"next": onwards, "refusal": refusal, "csrf": word}
    response = visit.page("screens/login.html", content, status)
    visit.parts.door.form.cookie.give(response, value)
    return response


def leave(visit: Visit) -> Response:
    """Log out, here or everywhere; where it is wished, programs lose their tokens, too."""
    everywhere, parts, me = "everywhere" in visit.form, visit.parts, visit.me
    if everywhere and "tokens" in visit.form:
        tokens = tokens_of(visit)
        for row in tokens.of(me.person.uuid):
            tokens.revoke(row, me.who)
    parts.door.leave(visit.request, me.who, everywhere=everywhere)
    return visit.parts.door.unmarked(visit.to("/login", "everywhere" if everywhere else "out"))


ROUTES = (
    get("/login", show, Admits.ANYBODY),
    post("/login", enter, Admits.ANYBODY, _unable),
    post("/logout", leave),
)
