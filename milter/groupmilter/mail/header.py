"""The address fields of a header, read strictly: one grammar of ours, and None for whatever it doesn't read.

A right may hang on From, and mail programs differ in what they show of a malformed one. So there is no repair here:
an ``@`` in a display name without quotes, a group, a route, a literal, an unbalanced comment, a comment or white space
inside an address, control characters and lines of nothing but white space make the whole field unreadable. So does
what is well-formed, but names another address to a reader that decodes or unquotes before it parses. Never used
together with a lenient parser. Source: RFC 5322 section 3.4 without its obsolete forms, RFC 6532.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from groupmilter.mail.address import strict, unmistakable
from groupmilter.mail.words import decoded

_MAX_FIELD = 16_384
_CONTROLS = r"\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029"
# A line of white space alone ends the header for some readers, and not for others.
_FOLD = r"\r?\n(?=[ \t]+[^ \t\r\n])"
_TOKEN = re.compile(
    rf"(?P<gap>(?:[ \t]+|{_FOLD})+)"
    rf'|(?P<quoted>"(?:[^"\\{_CONTROLS}]|\\[\t -~]|{_FOLD})*")'
    rf'|(?P<atom>[^{_CONTROLS} \t()<>\[\]:;@\\,."]+)'
    r"|(?P<special>[()<>\[\]:;@\\,.])"
)
_COMMENT_DEPTH = 5
_CONTROL = re.compile(rf"[{_CONTROLS}]")
_LINE_END = re.compile(_FOLD)
_ANGLES = re.compile(r"<([^<>]*)>")
_WORD = re.compile(r"=\?[^?]*\?[bq]\?(.*?)\?=", re.IGNORECASE | re.DOTALL)
_NO_WORD = frozenset(' \t\r\n"<>@\\')
_MARKS = re.compile(r'\\(.)|"')
_ADDRESS = re.compile(r"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()]{1,255}")

_Token = tuple[str, str]
"""Kind and text; a comment is a gap, as white space is."""


def mailboxes(field: str) -> tuple[str, ...] | None:
    """Return the addresses of a mailbox list (From, Sender, To), None where it can't be read without doubt.

    :param field: the value as received, folded or not, at most 16,384 characters.
    :returns: each address strict (see `mail.address.strict`), domains as A-labels.
    """
    found = _read(field) if len(field) <= _MAX_FIELD else None
    return found if found is not None and not _seen_otherwise(field, found) else None


def _read(field: str) -> tuple[str, ...] | None:
    tokens = _tokens(field)
    if not tokens:
        return None
    read = [_mailbox(part) for part in _split(tokens)]
    found = tuple(address for address in read if address is not None)
    return found if len(found) == len(read) else None


def _tokens(field: str) -> list[_Token] | None:
    """Return a field's tokens, None where something in it is none."""
    tokens: list[_Token] = []
    position = depth = 0
    while position < len(field):
        found = _TOKEN.match(field, position)
        if found is None:
            return None
        position = found.end()
        kind, text = str(found.lastgroup), found.group()
        if depth and (kind == "quoted" or text in {"\\", "<", ">", "@"}):
            # Readers differ in whether a quote or a backslash hides the end of a comment, and some look for
            # addresses inside.
            return None
        depth += (text == "(") - (text == ")")
        if not 0 <= depth <= _COMMENT_DEPTH:
            return None
        if depth == 0:
            tokens.append(("gap", text) if text == ")" else (kind, text))
    return tokens if depth == 0 else None


def _split(tokens: Iterable[_Token]) -> list[list[_Token]]:
    """Return the tokens of each mailbox, without the gaps around it."""
    parts: list[list[_Token]] = [[]]
    for token in tokens:
        if token == ("special", ","):
            parts.append([])
        else:
            parts[-1].append(token)
    return [_trimmed(part) for part in parts]


def _trimmed(tokens: list[_Token]) -> list[_Token]:
    inner = [place for place, (kind, _) in enumerate(tokens) if kind != "gap"]
    return tokens[inner[0] : inner[-1] + 1] if inner else []


def _mailbox(tokens: list[_Token]) -> str | None:
    texts = [text for _, text in tokens]
    if "<" not in texts:
        return _addr_spec(tokens)
    opening = texts.index("<")
    if texts[-1] != ">" or texts.count("<") + texts.count(">") != 2:
        return None
    return _addr_spec(tokens[opening + 1 : -1]) if _is_phrase(tokens[:opening]) else None


def _is_phrase(tokens: list[_Token]) -> bool:
    """Tell whether it is a display name, or none; dots without quotes are so common that they pass."""
    if any(kind == "special" and text != "." for kind, text in tokens):
        return False
    words = [kind for kind, _ in tokens if kind != "gap"]
    return not words or words[0] != "special"


def _addr_spec(tokens: list[_Token]) -> str | None:
    """Return the address that stands in one piece: no gap and no quoted word is part of one."""
    if not all(kind == "atom" or text in {".", "@"} for kind, text in tokens):
        return None
    if any(one == other == "atom" for (one, _), (other, _) in pairwise(tokens)):
        return None
    whole = "".join(text for _, text in tokens)
    return strict(whole) if unmistakable(whole) else None


def _seen_otherwise(field: str, found: Sequence[str]) -> bool:
    """Tell whether another reader may see another address than was found.

    Some decode encoded words before they parse, some heed no quotes, and to some an octet that is no UTF-8 swallows
    what follows.
    """
    if field.count("@") == len(found) and "=?" not in field:
        return False
    if any("\ud800" <= character <= "\udfff" for character in field):
        return True
    if "=?" in _WORD.sub("", field) or any(not _NO_WORD.isdisjoint(word) for word in _WORD.findall(field)):
        # To some a word without end reaches to the end, and one with blanks, quotes and brackets in it is one word.
        return True
    words = decoded(field)
    if words is None or (words != field and _CONTROL.search(_LINE_END.sub("", words))):
        return True
    return any(_names_others(text, found) for text in (words, _MARKS.sub(r"\1", words)))


def _names_others(text: str, found: Sequence[str]) -> bool:
    bracketed = (strict(inside.strip()) or inside for inside in _ANGLES.findall(text) if "@" in inside)
    known = {address.lower() for address in found}
    return any(address.lower() not in known for address in (*bracketed, *(_read(text) or ())))


def mentioned(fields: Iterable[str]) -> frozenset[str]:
    """Return the lower-case addresses that To or Cc name, as far as readable: no right hangs on these."""
    return _mentioned(tuple(fields))


# Each group that a message goes to may ask, and a long header takes its time.
@lru_cache(maxsize=4)
def _mentioned(fields: tuple[str, ...]) -> frozenset[str]:
    found: set[str] = set()
    for field in fields:
        read = mailboxes(field)
        if read is not None:
            found.update(address.lower() for address in read)
        else:
            found.update(_ADDRESS.findall(field[:_MAX_FIELD].lower()))
    return frozenset(found)


def keyword(value: str) -> str:
    """Return the lower-case keyword that a structured field begins with, without comments and parameters.

    So ``auto-replied (vacation)`` (RFC 3834 section 5) and ``multipart/report; ...`` (RFC 2045 section 5.1) are
    told by the same word.
    """
    words = _uncommented(value[:_MAX_FIELD]).partition(";")[0].split(None, 1)
    return words[0].lower() if words else ""


def _uncommented(value: str) -> str:
    """Return a value with a blank for each comment; one that never ends reaches to the end."""
    if "(" not in value:
        return value
    kept: list[str] = []
    depth = 0
    for character in value:
        depth += character == "("
        if depth == 0:
            kept.append(character)
        elif character == ")":
            depth -= 1
            kept.append(" ")
    return "".join(kept)


def signed_fields(signatures: Iterable[str]) -> frozenset[str]:
    """Return the lower-case names of all fields that DKIM or ARC signatures cover (``h=``, RFC 6376 3.5)."""
    return frozenset(name for signature in signatures for name in _named(signature))


def most_named(signatures: Iterable[str], name: str) -> int:
    """Return how often the signature names a lower-case field that names it most.

    As often as the field is there, from the bottom up, it is signed; once more, and nobody may add one (RFC 6376
    section 5.4.2).
    """
    return max((_named(signature).count(name) for signature in signatures), default=0)


def _named(signature: str) -> list[str]:
    tags = "".join(signature.split()).split(";")
    return [name.lower() for tag in tags if tag.startswith("h=") for name in tag[2:].split(":")]
