"""Pages: templates, the stylesheet and the one script, and responses made of them.

Everything shown is escaped by the templates; text that others wrote is shown without control characters and without
those that turn the direction of writing round. A template that isn't there is an error of the installation
(`jinja2.TemplateNotFound`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from groupmilter.enrolment.wording import STAGES
from groupmilter.groups.person import Person
from groupmilter.language.catalogue import LANGUAGES, Translate
from groupmilter.mail.shown import shown as one_line
from groupmilter.mail.shown import spelt_out
from groupmilter.moderation.wording import PROOFS, sound, way_in_words
from groupmilter.panel.deeds import WORDS
from groupmilter.panel.language import NAMES, Words, chosen

_HERE = Path(__file__).parent
_LONGEST_SHOWN = 320

KINDS = {".css": "text/css", ".js": "text/javascript"}
"""Media types of the files that pages need, by suffix."""


@dataclass(frozen=True)
class Pages:
    """Makes pages; one for each process.

    :param translate: the catalogue. ``zone``: in which times are shown; None for the host's.
    """

    translate: Translate
    zone: tzinfo | None = None

    @cached_property
    def statics(self) -> Mapping[str, tuple[str, bytes]]:
        """What pages need besides, by file name: the path, which changes with the content, and the content."""
        found = {}
        for file in sorted((_HERE / "static").iterdir()):
            if file.suffix in KINDS:
                content = file.read_bytes()
                mark = hashlib.sha256(content).hexdigest()[:16]
                found[file.name] = (f"/static/{file.stem}-{mark}{file.suffix}", content)
        return found

    def static(self, name: str) -> str:
        """Return the path of a file that pages need."""
        return self.statics[name][0]

    @cached_property
    def _templates(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["shown"] = shown
        environment.globals["person_name"] = _person_name
        environment.globals["way_in_words"] = _way_in_words
        environment.globals |= {**WORDS, "proofs": PROOFS, "is_sound": sound, "static": self.static}
        environment.globals["request_stages"] = STAGES
        return environment

    def words(self, request: Request, person: str = "") -> Words:
        """Return the words of the language that suits a request.

        :param person: the language of the person who asks, where he is known.
        """
        asked = request.query_params.get("lang", "")
        language = chosen(asked, person, request.headers.get("accept-language", ""))
        return Words(language, self.translate, self.zone)

    def page(
        self,
        template: str,
        words: Words,
        content: Mapping[str, object],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Return a page; its language link leads to the same place, by GET."""
        other = next(language for language in LANGUAGES if language != words.language)
        text = self._templates.get_template(template).render(
            t=words.t,
            when=words.when,
            language=words.language,
            other=other,
            other_name=NAMES[other],
            style=self.static("panel.css"),
            **content,
        )
        return HTMLResponse(text, status, {**(headers or {}), "content-language": words.language})


def _person_name(person: Person) -> Markup:
    return Markup("<bdi><strong>{}</strong></bdi>").format(shown(person.name or person.address))


def _way_in_words(t: Callable[[str], Markup], way: str) -> Markup:
    return t(way_in_words(way))


def shown(text: str) -> str:
    """Return text that somebody else wrote as it may stand in a page: one line, cut, no invisible characters.

    Domains stand in it as people write them.
    """
    return spelt_out(one_line(text, _LONGEST_SHOWN + 1))
