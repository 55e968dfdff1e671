"""The address fields of a header, read strictly: one grammar of ours, and None for whatever it doesn't read.

A right may hang on From, and mail programs differ in what they show of a malformed one. So there is no repair here:
an ``@`` in a display name without quotes, a group, a route, a literal, an unbalanced comment make the whole field
unreadable. Never used together with a lenient parser. Source: RFC 5322 section 3.4 without its obsolete forms,
RFC 6532.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from groupmilter.mail.address import strict

_MAX_FIELD = 16_384
_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r'|(?P<quoted>"(?:[^"\\\r\n]|\\.|\r?\n[ \t])*")'
    r'|(?P<atom>[^\x00-\x20\x7f()<>\[\]:;@\\,."]+)'
    r"|(?P<special>[()<>\[\]:;@\\,.])"
)
_COMMENT_DEPTH = 5
_COMMENT = re.compile(r"\([^()]*\)?")


def mailboxes(field: str) -> tuple[str, ...] | None:
    """Return the addresses of a mailbox list (From, Sender, To), None where it can't be read without doubt.

    :param field: the value as received, folded or not, at most 16,384 characters.
    :returns: each address strict (see `mail.address.strict`), domains as A-labels.
    """
    if len(field) > _MAX_FIELD:
        return None
    tokens = _tokens(field)
    if not tokens:
        return None
    read = [_mailbox(part) for part in _split(tokens)]
    found = tuple(address for address in read if address is not None)
    return found if len(found) == len(read) else None


def _tokens(field: str) -> list[tuple[str, str]] | None:
    """Return (kind, text) without white space and comments, None where something is none of them."""
    tokens: list[tuple[str, str]] = []
    position = depth = 0
    while position < len(field):
        found = _TOKEN.match(field, position)
        if found is None:
            return None
        position = found.end()
        kind, text = str(found.lastgroup), found.group()
        if depth and (kind == "quoted" or text == "\\"):
            # Readers differ in whether a quote or a backslash hides the end of a comment.
            return None
        depth += (text == "(") - (text == ")")
        if not 0 <= depth <= _COMMENT_DEPTH:
            return None
        if depth == 0 and kind != "space" and text != ")":
            tokens.append((kind, text))
    return tokens if depth == 0 else None


def _split(tokens: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    parts: list[list[tuple[str, str]]] = [[]]
    for token in tokens:
        if token == ("special", ","):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _mailbox(tokens: list[tuple[str, str]]) -> str | None:
    texts = [text for _, text in tokens]
    if "<" not in texts:
        return _addr_spec(tokens)
    opening = texts.index("<")
    if texts[-1] != ">" or texts.count("<") + texts.count(">") != 2:
        return None
    if not all(kind in {"atom", "quoted"} or text == "." for kind, text in tokens[:opening]):
        return None
    return _addr_spec(tokens[opening + 1 : -1])


def _addr_spec(tokens: list[tuple[str, str]]) -> str | None:
    if not all(kind == "atom" or text in {".", "@"} for kind, text in tokens):
        return None
    if any(one == other == "atom" for (one, _), (other, _) in pairwise(tokens)):
        return None
    return strict("".join(text for _, text in tokens))


def mentioned(fields: Iterable[str]) -> frozenset[str]:
    """Return the lower-case addresses that To or Cc name, as far as readable: no right hangs on these."""
    found: set[str] = set()
    for field in fields:
        read = mailboxes(field)
        if read is not None:
            found.update(address.lower() for address in read)
        else:
            found.update(
                re.findall(r"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()]{1,255}", field[:_MAX_FIELD].lower())
            )
    return frozenset(found)


def keyword(value: str) -> str:
    """Return the lower-case keyword that a structured field begins with, without comments and parameters.

    So ``auto-replied (vacation)`` (RFC 3834 section 5) and ``multipart/report; ...`` (RFC 2045 section 5.1) are
    told by the same word.
    """
    plain = _COMMENT.sub(" ", value[:_MAX_FIELD]) if "(" in value else value
    words = plain.partition(";")[0].split(None, 1)
    return words[0].lower() if words else ""


def signed_fields(signatures: Iterable[str]) -> frozenset[str]:
    """Return the lower-case names of all fields that DKIM or ARC signatures cover (``h=``, RFC 6376 3.5)."""
    names: set[str] = set()
    for signature in signatures:
        for tag in "".join(signature.split()).split(";"):
            if tag.startswith("h="):
                names.update(name.lower() for name in tag[2:].split(":"))
    return frozenset(names)
