"""Who may change which groups, asked of the directory itself before each write: a right taken away is gone at once.

Administrators may do everything within what they administer. Owners change their groups, save the addresses, the
policy, and rules for dynamic members that ask for more than the profile's attributes: whom such a rule finds tells what
stands in an entry. Administrators of a part set such rules for entries of that part. Owners make and remove no groups.
Everybody joins and leaves where the group says *open*. What nobody may is `Forbidden`; where the directory can't be
asked, `DirectoryUnknown`, and nothing is written then either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from groupmilter.directory.administration import Administration, covering, open_to
from groupmilter.directory.change import Change, Setting, Values
from groupmilter.directory.dn import normalise
from groupmilter.directory.dynamic import UrlError, parse_url
from groupmilter.directory.entry import Entry
from groupmilter.directory.filter import literal, needs_server
from groupmilter.directory.modification import Plan, current, planned
from groupmilter.directory.profile import Profile
from groupmilter.directory.profile_fields import NAME_FIELDS
from groupmilter.directory.searching import Searching, read_entry
from groupmilter.directory.sparse import LONG, short_attributes
from groupmilter.groups.concern import Concern
from groupmilter.groups.group import JoinPolicy
from groupmilter.groups.person import Person
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Spoken
from groupmilter.mail.address import canonical
from groupmilter.membership.founding import Founding
from groupmilter.membership.standing import Ascent
from groupmilter.membership.vocabulary import BadWish, Several, Wish

ADMINISTRATORS_ONLY = frozenset({"address", "aliases", "policy"})
"""Who sets an address can take anybody's mail; a policy can open what the organisation has closed."""

OWN_FIELDS = frozenset(LONG)
POLICY = marked("only administrators choose a policy")
RULE = marked("only administrators set rules that ask for such attributes")
PART = marked("rules ask for such attributes only below what you administer")
STILL_NAMED = marked(
    "other groups or the configuration still name an entry that would stand in the same place"
)


class Reason(StrEnum):
    """Why somebody may not."""

    GONE = "gone"
    LOCKED = "locked"
    NO_GROUP = "no-group"
    NOT_OWNER = "not-owner"
    ADMINISTRATORS = "administrators"
    ELSEWHERE = "elsewhere"
    MAY_NOT_CREATE = "may-not-create"
    CLOSED = "closed"
    NO_DECIDER = "no-decider"
    BEYOND = "beyond"


_SENTENCES = {
    Reason.GONE: marked("Your account is no longer in the directory."),
    Reason.LOCKED: marked("Your account is locked."),
    Reason.NO_GROUP: marked("The group is no longer in the directory."),
    Reason.NOT_OWNER: marked("You are not, or no longer, an owner of this group."),
    Reason.ADMINISTRATORS: marked("Only administrators may change this: {fields}."),
    Reason.ELSEWHERE: marked("This group would lie outside of what you administer."),
    Reason.MAY_NOT_CREATE: marked("You may not create groups."),
    Reason.BEYOND: marked("A rule asks for what stands in entries outside of what you administer: {fields}."),
    Reason.CLOSED: marked("Joining and leaving this group is for its owners to decide."),
    Reason.NO_DECIDER: marked("You are not, or no longer, among those who decide about this group's mail."),
}


class Forbidden(Spoken):
    """Somebody may not do what he asked for; nothing of it was written.

    :param fields: canonical fields that it is about, which the sentence may name.
    """

    def __init__(self, reason: Reason, fields: Sequence[str] = ()) -> None:
        super().__init__(_SENTENCES[reason], fields=", ".join(fields))
        self.reason = reason
        self.fields = tuple(fields)


class Authority(Protocol):
    """What may be done on somebody's behalf; every method may raise `DirectoryUnknown`."""

    def require(self, group: Entry, changes: Sequence[Change]) -> None:
        """Raise `Forbidden` unless these changes to a group may be made now."""

    def require_new(self, group: Entry, changes: Sequence[Change]) -> None:
        """Raise `Forbidden` unless a group may be made with this DN and these fields now."""

    def require_removal(self, group: Entry) -> None:
        """Raise `Forbidden` unless a group may be removed now."""

    def completed(self, wishes: Sequence[Wish]) -> Sequence[Wish]:
        """Return what a new group gets: its founder owns it, where nobody is named."""

    def problems(self, group: Entry, changes: Sequence[Change]) -> Sequence[BadWish]:
        """Return what the rules for new groups have against one, field by field; `Forbidden` for whoever may make none.

        :param group: the entry that is going to be made. ``changes``: what it is to have.
        """


@dataclass(frozen=True, slots=True)
class Unlimited:
    """The command line's: who can run it as the service's account may do everything."""

    def require(self, group: Entry, changes: Sequence[Change]) -> None:
        """See `Authority`."""

    def require_new(self, group: Entry, changes: Sequence[Change]) -> None:
        """See `Authority`."""

    def require_removal(self, group: Entry) -> None:
        """See `Authority`."""

    def completed(self, wishes: Sequence[Wish]) -> Sequence[Wish]:
        """See `Authority`."""
        return wishes

    def problems(self, group: Entry, changes: Sequence[Change]) -> Sequence[BadWish]:  # noqa: ARG002 - the protocol's
        """See `Authority`."""
        return ()


@dataclass(frozen=True, slots=True)
class Rights:
    """A person's own rights.

    :param connect: opens a session with the server that takes changes, as the account that reads.
    :param base: below it everything is searched. ``own_domains``: where a local part is compared without case.
    :param founding: who may make groups, and which.
    """

    person: Person
    connect: Callable[[], Searching]
    profile: Profile
    base: str
    own_domains: frozenset[str]
    administrations: tuple[Administration, ...]
    founding: Founding

    def require(self, group: Entry, changes: Sequence[Change]) -> None:
        """See `Authority`."""
        with self.connect() as session:
            ascent = self._ascent(session)
            now = self._group(session, group)
            reserved = [each.field for each in changes if self._reserved(now, each)]
            if held := self._held(ascent, now.dn, self._addresses(now)):
                for each in changes:
                    if self._asking_beyond(now, each, held):
                        raise Forbidden(Reason.BEYOND, (each.field,))
                after = (*self._addresses(now), *self._wanted(changes))
                if reserved and not self._administers(ascent, now.dn, after):
                    raise Forbidden(Reason.ELSEWHERE, reserved)
            elif not self._owns(ascent, now):
                self._require_own(now, changes)
            elif reserved:
                raise Forbidden(Reason.ADMINISTRATORS, reserved)

    def require_new(self, group: Entry, changes: Sequence[Change]) -> None:
        """See `Authority`."""
        problems = self.problems(group, changes)
        if problems or not self._wanted(changes):
            raise Forbidden(Reason.ADMINISTRATORS, [each.field for each in problems] or ["address"])

    def require_removal(self, group: Entry) -> None:
        """See `Authority`."""
        with self.connect() as session:
            ascent = self._ascent(session)
            now = self._group(session, group)
            if not self._administers(ascent, now.dn, self._addresses(now)):
                owner = self._owns(ascent, now)
                raise Forbidden(Reason.ADMINISTRATORS if owner else Reason.NOT_OWNER)

    def require_decision(self, concerns: Iterable[Concern]) -> None:
        """Raise `Forbidden` unless the person may decide about all of this held mail now."""
        with self.connect() as session:
            ascent = self._ascent(session)
            if not all(ascent.reaches(self._deciders(session, each)) for each in concerns):
                raise Forbidden(Reason.NO_DECIDER)

    def _deciders(self, session: Searching, concern: Concern) -> tuple[str, ...]:
        """Return the DNs of who decides about a group's mail; of a group that is gone, who administers everything."""
        group = self._found(session, concern.dn, concern.uuid) if concern.dn else None
        if group is None:
            return tuple(one.holder for one in self.administrations if one.whole)
        above = covering(self.administrations, group.dn, self._addresses(group))
        own = concern.instead or self._list(group, "moderators")
        return (*own, *self._list(group, "owners"), *(one.holder for one in above))

    def require_say(self, group: Entry) -> None:
        """Raise `Forbidden` unless the person administers or owns a group now: it is theirs to say who is in it.

        :param group: its DN, and its UUID; nothing else of it is looked at.
        """
        with self.connect() as session:
            ascent = self._ascent(session)
            now = self._group(session, group)
            if not self._administers(ascent, now.dn, self._addresses(now)) and not self._owns(ascent, now):
                raise Forbidden(Reason.NOT_OWNER)

    def completed(self, wishes: Sequence[Wish]) -> Sequence[Wish]:
        """See `Authority`."""
        named = any(isinstance(wish, Several) and wish.field == "owners" and wish.add for wish in wishes)
        return wishes if named else (*wishes, Several("owners", (self.person.dn,)))

    def problems(self, group: Entry, changes: Sequence[Change]) -> Sequence[BadWish]:
        """See `Authority`."""
        missing, wanted = self.founding.missing(changes), self._wanted(changes)
        with self.connect() as session:
            ascent = self._ascent(session)
            if ascent.reaches(one.holder for one in self.administrations if one.whole):
                return missing
            if self._still_named(session, group.dn):
                missing.append(BadWish("address", "", STILL_NAMED))
            if held := self._held(ascent, group.dn, wanted):
                beyond = (url for each in changes for url in self._asking_beyond(group, each, held))
                return [*missing, *(BadWish("member_urls", url, PART) for url in beyond)]
            above = any(ascent.reaches((one.holder,)) for one in self.administrations)
            if above and not wanted:
                # The address can't be read, which is told already: nobody knows yet where the group would lie.
                return missing
            if not self.founding.allows(group.dn, ascent.reaches):
                raise Forbidden(Reason.ELSEWHERE if above else Reason.MAY_NOT_CREATE)
        chosen = any(each.field == "policy" and self._reserved(group, each) for each in changes)
        policy = [BadWish("policy", "", POLICY)] if chosen else []
        rules = [
            BadWish("member_urls", url, RULE) for each in changes for url in self._asking_more(group, each)
        ]
        pairs = self._wanted_pairs(changes)
        return [*self.founding.address_problems(pairs), *policy, *rules, *missing]

    def _still_named(self, session: Searching, dn: str) -> bool:
        """Tell whether lists of other groups, or the configuration, name a DN: a new group there had rights by that."""
        own = normalise(dn)
        holders = (*(one.holder for one in self.administrations), *self.founding.holders)
        if own in {normalise(holder) for holder in holders}:
            return True
        fields = (self.profile.mapped(name) for name in NAME_FIELDS if name != "member_of")
        places = dict.fromkeys(source.attribute for field in fields for source in field.sources)
        terms = "".join(f"({place}={literal(dn)})" for place in places)
        found = session.search(self.base, "sub", f"(&{self.profile.filter()}(|{terms}))", ("objectClass",))
        return any(normalise(entry.dn) != own for entry in list(found))

    def _ascent(self, session: Searching) -> Ascent:
        """Return the way up from the person; `Forbidden` where he is gone or locked."""
        attributes = (*self.profile.attributes(), "objectClass")
        entry = read_entry(session, self.person.dn, attributes)
        record = None if entry is None or entry.uuid != self.person.uuid else self.profile.read(entry)
        if record is None or record.group:
            raise Forbidden(Reason.GONE)
        if record.fields.get("disabled"):
            raise Forbidden(Reason.LOCKED)
        return Ascent(session, self.profile, self.base, record)

    def _group(self, session: Searching, group: Entry) -> Entry:
        now = self._found(session, group.dn, group.uuid)
        if now is None:
            raise Forbidden(Reason.NO_GROUP)
        return now

    def _found(self, session: Searching, dn: str, uuid: str) -> Entry | None:
        """Return a group as it is now, without those of its lists that may be long."""
        now = read_entry(session, dn, (*short_attributes(self.profile), "objectClass"))
        # Another entry in the same place is another group.
        return None if now is None or (uuid and now.uuid != uuid) else now

    def _held(self, ascent: Ascent, dn: str, addresses: Sequence[str]) -> tuple[Administration, ...]:
        """Return by what the person administers a group."""
        found = covering(self.administrations, dn, addresses)
        return tuple(one for one in found if ascent.reaches((one.holder,)))

    def _administers(self, ascent: Ascent, dn: str, addresses: Sequence[str]) -> bool:
        return ascent.reaches(one.holder for one in covering(self.administrations, dn, addresses))

    def _owns(self, ascent: Ascent, group: Entry) -> bool:
        return ascent.reaches(self._list(group, "owners"))

    def _list(self, group: Entry, field: str) -> tuple[str, ...]:
        there = current(self.profile, group, field)
        return there if isinstance(there, tuple) else ()

    def _addresses(self, group: Entry) -> tuple[str, ...]:
        texts = (current(self.profile, group, field) for field in ("address", "aliases"))
        return tuple(
            self._key(each)
            for text in texts
            for each in (text if isinstance(text, tuple) else (text,))
            if isinstance(each, str) and each
        )

    def _wanted(self, changes: Sequence[Change]) -> tuple[str, ...]:
        return tuple(address for _, address in self._wanted_pairs(changes))

    def _wanted_pairs(self, changes: Sequence[Change]) -> tuple[tuple[str, str], ...]:
        pairs: list[tuple[str, str]] = []
        for each in changes:
            if isinstance(each, Setting) and each.field == "address" and isinstance(each.value, str):
                pairs.append(("address", self._key(each.value)))
            elif isinstance(each, Values) and each.field == "aliases":
                pairs += (("aliases", self._key(one)) for one in each.add)
        return tuple(pairs)

    def _key(self, address: str) -> str:
        return canonical(address, self.own_domains) or address.casefold()

    def _reserved(self, group: Entry, change: Change) -> bool:
        """Tell whether a change touches what only administrators change; what is so already changes nothing."""
        if self._asking_more(group, change):
            return True
        if change.field not in ADMINISTRATORS_ONLY:
            return False
        plan = planned(self.profile, group, (change,))
        return not isinstance(plan, Plan) or bool(plan.modifications)

    def _asking_more(self, group: Entry, change: Change) -> tuple[str, ...]:
        """Return the new member URLs that ask for more than the attributes which the mirror keeps of everybody."""
        if change.field != "member_urls" or not isinstance(change, Values):
            return ()
        there = current(self.profile, group, "member_urls")
        new = (url for url in change.add if not isinstance(there, tuple) or url not in there)
        return tuple(filter(self._asks_more, new))

    def _asking_beyond(self, group: Entry, change: Change, held: Sequence[Administration]) -> tuple[str, ...]:
        """Return those of them that look beyond what the person administers."""
        asking = self._asking_more(group, change)
        return tuple(url for url in asking if not open_to(held, parse_url(url).below))

    def _asks_more(self, url: str) -> bool:
        try:
            return needs_server(parse_url(url).filter, self.profile.filter_attributes)
        except UrlError:
            # Nobody is found by it, and the writer refuses it.
            return False

    def _require_own(self, group: Entry, changes: Sequence[Change]) -> None:
        """Let a person join and leave by himself, where the group is open; `Forbidden` for anything else."""
        for each in changes:
            if not isinstance(each, Values) or each.field not in OWN_FIELDS:
                raise Forbidden(Reason.NOT_OWNER)
            if not all(self._own(each.field, value) for value in (*each.add, *each.remove)):
                raise Forbidden(Reason.NOT_OWNER)
            comes = each.add and current(self.profile, group, "join_policy") != JoinPolicy.OPEN
            goes = each.remove and current(self.profile, group, "leave_policy") != JoinPolicy.OPEN
            if comes or goes:
                raise Forbidden(Reason.CLOSED)

    def _own(self, field: str, value: str) -> bool:
        if field == "members":
            return normalise(value) == normalise(self.person.dn)
        return self._key(value) in self.person.addresses
