"""Sentences that letters and pages share: how a sender is proven, how somebody decided. Pure.

They are looked up in the catalogue where they are said.
"""

from __future__ import annotations

from collections.abc import Mapping

from groupmilter.language.catalogue import marked
from groupmilter.moderation.item import Arrival, Way
from groupmilter.policy.facts import Strength

PROOFS: Mapping[str, str] = {
    "login": marked("Proven: the sender had logged in."),
    "certificate": marked("Proven by a certificate."),
    "dmarc": marked("Proven by the sender's domain (DMARC)."),
    "network": marked("Sent from a trusted computer of this organisation."),
    "machine": marked("Sent from a trusted computer; who sent it isn't proven."),
    "claimed": marked("Not proven: anybody may have put this address there."),
}
_DOUBTFUL = frozenset({"machine", "claimed"})

_WAYS: Mapping[str, str] = {
    Way.MAIL: marked("by mail"),
    Way.LINK: marked("by link"),
    Way.COMMAND: marked("on the command line"),
    Way.PANEL: marked("in the panel"),
    Way.API: marked("by the API"),
}
_BY_ITSELF = marked("by the service itself")


def proof(arrival: Arrival) -> str:
    """Return the word of `PROOFS` for a sender; ``machine`` is a trusted computer without a person."""
    try:
        word = str(Strength(arrival.strength))
    except ValueError:
        word = str(Strength.CLAIMED)
    return "machine" if word == "network" and not arrival.sender else word


def sound(word: str) -> bool:
    """Tell whether a word of `PROOFS` says that somebody is proven."""
    return word not in _DOUBTFUL


def way_in_words(way: str) -> str:
    """Return the sentence for how somebody decided."""
    return _WAYS.get(way, _BY_ITSELF)
