"""HTML of an outsider with nothing left in it that loads, runs, sends or leads anywhere: nh3 parses it as a browser
does and keeps known elements and attributes only.

Ours is what a moderator needs besides: images become their description, a link becomes its text and the address it
would lead to, whatever its scheme. Of too much of it the beginning is shown. Pure; never raises. Sources: HTML
Standard, section 13.2.6 (what a tag does to the tree); nh3 and ammonia (what of it is kept).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import nh3

from groupmilter.mail.shown import lines, shown

_BLOCKS = """
    address article aside blockquote caption center col colgroup dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6
    header hr li main ol p pre section table tbody td tfoot th thead tr ul
"""
_WORDS = "abbr b bdi bdo big br cite code del dfn em font i ins kbd mark q s samp small span strike strong sub sup tt u"
_KEPT = frozenset((*_BLOCKS.split(), *_WORDS.split()))
_SKIPPED = frozenset({"iframe", "noembed", "noframes", "script", "style", "template", "title"})
"""Elements whose content no browser shows."""

_READ = """
    a area base body br button details dialog embed fieldset form frame frameset head html image img input legend
    link listing map menu meta nav nobr object option param plaintext select source summary textarea track wbr xmp
"""
"""Others that a parser has to know by their name."""

_NUMBER = re.compile(r"[0-9]{1,4}%?")
_WORD = re.compile(r"[#a-zA-Z0-9 -]{1,30}")
_ATTRIBUTES = {
    **dict.fromkeys(("width", "height", "border", "cellpadding", "cellspacing", "size", "start"), _NUMBER),
    **dict.fromkeys(("align", "valign", "bgcolor", "color", "dir"), _WORD),
    **dict.fromkeys(("colspan", "rowspan"), re.compile(r"[0-9]{1,3}")),
}
_SHAPES = """
    color background background-color line-height letter-spacing vertical-align white-space list-style-type
    font font-family font-size font-style font-variant font-weight text-align text-decoration text-indent text-transform
    width height min-width min-height max-width max-height
    border-collapse border-spacing border-radius border-color border-style border-width
"""
_SIDES = ("", "-top", "-right", "-bottom", "-left")
_PROPERTIES = {
    *_SHAPES.split(),
    *(f"{name}{side}" for name in ("margin", "padding", "border") for side in _SIDES),
}
_VALUE = re.compile(r"(?:[\w#%., '\"!+-]|rgba?\([\d., %]+\)){1,200}")

_ADDRESS = "href\uf8ff"
"""What an address is called while nh3 is at work, which would drop it by its scheme; nothing in a browser is."""

_CALLED = re.compile("href", re.IGNORECASE)
_MARK = re.compile(rf'<(/?)(a|img)(?: (?:{_ADDRESS}|alt)="([^"]*)")?>')
# Shapes, formulas and what is for want of a script are read as HTML, so that what stands inside is seen.
_OTHER = re.compile(
    rf"<(/?)(?=[a-z])(?!(?:{'|'.join((*_KEPT, *_SKIPPED, *_READ.split()))})[\s/>])", re.IGNORECASE
)
_FORMATTING = re.compile(
    r"<(/?)(?=(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/>])", re.IGNORECASE
)
_PLAIN_TAG = re.compile(r"""<\w+(?:\s+[\w-]+(?:\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=`]+))?)*\s*/?>""")
_MOST_READ = 256 * 1024
_MOST_TAGS = 20_000
_MOST_COPIED = 100_000_000
"""Octets, about, that a parser may write by copying what was left open."""
_NODE = 100
_LONGEST = 300
_LONGEST_STYLE = 600

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
class _Marks:
    """What links and images are written as; it knows which links are open."""

    links: list[str] = field(default_factory=list)

    def written(self, mark: re.Match[str]) -> str:
        """Return what stands in the place of a link's or an image's tag."""
        closing, name, value = mark.groups("")
        about = html.escape(shown(html.unescape(value.replace(_ADDRESS[-1], "")), _LONGEST))
        if name == "img":
            return f'<span class="image">&#9635; {about}</span>'
        if not closing:
            self.links.append(about)
            return '<span class="link">'
        where = self.links.pop() if self.links else ""
        return f'</span> <span class="where">{where}</span>' if where else "</span>"


def document(bodies: Sequence[str]) -> str:
    """Return a whole page that shows some pieces of HTML, one below the other."""
    return _HEAD + "\n<hr>\n".join(map(rewritten, _beginnings(bodies))) + _FOOT


def whole(bodies: Sequence[str]) -> bool:
    """Tell whether the page shows all of some pieces of HTML."""
    return tuple(_beginnings(bodies)) == tuple(bodies)


def rewritten(source: str) -> str:
    """Return what is harmless in a piece of HTML, with nothing left open."""
    told = _OTHER.sub(r"<\1x-", _CALLED.sub(rf"\g<0>{_ADDRESS[-1]}", source))
    if _tangled(told):
        told = _FORMATTING.sub(r"<\1x-", told)
    washed = _cleaner().clean(told)
    return lines(_MARK.sub(_Marks().written, washed).replace(_ADDRESS[-1], ""))


def _beginnings(bodies: Sequence[str]) -> Iterator[str]:
    """Yield of each piece what is read: 256 KB at most, and 20,000 tags of all together."""
    left = _MOST_TAGS
    for body in bodies:
        *tags, _ = (body[:_MOST_READ] + "<").split("<", left + 1)
        yield "<".join(tags)
        left = max(left - len(tags) + 1, 0)


def _tangled(source: str) -> bool:
    """Tell whether bold, fonts and their like may be left open so often that a parser would copy them without end.

    It opens those again in each paragraph, at most three of each kind; one that isn't plainly written is its own kind.
    """
    odd, kinds = 0, set[str]()
    for mark in _FORMATTING.finditer(source):
        plain = _PLAIN_TAG.match(source, mark.start())
        if plain is None:
            odd += 1
        else:
            kinds.add(plain[0])
    copied = odd * (_LONGEST_STYLE + _NODE) + 3 * sum(len(kind) + _NODE for kind in kinds)
    return copied * source.count("<") > _MOST_COPIED


def _cleaner() -> nh3.Cleaner:
    shaping = {*_ATTRIBUTES, "style"}
    return nh3.Cleaner(
        tags={*_KEPT, "a", "img"},
        clean_content_tags=_SKIPPED,
        attributes={"*": set(), **dict.fromkeys(_KEPT, shaping), "a": {_ADDRESS}, "img": {"alt"}},
        attribute_filter=lru_cache(1000)(_kept),
        filter_style_properties=_PROPERTIES,
        link_rel=None,
        url_schemes=set(),
        url_relative="deny",
    )


def _kept(_tag: str, name: str, value: str) -> str | None:
    """Return what is kept of an attribute's value: what only shapes what is shown."""
    if name == "style":
        declarations = value[:_LONGEST_STYLE].split(";")
        return (
            ";".join(each for each in declarations if _VALUE.fullmatch(each.partition(":")[2].strip()))
            or None
        )
    allowed = _ATTRIBUTES.get(name)
    return value if allowed is None or allowed.fullmatch(value.strip()) else None
