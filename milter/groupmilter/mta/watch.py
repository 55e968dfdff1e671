"""Looks whether a message came to the same groups before: digests the body on its way, and asks the state at the end.

The state is asked once for a message, and only for senders whom nothing authenticates; a state that can't be read is a
fact that the rule ``replay`` decides about. Raises nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from groupmilter.authentication.identity import Connection
from groupmilter.mail.content import ContentDigest
from groupmilter.mail.fingerprint import fingerprints
from groupmilter.mta.site import Site
from groupmilter.policy.facts import Facts, Strength
from groupmilter.policy.sighting import Seen, Sighting, origin


def watching(site: Site, connection: Connection) -> Watch | None:
    """Return what looks after a message to a group; None where its rule isn't asked, or a login has sent it."""
    settings = site.settings
    wanted = "replay" in settings.chain and settings.replay.then != "accept" and not connection.login
    return Watch(site) if wanted else None


@dataclass(slots=True)
class Watch:
    """One message."""

    site: Site
    digest: ContentDigest = field(default_factory=ContentDigest)
    _known: tuple[bytes, ...] | None = None
    _asked: Sighting | None = None
    _seen: Mapping[str, Seen] | None = None

    def body(self, chunk: bytes) -> None:
        """Take a part of the body."""
        self.digest.body(chunk)

    def looked_up(self, facts: Facts, fields: Iterable[tuple[bytes, bytes]]) -> Facts:
        """Return the facts with how the message is known again, and who has seen it before; of one message only.

        :param facts: of the whole message. ``fields``: its header.
        """
        groups = tuple(dict.fromkeys(r.group.uuid for r in facts.recipients if r.group is not None))
        if not groups or facts.identity.strength >= Strength.NETWORK:
            return facts
        if self._known is None:
            self._known = fingerprints(fields, self.digest.digest())
        if not self._known:
            return facts
        place = origin(facts.client, facts.envelope_sender)
        sighting = Sighting(groups, self._known, place, self.site.settings.replay.window)
        if sighting != self._asked:
            self._asked, self._seen = sighting, self.site.seen(sighting)
        return replace(facts, sighting=sighting, seen=self._seen)
