"""One visit to a page: who asks, in which language, what he typed, and how he is answered.

What can't be shown ends in an exception that `routes` turns into a page: `Gone` (there is no such thing, or it is none
of the visitor's business), `Forbidden` of the authority, `DirectoryUnknown` and `LedgerUnavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from groupmilter.moderation.request import Request as Wish
from groupmilter.moderation.request import Wanted
from groupmilter.panel.form import Form, cleaned, is_number
from groupmilter.panel.guard import WITH_OUR_SCRIPT
from groupmilter.panel.language import Words
from groupmilter.panel.pages import Pages
from groupmilter.panel.parts import Parts
from groupmilter.panel.said import NOT_DONE, SAID
from groupmilter.panel.visitor import Visitor
from groupmilter.panel.waiting import Waiting, asked_for, waiting

HTMX = "hx-request"
_SAYING = frozenset({"said", "number"})


class Gone(Exception):
    """What is asked for isn't there, or isn't for this visitor: nobody learns which."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, and what answers it.

    :param client: network address of whoever asks. ``visitor``: None only on pages that need no log-in.
    :param form: what was typed; empty for a GET.
    """

    request: Request
    parts: Parts
    pages: Pages
    words: Words
    client: str
    visitor: Visitor | None = None
    form: Form = Form()

    @property
    def me(self) -> Visitor:
        """The visitor, on a page that needs a log-in."""
        if self.visitor is None:
            raise Gone
        return self.visitor

    @property
    def partly(self) -> bool:
        """Whether htmx asks, to exchange a part of the page it shows. Source: htmx, request headers."""
        return HTMX in self.request.headers

    def asked(self, name: str, default: str = "") -> str:
        """Return a parameter of the address: of its path, else of its query; as clean as what is typed into a form."""
        found = self.request.path_params.get(name) or self.request.query_params.get(name, default)
        return cleaned(str(found))

    def number(self, name: str, default: int, *, least: int = 1, most: int = 1_000_000_000) -> int:
        """Return a number of the query, kept within bounds; the default for what is none."""
        text = self.request.query_params.get(name, "")
        return min(most, max(least, int(text))) if is_number(text) else default

    def here(self, **changes: object) -> str:
        """Return this page's path with some parameters of its query changed; None or "" takes one away."""
        query = {**self.request.query_params, **changes}
        kept = {
            name: value for name, value in query.items() if value not in (None, "") and name not in _SAYING
        }
        return f"{self.request.url.path}?{urlencode(kept)}" if kept else self.request.url.path

    def t(self, sentence: str, **values: object) -> Markup:
        """Return a sentence in the visitor's language."""
        return self.words.t(sentence, **values)

    def page(self, template: str, content: Mapping[str, object] | None = None, status: int = 200) -> Response:
        """Answer with a page; templates find the visit as ``visit``, the form as ``form``."""
        key = self.request.query_params.get("said", "")
        around = {
            "visit": self,
            "visitor": self.visitor,
            "form": self.form,
            "said": SAID.get(key, ""),
            "said_tone": "warn" if key in NOT_DONE else "good",
            "awaiting": self._waiting,
        }
        whole = {"wrong": {}, **around, **(content or {})}
        return self.pages.page(template, self.words, whole, status, WITH_OUR_SCRIPT)

    def _waiting(self) -> Waiting:
        return Waiting() if self.visitor is None else waiting(self.parts, self.visitor.person)

    def asked_for(self, group: str, wanted: Wanted) -> Wish | None:
        """Return the visitor's own request that is open about a group, by its UUID."""
        return asked_for(self.parts, self.me.person, group, wanted)

    def to(self, path: str, said: str = "", number: int = 0) -> Response:
        """Send the browser on to a page of ours after something was done (303).

        :param path: begins with ``/``. ``said``: key of `said.SAID`, the sentence shown there. ``number``: in it.
        """
        query = {"said": said} | ({"number": str(number)} if number else {})
        end = ("&" if "?" in path else "?") + urlencode(query) if said else ""
        return RedirectResponse(path + end, 303)
