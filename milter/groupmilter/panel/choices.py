"""Fields of a group that are one of a few words, and how people read these words: sentences of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup

from groupmilter.directory.profile_fields import Scalar
from groupmilter.language.catalogue import marked
from groupmilter.language.speech import spoken_number, spoken_size
from groupmilter.membership.vocabulary import written

CHOICES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "require_authentication": {
        "yes": (marked("Internal senders only"), marked("Mail from outside the organisation is refused.")),
        "no": (marked("Internal and external senders"), marked("Anybody on the Internet may write.")),
    },
    "notify": {
        "always": (marked("Every sender"), marked("Those from outside only where their address is proven.")),
        "internal": (marked("Senders of the organisation"), ""),
        "never": (marked("Nobody"), marked("Messages that are rejected vanish without a word.")),
    },
    "bounces_to": {
        "auto": (
            marked("Internal senders; the owners for senders from outside"),
            marked("So no stranger learns who is in the group."),
        ),
        "sender": (marked("The sender"), ""),
        "owner": (marked("The owners"), ""),
        "nobody": (marked("Nobody"), ""),
    },
    "join_policy": {
        "open": (marked("Open"), marked("Everybody of the organisation joins without being asked.")),
        "closed": (marked("Closed"), marked("Only owners add members.")),
        "approval": (marked("Owner approval"), marked("An owner decides about each request.")),
    },
    "leave_policy": {
        "open": (marked("Open"), marked("Members leave without being asked.")),
        "closed": (marked("Closed"), marked("Only owners remove members.")),
        "approval": (marked("Owner approval"), marked("An owner decides about each request.")),
    },
}
"""Canonical field: what it may be, with a label and a hint."""

_YES, _NO, _NOT_SET = marked("yes"), marked("no"), marked("not set")
_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "KB"))


def chosen_from(t: Callable[..., Markup], field: str) -> list[tuple[str, Markup, Markup | str]]:
    """Return what a field may be, for a form."""
    return [(value, t(label), t(hint) if hint else "") for value, (label, hint) in CHOICES[field].items()]


def in_words(t: Callable[..., Markup], language: str, field: str, value: Scalar) -> Markup:
    """Return what a field is, for people."""
    text = written(value)
    if text in CHOICES.get(field, {}):
        return t(CHOICES[field][text][0])
    if isinstance(value, bool):
        return t(_YES if value else _NO)
    if value in (None, ""):
        return t(_NOT_SET)
    if isinstance(value, int):
        return Markup.escape(
            spoken_size(value, language) if field == "max_size" else spoken_number(value, language)
        )
    return Markup.escape(text)


def typed(field: str, value: Scalar) -> str:
    """Return what a field is as one would type it: sizes in the largest unit that fits."""
    if field != "max_size" or not isinstance(value, int):
        return written(value)
    for octets, unit in _UNITS:
        if value and value % octets == 0:
            return f"{value // octets} {unit}"
    return str(value)
