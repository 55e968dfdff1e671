"""HTML of an outsider written anew, so that nothing of his own marks is left: known elements, known attributes, text.

What loads, runs, sends or leads anywhere isn't among them: images become their description, a link becomes its text and
the address it would lead to. Time grows with the size only. Pure; never raises. Source: HTML Standard, section 13.2.5
(how browsers read tags, so that what they show is what stands here).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from groupmilter.mail.shown import lines, shown

_BLOCKS = """
    address article aside blockquote caption center col colgroup dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6
    header hr li main ol p pre section table tbody td tfoot th thead tr ul
"""
_WORDS = "abbr b bdi bdo big br cite code del dfn em font i ins kbd mark q s samp small span strike strong sub sup tt u"
_KEPT = frozenset((*_BLOCKS.split(), *_WORDS.split()))
_VOID = frozenset({"br", "col", "hr"})
_SKIPPED = frozenset({"iframe", "noembed", "noframes", "script", "style", "template", "title"})
"""Elements whose content no browser shows."""

_CLOSING = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _SKIPPED}
_NUMBER = re.compile(r"[0-9]{1,4}%?")
_WORD = re.compile(r"[#a-zA-Z0-9 -]{1,30}")
_ATTRIBUTES = {
    **dict.fromkeys(("width", "height", "border", "cellpadding", "cellspacing", "size", "start"), _NUMBER),
    **dict.fromkeys(("align", "valign", "bgcolor", "color", "dir"), _WORD),
    **dict.fromkeys(("colspan", "rowspan"), re.compile(r"[0-9]{1,3}")),
}
_PROPERTY = re.compile(
    r"(?:color|background(?:-color)?|font(?:-[a-z]+)?|text-(?:align|decoration|transform|indent)|line-height"
    r"|letter-spacing|(?:margin|padding)(?:-[a-z]+)?|border(?:-[a-z]+)*|(?:min-|max-)?(?:width|height)"
    r"|vertical-align|white-space|list-style-type)"
)
_VALUE = re.compile(r"(?:[\w#%., '\"!+-]|rgba?\([\d., %]+\)){1,200}")
_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]*)")
_SPACES = re.compile(r"[\s/]*")
_ATTRIBUTE_NAME = re.compile(r"[^\s/>][^\s/>=]*")
_UNQUOTED = re.compile(r"[^\s>]*")
_EQUALS = re.compile(r"\s*=\s*")
_LONG_NUMBER = re.compile(r"&#(?:\d{8,}|[xX][0-9a-fA-F]{8,});?")
_MOST_READ = 256 * 1024
_MOST_TAGS = 20_000
_LONGEST = 300

_HEAD = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title></title><style>
html { background: #fff; color: #1a2430; font: 15px/1.5 system-ui, "Liberation Sans", "DejaVu Sans", sans-serif; }
body { margin: 12px; overflow-wrap: anywhere; }
table { border-collapse: collapse; max-width: 100%; }
blockquote { margin: 0 0 0 8px; padding-left: 10px; border-left: 3px solid #c4ccd4; }
pre { white-space: pre-wrap; }
.link { text-decoration: underline; }
.where, .image { color: #51606f; background: #eef1f4; border-radius: 4px; padding: 0 5px; font: 13px monospace; }
</style></head><body>
"""
_FOOT = "\n</body></html>\n"


@dataclass(slots=True)
class _Writing:
    """What is written so far, and which links are open."""

    out: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: int = 0

    def text(self, raw: str) -> None:
        """Write text that came with entities."""
        self.out.append(_escaped(_unescaped(raw)))

    def tag(self, name: str, closing: bool, attributes: dict[str, str]) -> None:
        """Write what a tag becomes."""
        self.tags += 1
        if name == "a":
            self._link(closing, attributes)
        elif name == "img" and not closing:
            about = shown(attributes.get("alt", ""), _LONGEST)
            self.out.append(f'<span class="image">&#9635; {html.escape(about)}</span>')
        elif name in _KEPT:
            kept = "" if closing else "".join(_kept(attributes))
            self.out.append(f"</{name}>" if closing and name not in _VOID else f"<{name}{kept}>")

    def _link(self, closing: bool, attributes: dict[str, str]) -> None:
        if self.links:
            where = self.links.pop()
            self.out.append("</span>")
            if where:
                self.out.append(f' <span class="where">{html.escape(where)}</span>')
        if not closing:
            self.links.append(shown(attributes.get("href", ""), _LONGEST))
            self.out.append('<span class="link">')

    def end(self) -> str:
        """Return all of it."""
        if self.links:
            self._link(closing=True, attributes={})
        return "".join(self.out)


def document(bodies: tuple[str, ...]) -> str:
    """Return a whole page that shows some pieces of HTML, one below the other."""
    return _HEAD + "\n<hr>\n".join(rewritten(body) for body in bodies) + _FOOT


def rewritten(source: str) -> str:
    """Return HTML made anew of what is harmless in a piece of it; the first 256 KB."""
    source = source[:_MOST_READ]
    writing, at = _Writing(), 0
    while (mark := source.find("<", at)) >= 0 and writing.tags < _MOST_TAGS:
        writing.text(source[at:mark])
        at = _after(source, mark, writing)
        if at < 0:
            return writing.end()
    writing.text(source[at:])
    return writing.end()


def _after(source: str, mark: int, writing: _Writing) -> int:
    """Write what a ``<`` begins; return where text goes on, negative for nowhere."""
    if source.startswith("<!--", mark):
        end = source.find("-->", mark + 2)
        return end + 3 if end >= 0 else -1
    name = _NAME.match(source, mark + 1)
    if name is None:
        if source[mark + 1 : mark + 2] in {"!", "?", "/"}:
            end = source.find(">", mark)
            return end + 1 if end >= 0 else -1
        writing.out.append("&lt;")
        return mark + 1
    attributes: dict[str, str] = {}
    end = _attributes(source, name.end(), attributes)
    if end < 0:
        return -1
    tag, closing = name[1].lower(), source[mark + 1] == "/"
    if tag in _SKIPPED and not closing:
        found = _CLOSING[tag].search(source, end)
        return found.start() if found else -1
    writing.tag(tag, closing, attributes)
    return end


def _attributes(source: str, at: int, found: dict[str, str]) -> int:
    """Read a tag's attributes; return where it has ended, negative where it has no end."""
    while True:
        at = _end(_SPACES, source, at)
        if at >= len(source):
            return -1
        if source[at] == ">":
            return at + 1
        name = _ATTRIBUTE_NAME.match(source, at)
        if name is None:
            return -1
        at, value = name.end(), ""
        equals = _EQUALS.match(source, at)
        if equals is not None:
            at = equals.end()
            quote = source[at : at + 1]
            if quote in {'"', "'"}:
                close = source.find(quote, at + 1)
                if close < 0:
                    return -1
                value, at = source[at + 1 : close], close + 1
            else:
                end = _end(_UNQUOTED, source, at)
                value, at = source[at:end], end
        found.setdefault(name[0].lower()[:40], _unescaped(value[: 4 * _LONGEST]))


def _end(pattern: re.Pattern[str], source: str, at: int) -> int:
    found = pattern.match(source, at)
    return found.end() if found else at


def _kept(attributes: dict[str, str]) -> Iterator[str]:
    """Yield the attributes that only shape what is shown."""
    for name, value in attributes.items():
        allowed = _ATTRIBUTES.get(name)
        if allowed is not None and allowed.fullmatch(value.strip()):
            yield f' {name}="{html.escape(value.strip())}"'
    style = "; ".join(_declarations(attributes.get("style", "")))
    if style:
        yield f' style="{html.escape(style)}"'


def _declarations(style: str) -> Iterator[str]:
    """Yield the declarations of a style that only shape."""
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        if _PROPERTY.fullmatch(name) and _VALUE.fullmatch(value):
            yield f"{name}: {value}"


def _unescaped(text: str) -> str:
    return html.unescape(_LONG_NUMBER.sub("\N{REPLACEMENT CHARACTER}", text))


def _escaped(text: str) -> str:
    return html.escape(lines(text))
