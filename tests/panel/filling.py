"""Forms filled in as a browser does it: what the page has in them goes along, what isn't ticked doesn't."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

Fields = dict[str, list[str]]


@dataclass
class _Reading:
    """The form that is being read."""

    action: str
    method: str = "get"
    fields: Fields = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)


class _Forms(HTMLParser):
    """Reads the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Reading] = []
        self._inside: _Reading | None = None
        self._area: list[str] | None = None
        self._select = ""
        self._first = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = _Reading(of.get("action", ""), of.get("method", "get").lower())
            self.forms.append(self._inside)
        elif tag == "input" and self._inside is not None and "name" in of:
            if of.get("type") not in ("checkbox", "radio") or "checked" in of:
                self._put(of["name"], of.get("value", "on"))
            if of.get("type", "text") in ("text", "email", "search", "url"):
                self._inside.texts.add(of["name"])
        elif tag == "textarea":
            self._area = []
            self._put(of["name"], "")
            if self._inside is not None:
                self._inside.texts.add(of["name"])
            self._select = of["name"]
        elif tag == "select":
            self._select, self._first = of["name"], True
        elif tag == "option" and self._select and (self._first or "selected" in of):
            assert self._inside is not None
            self._inside.fields[self._select] = [of.get("value", "")]
            self._first = False

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None
        elif tag == "textarea" and self._inside is not None and self._area is not None:
            # The line end after the tag is no part of the content (HTML, 13.1.2.5).
            self._inside.fields[self._select][-1] = "".join(self._area).removeprefix("\n")
            self._area, self._select = None, ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area.append(data)

    def _put(self, name: str, value: str) -> None:
        if self._inside is not None:
            self._inside.fields.setdefault(name, []).append(value)


def forms_of(page: httpx.Response) -> list[tuple[str, str, Fields, set[str]]]:
    """The forms of a page: method, action, what a browser would send, and the names of the fields for texts."""
    reading = _Forms()
    reading.feed(page.text)
    return [(form.method, form.action, form.fields, form.texts) for form in reading.forms]


def form_of(page: httpx.Response, action: str) -> Fields:
    """What a browser would send of the form with an action, untouched."""
    reading = _Forms()
    reading.feed(page.text)
    [found] = [form for form in reading.forms if form.action == action]
    return found.fields


def filled(
    client: httpx.Client,
    path: str,
    changes: Mapping[str, str | Sequence[str]] | None = None,
    *,
    page: httpx.Response | None = None,
    without: Sequence[str] = (),
) -> httpx.Response:
    """Open a page, fill in the form that leads to the same path, and return the answer to it.

    :param page: as it was opened before. ``without``: boxes that are no longer ticked.
    """
    fields = form_of(page if page is not None else client.get(path), path)
    for name, value in (changes or {}).items():
        fields[name] = [value] if isinstance(value, str) else list(value)
    for name in without:
        del fields[name]
    return client.post(path, data=fields)
