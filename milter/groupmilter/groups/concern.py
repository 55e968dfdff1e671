"""About whose held mail somebody wants to decide: what the directory is asked. Pure; nothing here fails."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Concern:
    """One group's mail.

    :param dn, uuid: of the group; empty where it is gone or unknown.
    :param instead: DNs of who decides in place of its moderators, where a site rule says so.
    """

    dn: str = ""
    uuid: str = ""
    instead: tuple[str, ...] = ()
