"""From what people want in a group to changes of its entry: addresses become entries, words become values.

Somebody of the directory stands in a list by the name of his entry; an outsider by his address, where the list takes
such. An address or alias that somebody else has is refused, and so is an address nobody of the own domains has. What
can't be had is a `BadWish` in the answer, one for each, and never left out silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from groupmilter.directory.change import Change, Setting, Values
from groupmilter.directory.dn import normalise
from groupmilter.directory.dynamic import MemberUrl, UrlError, parse_url
from groupmilter.directory.entry import Entry
from groupmilter.directory.modification import current, is_placeholder
from groupmilter.directory.profile import Profile
from groupmilter.directory.profile_fields import GROUP, Form, Scalar
from groupmilter.directory.sparse import LONG
from groupmilter.directory.spelling import held, home, key_of
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import domain_of, pattern, strict
from groupmilter.membership.address_book import AddressBook, Known
from groupmilter.membership.vocabulary import (
    ADDRESSES_OF,
    BadWish,
    Remark,
    Several,
    Single,
    Wish,
    field_of,
    scalar,
    written,
)

_ASCII_ONLY = frozenset({"mail", "mailalternateaddress", "maillocaladdress", "mgrprfc822mailmember"})
NO_PLACE = marked("at “{base}” there is no place of this directory where members are searched for")


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all groups.

    :param own_domains, service_domain: canonical.
    :param parent: DN below which new groups are made; empty: has to be said each time.
    :param structural: structural class of new groups. ``placeholder``: the member of an empty one, a DN.
    :param contacts: DN below which external contacts are made; empty: they can't be.
    """

    own_domains: frozenset[str]
    service_domain: str
    parent: str = ""
    structural: str = "groupOfNames"
    placeholder: str = "cn=placeholder"
    contacts: str = ""


@dataclass(slots=True)
class Intent:
    """What wishes come to: changes, what can't be had, and what should be known besides."""

    changes: list[Change] = field(default_factory=list)
    problems: list[BadWish] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Reads wishes for groups of one directory."""

    book: AddressBook
    profile: Profile
    rules: Rules

    def intent(self, entry: Entry, wishes: Sequence[Wish]) -> Intent:
        """Return what to change in a group.

        :param entry: as it is now; what a single value is there is what the change takes for seen.
        """
        found = Intent()
        self._look_up(wishes)
        for wish in wishes:
            try:
                if isinstance(wish, Single):
                    self._single(entry, wish, found)
                else:
                    self._several(entry, wish, found)
            except BadWish as problem:
                found.problems.append(problem)
        return found

    def about(self, wishes: Sequence[Wish]) -> tuple[Values, ...] | None:
        """Return which members wishes are about, everywhere they may stand; None where all have to be looked at."""
        self._look_up(wishes)
        found: list[Values] = []
        for wish in wishes:
            if isinstance(wish, Several) and _listing(wish) in LONG:
                if wish.exact:
                    return None
                for text in (*wish.add, *wish.remove):
                    places = self._places_left(_listing(wish), text)
                    found += (Values(place, (spelt,)) for place, spelt in places)
        return tuple(found)

    def _look_up(self, wishes: Iterable[Wish]) -> None:
        """Ask the directory for all addresses together."""
        several = [wish for wish in wishes if isinstance(wish, Several)]
        self.book.having({each for wish in several for each in (*wish.add, *wish.remove) if _mailbox(each)})

    def _single(self, entry: Entry, wish: Single, found: Intent) -> None:
        name, language = field_of(wish.field)
        value: Scalar = wish.text.strip() or None
        if name == "address":
            value = self.free(name, wish.text, entry.dn, found.remarks)
        elif name != "mail_tip":
            value = scalar(name, wish.text)
        there = current(self.profile, entry, name, language)
        now = None if isinstance(there, tuple) else there
        seen = now if wish.seen is None or self._reads(name, now, wish.seen) else _seen(name, wish.seen)
        found.changes.append(Setting(name, value, seen, language))

    def _reads(self, name: str, value: Scalar, text: str) -> bool:
        """Tell whether a value reads like a text; addresses are shown in their canonical spelling."""
        if name == "address":
            return self.book.key(str(value)) == self.book.key(text)
        return same(written(value), text)

    def free(self, name: str, text: str, dn: str, remarks: list[Remark]) -> str:
        """Return an address that the group may have; `BadWish` where it is somebody else's or none."""
        address = text.strip()
        if strict(address) is None:
            raise BadWish(name, text, marked("no mail address that every mail server takes as it is"))
        domain = domain_of(self.book.key(address))
        if domain == self.rules.service_domain:
            raise BadWish(name, text, marked("the service domain is for tickets only"))
        others = [
            each for each in self.book.having([address])[address] if normalise(each.dn) != normalise(dn)
        ]
        if others:
            raise BadWish(name, text, marked("{who} has this address"), who=others[0])
        if domain not in self.rules.own_domains:
            values = {"address": address, "domain": domain}
            remarks.append(Remark(marked("{address}: {domain} is none of own_domains"), values))
        return self._spelt(name, address)

    def _spelt(self, name: str, address: str) -> str:
        """Return an address as its attribute holds it; many take ASCII only (RFC 4524 section 2.16)."""
        place = home(self.profile.mapped(name))
        if address.isascii() or place is None or place.attribute.lower() not in _ASCII_ONLY:
            return address
        plain = strict(address) or address
        if not plain.isascii():
            raise BadWish(name, address, marked("this directory takes no such characters before the @"))
        return plain

    def _several(self, entry: Entry, wish: Several, found: Intent) -> None:
        name, _ = field_of(wish.field)
        come: dict[str, list[str]] = {}
        there = self._there(entry, name)
        for text in wish.add:
            try:
                place, spelt = self._as_it_stands(there, name, text) or self._place(
                    name, text, entry.dn, found.remarks
                )
                come.setdefault(place, []).append(spelt)
            except BadWish as problem:
                found.problems.append(problem)
        troubled = any(problem.field == name for problem in found.problems)
        go = self._others(entry, name, come) if wish.exact and not troubled else {}
        for text in wish.remove:
            places = self._places_left(name, text)
            for place, spelt in places:
                go.setdefault(place, []).append(spelt)
            if not any(
                (place, key_of(self.profile.mapped(place), spelt)) in there for place, spelt in places
            ):
                values = {"value": text, "field": name.replace("_", " ")}
                found.remarks.append(Remark(marked("{value} is not among the {field}"), values))
        for each in dict.fromkeys((*come, *go)):
            found.changes.append(Values(each, tuple(come.get(each, ())), tuple(go.get(each, ()))))

    def _as_it_stands(
        self, there: frozenset[tuple[str, str]], name: str, text: str
    ) -> tuple[str, str] | None:
        """Return where something stands in a list already: an address that somebody of the directory has, or a rule."""
        if GROUP[name].form is Form.URLS:
            return (name, text) if (name, key_of(self.profile.mapped(name), text)) in there else None
        second = ADDRESSES_OF.get(name)
        if second is None or (second, key_of(self.profile.mapped(second), text)) not in there:
            return None
        return second, text

    def _there(self, entry: Entry, name: str) -> frozenset[tuple[str, str]]:
        """Return what stands in a list, as field and what values are compared by."""
        fields = filter(None, (name, ADDRESSES_OF.get(name)))
        return frozenset(
            (each, held_.key) for each in fields for held_ in held(entry, self.profile.mapped(each))
        )

    def _others(self, entry: Entry, name: str, come: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Return what stands in a list and isn't wanted, by field; the group's own first address is no alias."""
        go: dict[str, list[str]] = {}
        address = key_of(self.profile.mapped("address"), str(current(self.profile, entry, "address")))
        for each in filter(None, (name, ADDRESSES_OF.get(name))):
            mapped = self.profile.mapped(each)
            wanted = {key_of(mapped, value) for value in come.get(each, ())}
            wanted |= {address} if name == "aliases" else set()
            there = current(self.profile, entry, each)
            values = there if isinstance(there, tuple) else ()
            unwanted = [value for value in values if key_of(mapped, value) not in wanted]
            placeholder = normalise(self.rules.placeholder) or ""
            go[each] = [value for value in unwanted if not is_placeholder(value.encode(), placeholder)]
        return go

    def _place(self, name: str, text: str, dn: str, remarks: list[Remark]) -> tuple[str, str]:
        """Return in which field of the directory something wanted stands, and how."""
        form = GROUP[name].form
        if name == "aliases":
            return name, self.free(name, text, dn, remarks)
        if form is Form.URLS:
            return name, self._rule(name, text)
        if form is not Form.NAMES:
            return name, _checked(name, form, text)
        if (known := self._somebody(name, text)) is not None:
            return name, known
        second = ADDRESSES_OF.get(name)
        if second is None:
            raise BadWish(name, text, marked("nobody of the directory has this address"))
        if GROUP[second].form is Form.PATTERNS and pattern(text) is not None and not _mailbox(text):
            return second, text
        if strict(text) is None:
            raise BadWish(name, text, marked("neither a mail address nor a DN"))
        if domain_of(self.book.key(text)) in self.rules.own_domains:
            raise BadWish(name, text, marked("nobody has this address, though its domain is ours"))
        return second, text

    def _rule(self, name: str, text: str) -> str:
        try:
            self.rule(text)
        except UrlError as error:
            raise BadWish(name, text, marked("no LDAP URL that is used: {why}"), why=error) from error
        return text.strip()

    def rule(self, text: str) -> MemberUrl:
        """Return a member URL that finds members here; `UrlError` for one that can't, wherever it comes from."""
        parsed = parse_url(text)
        if not self.book.searchable(parsed.base):
            raise UrlError(NO_PLACE, base=parsed.base)
        return parsed

    def _somebody(self, name: str, text: str) -> str | None:
        """Return the DN that an address or a DN leads to; None for an address of nobody."""
        if is_name(text):
            if self.book.named([text])[text] is None:
                raise BadWish(name, text, marked("no person or group stands at this DN"))
            return text
        if not _mailbox(text):
            return None
        found = self.book.having([text])[text]
        groups = [each for each in found if each.group]
        if len(groups or found) > 1:
            names = ", ".join(each.dn for each in found)
            raise BadWish(name, text, marked("several have this address: {names}"), names=names)
        return (groups or list(found))[0].dn if found else None

    def _places_left(self, name: str, text: str) -> list[tuple[str, str]]:
        """Return everywhere somebody may stand in a list, to be taken out of it; also who is long gone."""
        second = ADDRESSES_OF.get(name)
        if GROUP[name].form is not Form.NAMES:
            return [(name, text)]
        found: tuple[Known, ...] = () if not _mailbox(text) else self.book.having([text])[text]
        places = [(name, each.dn) for each in found] or ([(name, text)] if is_name(text) else [])
        if second is not None:
            addresses = dict.fromkeys((text, *(address for each in found for address in each.addresses)))
            places += [(second, each) for each in addresses if not is_name(each)]
        return places


def _listing(wish: Several) -> str:
    """Return the list that a wish is about; empty for one that there isn't, which is told elsewhere."""
    try:
        return field_of(wish.field)[0]
    except BadWish:
        return ""


def same(one: str, other: str) -> bool:
    """Tell whether two texts read the same; forms change line ends and spaces."""
    return one.split() == other.split()


def _seen(name: str, text: str) -> Scalar:
    """Return what somebody saw in a field of one value, which holds something else by now."""
    if name in ("address", "mail_tip"):
        return text or None
    return scalar(name, text)


def _mailbox(text: str) -> bool:
    return not is_name(text) and "@" in text.lstrip("@") and not text.lower().startswith("ldap")


def is_name(text: str) -> bool:
    """Tell whether a text is a DN; ``a=b@example.org`` is an address."""
    return "=" in text and ("," in text or "@" not in text) and bool(normalise(text))


def _checked(name: str, form: Form, text: str) -> str:
    if form is Form.PATTERNS and pattern(text) is None:
        raise BadWish(name, text, marked("an address, @domain or @.domain is wanted"))
    if form is Form.ADDRESSES and strict(text) is None:
        raise BadWish(name, text, marked("no mail address that every mail server takes as it is"))
    return text.strip()
