"""Writing groups into the directory, so that nobody who writes at the same time loses anything.

The profile says which attribute a canonical field is, and how a value is spelt there. Values come and go one by one;
a single value is taken away by what it was, under RFC 4528's assertion where the server has it. What was changed
meanwhile by somebody else is read again and planned again, and where it concerns the same single value the outcome is
`Meanwhile`. Asking for what is so already changes nothing, so everything may be asked again.

Fails with `WriteRefused` (the server or the profile says no, in its words), `DirectoryUnavailable` (nobody took the
change, ask again) or `OutcomeUnknown` (it was sent, no answer came, and it isn't there so far).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn, TypeVar

from groupmilter.directory.change import (
    Change,
    Difference,
    Meanwhile,
    Outcome,
    Setting,
    Values,
    WriteRefused,
    Written,
)
from groupmilter.directory.entry import Entry
from groupmilter.directory.keeping import beside, emptied, in_directory, reversed_in, staying
from groupmilter.directory.ldap_connection import Clock, LdapConnection, monotonic
from groupmilter.directory.ldap_settings import NO_SUCH_OBJECT, LdapSettings, ReadFailed, Refused
from groupmilter.directory.modification import Plan, current, planned
from groupmilter.directory.profile import Profile
from groupmilter.directory.side_store import (
    NOTHING,
    NoSideStore,
    SideChange,
    SideStore,
    SideStoreUnavailable,
    is_beside,
    label_of,
    merged,
)
from groupmilter.directory.sparse import Asked, asked, short_attributes
from groupmilter.directory.writer_messages import Alternatives, Modification, Operation
from groupmilter.directory.writer_session import (
    BUSY,
    SUCCESS,
    UNAVAILABLE,
    VERSION,
    Answer,
    Lost,
    Session,
    WriterSession,
)
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import OTHERS

__all__ = ["DirectoryUnavailable", "OutcomeUnknown", "WriteRefused", "Writer"]

_NO_SUCH_ATTRIBUTE, _CONSTRAINT, _EXISTS, _CLASS_VIOLATION = 16, 19, 20, 65
_ENTRY_EXISTS = 68
_ASSERTION_FAILED = 122
_INSUFFICIENT_ACCESS = 50
# What a server says when the entry is no longer as it was read; or because the change is bad, which is the same again.
_PERHAPS_MEANWHILE = frozenset({_NO_SUCH_ATTRIBUTE, _CONSTRAINT, _EXISTS, _CLASS_VIOLATION})
_ATTEMPTS = 100
_DEMANDS_ADDRESS = b"distributiongroup"
_REPEATS = 5
# Result codes of RFC 4511 appendix A that a person can do something about.
_WORDS = {
    _NO_SUCH_ATTRIBUTE: "no such attribute",
    17: "undefined attribute type",
    _CONSTRAINT: "constraint violation",
    _EXISTS: "such a value is there already",
    21: "invalid value",
    NO_SUCH_OBJECT: "no such entry",
    _INSUFFICIENT_ACCESS: "insufficient access rights",
    53: "unwilling to perform",
    64: "naming violation",
    _CLASS_VIOLATION: "object class violation",
    66: "not allowed on an entry with others below it",
    123: "the account may not act on behalf of persons",
}
Found = TypeVar("Found")


class DirectoryUnavailable(DirectoryUnknown):
    """No server took the change now."""


class OutcomeUnknown(DirectoryUnavailable):
    """The change was sent and may have happened; what is there now doesn't show it. Asking again does no harm."""


class Writer:
    """Writes to the servers of one directory, as the account of its settings. For any thread; keeps no connection.

    :param settings: of an account that may write.
    :param profile: how canonical fields are spelt in this directory.
    :param placeholder: the member that a ``groupOfNames`` keeps when it is empty, a DN.
    :param side: where values go that the profile keeps beside the directory.
    """

    def __init__(
        self,
        settings: LdapSettings,
        profile: Profile,
        placeholder: str = "cn=placeholder",
        clock: Clock = monotonic,
        side: SideStore | None = None,
    ) -> None:
        self.profile = profile
        self.placeholder = placeholder
        self._settings = settings
        self._clock = clock
        self._side: SideStore = side or NoSideStore()
        self._attributes = profile.attributes()
        self._short = short_attributes(profile)

    def add(self, dn: str, field: str, value: str) -> bool:
        """Add one value; tell whether it is new.

        :param dn: of the group. ``field``: a canonical one of several values, such as ``denied_addresses``.
        """
        written = self.change(dn, (Values(field, (value,)),))
        return isinstance(written, Written) and bool(written.differences)

    def change(self, dn: str, changes: Sequence[Change], keep: Collection[str] = ()) -> Outcome:
        """Make changes to a group in one step: all of them or none.

        What goes to the side store goes there after the directory has taken the rest; only somebody who changes the
        same single value in between can then leave the step half done (`Meanwhile.written`).

        :param keep: fields of several values that aren't to become empty, whoever else changes them (`Emptied`).
        :returns: what has changed, or which single value somebody else has changed since it was looked at.
        """
        if all(isinstance(change, Values) and not change.add + change.remove for change in changes):
            return Written()
        # What the profile can't write needs no server to be refused.
        planned(self.profile, Entry("", dn), changes)
        differences: list[Difference] = []

        def once(session: Session) -> Outcome:
            return self._changed(session, dn, changes, differences, keep)

        def afterwards(lost: Lost) -> Outcome:
            return self._change_found(dn, changes, keep, differences, lost)

        return self._somewhere(once, afterwards)

    def read(self, dn: str) -> Entry | None:
        """Return an entry as the first server that answers has it; None where it has none."""

        def never(lost: Lost) -> Entry | None:
            raise DirectoryUnavailable(str(lost)) from lost

        return self._somewhere(lambda session: self._entry(session, dn), never)

    def create(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> bool:
        """Make an entry; tell whether it is new: False where there is one of this name.

        One with values for the side store gets its address last: it takes no mail before it has all its rules.
        """
        beside = {name: raws for name, raws in attributes.items() if is_beside(name)}
        plain = {name: raws for name, raws in attributes.items() if not is_beside(name)}
        if not beside:
            return self._create(dn, plain)
        held_back = self._address_in(plain)
        if not self._create(dn, {name: raws for name, raws in plain.items() if name not in held_back}):
            return False
        changes = [
            SideChange(label_of(name), (), tuple(map(bytes.decode, raws))) for name, raws in beside.items()
        ]
        try:
            entry = self.read(dn)
            if entry is None or not self._side.change(entry.uuid, dn, changes):
                raise SideStoreUnavailable(f"{dn} is not as it was made a moment ago")
            for raws in held_back.values():
                self.change(dn, (Setting("address", bytes(raws[0]).decode()),))
        except (DirectoryUnknown, WriteRefused):
            self.delete(dn)
            raise
        return True

    def _address_in(self, attributes: Mapping[str, Sequence[bytes]]) -> dict[str, Sequence[bytes]]:
        """Return the attribute of a new entry that makes it a mail group; none where its class demands it at once."""
        classes = {raw.lower() for raw in attributes.get("objectclass", ())}
        if _DEMANDS_ADDRESS in classes:
            return {}
        names = {source.attribute for source in self.profile.mapped("address").sources}
        return {name: raws for name, raws in attributes.items() if name in names}

    def _create(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> bool:
        def once(session: Session) -> bool:
            answer = session.add(dn, attributes)
            if answer.code not in (SUCCESS, _ENTRY_EXISTS):
                self._refuse(session, answer, dn, tuple(attributes))
            return answer.code == SUCCESS

        def afterwards(lost: Lost) -> bool:
            entry = self._found(dn, lost, attributes)
            if entry is None or not entry.holds(attributes):
                raise OutcomeUnknown(f"{lost}; {dn} is not there so far")
            return True

        return self._somewhere(once, afterwards)

    def delete(self, dn: str, version: bytes = b"") -> bool:
        """Remove an entry; False where there is none.

        :param version: its ``entryCSN`` when it was looked at: another one is refused, where the server can tell.
        """
        there = self.read(dn) if self.profile.beside else None

        def once(session: Session) -> bool:
            answer = session.delete(dn, version)
            if answer.code == _ASSERTION_FAILED:
                raise WriteRefused(
                    marked("{dn} has been changed meanwhile; look again before it is deleted"), dn=dn
                )
            if answer.code not in (SUCCESS, NO_SUCH_OBJECT):
                self._refuse(session, answer, dn, ())
            return answer.code == SUCCESS

        def afterwards(lost: Lost) -> bool:
            if self._found(dn, lost) is not None:
                raise OutcomeUnknown(f"{lost}; {dn} is still there so far")
            return True

        gone = self._somewhere(once, afterwards)
        if gone and there is not None:
            # The entry is gone in any case; what can't be taken away now goes like that of a group that vanished.
            with suppress(SideStoreUnavailable):
                self._side.forget(there.uuid)
        return gone

    def _entry(
        self, session: Session, dn: str, wanted: Asked | None = None, further: Collection[str] = ()
    ) -> Entry | None:
        """Return an entry with what the side store has for it.

        :param wanted: of its long lists only these values; None for the whole entry.
        :param further: attributes that the profile doesn't name.
        """
        attributes = self._attributes if wanted is None else self._short
        entry = session.entry(dn, (*attributes, *further), wanted or {})
        if entry is None or not self.profile.beside:
            return entry
        return merged(entry, self._side.of((entry.uuid,)).get(entry.uuid, NOTHING))

    def _somewhere(self, once: Callable[[Session], Found], afterwards: Callable[[Lost], Found]) -> Found:
        """Ask the servers in turn until one takes it; look afterwards where an answer was lost."""
        if not self._settings.urls or any(url.startswith("ldif:") for url in self._settings.urls):
            raise WriteRefused(marked("read-only: the directory is an LDIF file"))
        failures: list[ReadFailed] = []
        for url in self._settings.urls:
            try:
                with LdapConnection.open(url, self._settings, self._clock) as connection:
                    return once(WriterSession(connection, self._settings, self._clock))
            except Lost as lost:
                return afterwards(lost)
            except ReadFailed as error:
                failures.append(error)
        words = "; ".join(map(str, failures))
        raise WriteRefused(OTHERS, words=words) if all(map(_final, failures)) else DirectoryUnavailable(words)

    def _changed(
        self,
        session: Session,
        dn: str,
        changes: Sequence[Change],
        differences: list[Difference],
        keep: Collection[str],
    ) -> Outcome:
        """Plan and write until nobody has come between; ``differences`` gets what was last asked for."""
        answer, refused, again = Answer(SUCCESS, ""), None, 0
        done: tuple[Difference, ...] = ()
        wanted: Asked | None = asked(self.profile, dn, changes, self.placeholder)
        for _ in range(_ATTEMPTS):
            entry = self._there(session, dn, wanted)
            plan = planned(self.profile, entry, changes, self.placeholder, whole=wanted is None)
            if isinstance(plan, Meanwhile):
                return replace(plan, written=done)
            if not plan.modifications:
                return Written(done)
            there, stay = plan.there, staying(self.profile, entry, plan, keep, done)
            if there.modifications:
                version = entry.attributes.get(VERSION, (b"",))[0]
                again = again + 1 if (there, version) == refused else 0
                # Where no version shows that nobody came between, two who undo each other could look like nobody.
                if again > (0 if version else _REPEATS):
                    self._refuse(session, answer, dn, there.attributes)
                differences[:] = (*done, *plan.differences)
                answer = self._sent(session, entry, there, in_directory(stay))
                if answer.code not in _PERHAPS_MEANWHILE | {SUCCESS, _ASSERTION_FAILED}:
                    self._refuse(session, answer, dn, there.attributes)
                if answer.code != SUCCESS:
                    refused = (there, version) if answer.code in _PERHAPS_MEANWHILE else None
                    # It may be the last member that was to go, which only the whole list tells.
                    wanted = None if refused and wanted else wanted
                    continue
                self._stayed(session, dn, plan, keep)
            if not plan.beside or self._side.change(entry.uuid, entry.dn, beside(plan, stay)):
                return Written((*done, *plan.differences))
            done, refused = (*done, *there.differences), None
        raise DirectoryUnavailable(f"{session.url}: others change {dn} all the time")

    def _there(self, session: Session, dn: str, wanted: Asked | None) -> Entry:
        """Return the entry that is to be changed."""
        entry = self._entry(session, dn, wanted)
        if entry is None:
            raise WriteRefused(marked("{server}: no such entry: {dn}"), server=session.url, dn=dn)
        return entry

    def _stayed(self, session: Session, dn: str, plan: Plan, keep: Collection[str]) -> None:
        """Look whether somebody stays, where the server can't be asked to see to it; else put back who went."""
        lists = {} if session.asserts else {each: reversed_in(self.profile, plan, each) for each in keep}
        for field, back in lists.items():
            if back and not current(self.profile, self._there(session, dn, {}), field):
                session.modify(dn, back)
                raise emptied(dn, field)

    def _sent(self, session: Session, entry: Entry, plan: Plan, stay: Sequence[Alternatives]) -> Answer:
        version = entry.attributes.get(VERSION, (b"",))[0] if plan.guarded else b""
        answer = session.modify(entry.dn, plan.modifications, version, stay)
        if answer.code != _CLASS_VIOLATION:
            return answer
        wanted = self._missing_class(session, entry, plan)
        if not wanted:
            return answer
        more = Modification(Operation.ADD, "objectClass", (wanted.encode(),))
        return session.modify(entry.dn, (more, *plan.modifications), version, stay)

    def _missing_class(self, session: Session, entry: Entry, plan: Plan) -> str:
        """Return the auxiliary class that would hold what is added, empty where there is none."""
        there = {raw.decode("utf-8", "replace").lower() for raw in entry.attributes.get("objectclass", ())}
        for each in plan.modifications:
            attribute = each.attribute.partition(";")[0]
            if each.operation is Operation.ADD:
                names = [name for name in session.classes(entry.dn, attribute) if name.lower() not in there]
                if names:
                    return min(names, key=self._unknown)
        return ""

    def _unknown(self, name: str) -> bool:
        """Tell whether a class is none by which the profile knows groups: those come last."""
        return f"(objectclass={name.lower()})" not in self.profile.filter().lower()

    def _change_found(
        self,
        dn: str,
        changes: Sequence[Change],
        keep: Collection[str],
        differences: Sequence[Difference],
        lost: Lost,
    ) -> Outcome:
        wanted = asked(self.profile, dn, changes, self.placeholder)
        entry = self._found(dn, lost, wanted=wanted)
        plan = None if entry is None else planned(self.profile, entry, changes, self.placeholder, whole=False)
        if entry is None or not isinstance(plan, Plan) or plan.there.modifications:
            raise OutcomeUnknown(f"{lost}; the change to {dn} is not there so far")
        stay = staying(
            self.profile, entry, plan, keep, replace(plan, differences=tuple(differences)).there.differences
        )
        if plan.beside and not self._side.change(entry.uuid, entry.dn, beside(plan, stay)):
            raise OutcomeUnknown(f"{lost}; the change to {dn} is there in part")
        return Written(tuple(differences))

    def _found(
        self, dn: str, lost: Lost, further: Collection[str] = (), wanted: Asked | None = None
    ) -> Entry | None:
        """Return an entry on a new connection, after an answer was lost; see `_entry`."""

        def never(again: Lost) -> Entry | None:
            raise DirectoryUnavailable(str(again)) from again

        try:
            return self._somewhere(lambda session: self._entry(session, dn, wanted, further), never)
        except (DirectoryUnknown, WriteRefused) as error:
            raise OutcomeUnknown(f"{lost}; whether {dn} was changed can't be told: {error}") from error

    def _refuse(self, session: Session, answer: Answer, dn: str, attributes: Sequence[str]) -> NoReturn:
        words = _WORDS.get(answer.code, f"result code {answer.code}")
        what = (
            f" to change {', '.join(attributes)}"
            if answer.code == _INSUFFICIENT_ACCESS and attributes
            else ""
        )
        told = f"{session.url}: {words}{what}: {answer.text or dn}"
        raise WriteRefused(OTHERS, words=told)


def _final(failure: ReadFailed) -> bool:
    """Tell whether a server has said no for good: a wrong password, a replica that only refers to another."""
    return isinstance(failure, Refused) and failure.code not in (BUSY, UNAVAILABLE)
