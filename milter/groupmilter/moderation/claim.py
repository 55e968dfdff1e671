"""Who is dealing with a held message. It tells the others, and keeps nobody from deciding. Pure; nothing here fails."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One person's word that he is dealing with it.

    :param person: the UUID of his entry. ``at``: since when, seconds since 1970, UTC.
    """

    person: str
    name: str
    at: int
