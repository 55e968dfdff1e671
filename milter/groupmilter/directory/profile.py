"""A profile: how one directory's entries become canonical people and groups (specification 1.1 and 1.2). Pure.

Stub: signatures are fixed, bodies follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groupmilter.directory.entry import Entry


class ProfileError(Exception):
    """A profile is not usable; the message names the path within the file."""


@dataclass(frozen=True, slots=True)
class Record:
    """One person or group as the profile read it (stub)."""

    uuid: str
    dn: str


class Profile:
    """A compiled profile."""

    @classmethod
    def from_mapping(cls, mapping: object) -> Profile:
        """Compile a parsed profile file; raise `ProfileError`."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The profile's name."""
        raise NotImplementedError

    @property
    def fingerprint(self) -> str:
        """A digest of the profile's content."""
        raise NotImplementedError

    def attributes(self) -> tuple[str, ...]:
        """Return the attributes that the reader has to request."""
        raise NotImplementedError

    def filter(self) -> str:
        """Return the search filter (RFC 4515) that finds every entry this profile can use."""
        raise NotImplementedError

    def read(self, entry: Entry) -> Record | None:
        """Return the canonical record of an entry, None where it is neither person nor group."""
        raise NotImplementedError


Fields = Mapping[str, object]
