"""HTML as a mail program sees it: its tags, where its links lead, the text of its frames."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.panel.test_contrast import contrast

__all__ = ["Seen", "contrast", "seen"]


class Seen(HTMLParser):
    """What stands in a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.languages: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.quoted = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._open.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "href":
                self.links.append(value or "")
            if name == "lang":
                self.languages.add(value or "")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if "blockquote" in self._open:
            self.quoted += data


def seen(document: str) -> Seen:
    """Read a document."""
    parser = Seen()
    parser.feed(document)
    parser.close()
    return parser
