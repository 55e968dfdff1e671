"""From the events of RFC 4533 to the changes of the mirror: the step between reading and writing. Pure.

A refresh tells what is there in one of two ways: by naming all that is (a present phase, and any refresh
without a cookie), after which everything else is gone, or by naming what is gone (a delete phase). `Refresh`
keeps track of which, so that the mirror gets the right `KeepOnly`. It never fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from groupmilter.directory.entry import Change, KeepOnly, Put, Remove
from groupmilter.directory.ldap_syncrepl import Changed, Deleted, Event, Finished, PhaseEnd, Present


@dataclass(slots=True)
class Refresh:
    """One synchronisation from its start on (RFC 4533 sections 3.3 to 3.6).

    :param initial: it was begun without a cookie, so what it does not name is gone in any case.
    :param cookie: the newest that has come; None until one has.
    :param finished: the refresh stage is over, what follows comes one change at a time.
    """

    initial: bool
    cookie: bytes | None = None
    finished: bool = False
    _named: set[str] = field(default_factory=set)

    def step(self, event: Event) -> tuple[Change, ...]:
        """Return what an event changes, in the order in which it has to be applied."""
        if event.cookie is not None:
            self.cookie = event.cookie
        if isinstance(event, Changed):
            self._name((event.entry.uuid,))
            return (Put(event.entry),)
        if isinstance(event, Present):
            self._name(event.uuids)
        elif isinstance(event, Deleted):
            self._named.difference_update(event.uuids)
            return tuple(map(Remove, event.uuids))
        elif isinstance(event, PhaseEnd):
            return self._end(event.present, event.finished)
        elif isinstance(event, Finished):
            return self._end(event.present, finished=True)
        return ()

    def _name(self, uuids: tuple[str, ...]) -> None:
        if not self.finished:
            self._named.update(uuids)

    def _end(self, present: bool, finished: bool) -> tuple[Change, ...]:
        if self.finished:
            return ()
        self.finished = finished
        whole = present or (finished and self.initial)
        changes = (KeepOnly(frozenset(self._named)),) if whole else ()
        if finished:
            self._named.clear()
        return changes
