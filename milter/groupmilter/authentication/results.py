"""Pure. Authentication-Results (RFC 8601): what a relay of ours says, and which fields only claim to be of a relay.

Read strictly (the only importer of authres): comments must be closed, a property stands once, what doesn't parse says
nothing, and a field of a relay's that doesn't parse hides all below it. A relay puts its fields on top; of each method
only the topmost field that speaks of it is read, since one below may have come with the message. To be taken for a
forgery much less is needed. Never fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

import authres
import authres.core

from groupmilter.authentication.evidence import Field

FIELD = b"authentication-results"

_LARGEST = 8_192
_DEEPEST = 8
_MOST_WORDS = 16
_MOST_RESULTS = 64
"""Octets of a field, comments within comments, words of an id, and results of a field, that are read."""

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r"[ \t]*([A-Za-z0-9!#$%&'*+.^_`{|}~-]+)[ \t]*([0-9]*)[ \t]*")
_METHOD = re.compile(r"[ \t]*([A-Za-z0-9_-]+)[ \t]*(?:/[ \t]*[0-9]+[ \t]*)?=")


@dataclass(frozen=True, slots=True)
class Result:
    """What a relay found by one method.

    :param properties: such as ``header.d``, each with its value.
    """

    method: str
    result: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Said:
    """One field: whose it is, and its results by method; an unreadable one counts as a method without a result."""

    authserv_id: str
    results: Mapping[str, tuple[Result, ...]]


def believed(fields: Iterable[Field], ids: frozenset[str]) -> dict[str, tuple[Result, ...]]:
    """Return what a relay says in a message that it sent us, by method.

    :param ids: the authserv-ids under which that relay writes, in lower case.
    """
    known: dict[str, tuple[Result, ...]] = {}
    for value in _values(fields):
        said = _read(value)
        if said is None:
            if _claims(value, ids):
                break
            continue
        if said.authserv_id in ids:
            for method, found in said.results.items():
                known.setdefault(method, found)
    return known


def forged(fields: Iterable[Field], ids: frozenset[str], *, relay: bool) -> tuple[int, ...]:
    """Return which Authentication-Results fields to remove: the places of those that claim to be of our relays.

    Places are counted from 1 among the fields of that name, and the last comes first: deleted in this order, none moves
    before its turn (an MTA counts anew after each).

    :param ids: the authserv-ids of all relays, in lower case.
    :param relay: whether the client is one of the relays; then the fields may well be true, and stay.
    """
    if relay:
        return ()
    places = [place for place, value in enumerate(_values(fields), 1) if _claims(value, ids)]
    return tuple(reversed(places))


def _values(fields: Iterable[Field]) -> Iterable[bytes]:
    return (value for name, value in fields if name.strip().lower() == FIELD)


def _claims(value: bytes, ids: frozenset[str]) -> bool:
    """Tell whether a lenient reader might take a field for one of these: quoted, commented, cut or dotted ids too."""
    text = _FOLD.sub("", value.decode("latin-1")).lower()
    plain = _commentless(text)
    if plain is None:
        return any(one in text for one in ids)
    words = plain.partition(";")[0].replace("\\", "").replace('"', "").split()
    # Who drops comments and blanks reads words as one, who doesn't takes the first.
    return any(joined.strip(".") in ids for joined in accumulate(words[:_MOST_WORDS]))


def _read(value: bytes) -> _Said | None:
    text = _FOLD.sub("", value.decode("latin-1"))
    plain = _commentless(text) if len(text) <= _LARGEST and not _CONTROL.search(text) else None
    if plain is None:
        return None
    head, *rest = _split(plain)
    found = _TOKEN.fullmatch(head)
    if found is None or found[2] not in ("", "1") or not 0 < len(rest) <= _MOST_RESULTS:
        return None
    results: dict[str, list[Result]] = {}
    for part in rest:
        method = _METHOD.match(part)
        if method:
            results.setdefault(method[1].lower(), []).extend(_result(part))
    return _Said(found[1].lower(), {name: tuple(several) for name, several in results.items()})


def _result(part: str) -> Iterable[Result]:
    """Return the one result of a part, none where it doesn't parse."""
    try:
        parsed = _Strict.parse_value(authres.core_features(), f"id;{part}").results
    except Exception:  # noqa: BLE001 - the library was not written for every value that strangers make a relay copy
        return
    for one in parsed:
        properties = [(f"{held.type}.{held.name}", str(held.value or "")) for held in one.properties]
        if len(dict(properties)) == len(properties):
            yield Result(one.method.lower(), one.result.lower(), dict(properties))


class _Strict(authres.core.AuthenticationResultsHeader):
    """A field in which every property has to parse."""

    def __init__(self, context: authres.FeatureContext) -> None:
        super().__init__(context, strict=True)


def _commentless(text: str) -> str | None:
    """Return a field with a blank for each comment (RFC 5322 section 3.2.2); None where one isn't closed."""
    kept: list[str] = []
    depth, quoted = 0, False
    characters = iter(text)
    for character in characters:
        if character == "\\" and (depth or quoted):
            pair = character + next(characters, "")
            kept.append("" if depth else pair)
        elif quoted or (character == '"' and not depth):
            quoted ^= character == '"'
            kept.append(character)
        elif character in "()":
            depth += 1 if character == "(" else -1
            kept.append(" ")
            if not 0 <= depth <= _DEEPEST:
                return None
        elif not depth:
            kept.append(character)
    return None if depth or quoted else "".join(kept)


def _split(text: str) -> list[str]:
    """Return the parts between semicolons that are not quoted."""
    parts, quoted, escaped = [""], False, False
    for character in text:
        if character == ";" and not quoted:
            parts.append("")
            continue
        quoted ^= character == '"' and not escaped
        escaped = character == "\\" and quoted and not escaped
        parts[-1] += character
    return parts
