"""What groups have taken within one case, as the state database remembers it for live mail. Nothing fails."""

from __future__ import annotations

from dataclasses import dataclass, field

from groupmilter.policy.sighting import Seen, Sighting


@dataclass(slots=True)
class Memory:
    """When each group took a message, and where from, by the group's UUID and a fingerprint."""

    _taken: dict[tuple[str, bytes], tuple[float, str]] = field(default_factory=dict)

    def seen(self, sighting: Sighting, now: float) -> dict[str, Seen]:
        """Return the groups that have taken the message within its window.

        :param now: seconds since 1970.
        """
        found: dict[str, Seen] = {}
        for group in sighting.groups:
            known = (self._taken.get((group, one)) for one in sighting.fingerprints)
            origins = {origin for at, origin in filter(None, known) if at > now - sighting.window}
            if origins:
                found[group] = Seen.RETRY if origins == {sighting.origin} else Seen.REPEATED
        return found

    def record(self, sighting: Sighting, now: float) -> None:
        """Remember that the groups have taken the message."""
        for group in sighting.groups:
            self._taken.update({(group, one): (now, sighting.origin) for one in sighting.fingerprints})
