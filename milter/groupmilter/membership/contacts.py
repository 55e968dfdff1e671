"""External contacts: an entry for somebody from outside, so that he has a name wherever he stands in a list.

Made only where the configuration names a place for them, by whoever may change the group that he comes into. Raises
`BadWish` for what can't be had, `Forbidden`, `WriteRefused`, and `DirectoryUnknown` as `service` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from groupmilter.directory.change import Values, WriteRefused
from groupmilter.directory.dn import rdn_value
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import domain_of, strict
from groupmilter.membership.address_book import Known
from groupmilter.membership.service import Groups, Stored
from groupmilter.membership.vocabulary import BadWish

NO_NAME = marked("a name is needed")
NO_ADDRESS = marked("no mail address that every mail server takes as it is")
OURS = marked("this address is of our own organisation: its people have entries already")
TAKEN = marked("{who} has this address already")

_SAME_NAME = marked("there are entries of this name already: {dn}")
_CLASS = "inetOrgPerson"
_ADDRESS = "mail"
_LONGEST = 120


def makeable(groups: Groups) -> bool:
    """Tell whether contacts can be made here: where they go is known, and the profile reads what is written."""
    sources = groups.writer.profile.mapped("addresses", group=False).sources
    return bool(groups.rules.contacts) and any(source.attribute == _ADDRESS for source in sources)


def expected(groups: Groups, group: Stored, name: str, address: str) -> str:
    """Return the DN of the entry that `make` would make, which wishes of the same task may name; nothing is written."""
    name, address = _checked(groups, group, name, address)
    dn = ""
    for called, dn in _names(groups, name, address):
        if groups.book.entry(dn) is None:
            groups.book.expect(Known(dn, group=False, name=called, addresses=(groups.book.key(address),)))
            return dn
    raise WriteRefused(_SAME_NAME, dn=dn)


def make(groups: Groups, group: Stored, name: str, address: str) -> str:
    """Make a contact for a group to have as member; return the DN of its entry.

    :param name: as people call him. ``address``: outside of the own domains, and nobody's so far.
    """
    name, address = _checked(groups, group, name, address)
    dn = ""
    for called, dn in _names(groups, name, address):
        if groups.writer.create(dn, _content(called, name, address)):
            groups.book.forget()
            after = json.dumps({"name": name, "address": address}, ensure_ascii=False)
            groups.note("contact-create", group, before="", after=after, detail=dn)
            return dn
    raise WriteRefused(_SAME_NAME, dn=dn)


def _checked(groups: Groups, group: Stored, name: str, address: str) -> tuple[str, str]:
    """Return name and address as they are written, where such a contact can be made for a group."""
    name, address = " ".join(name.split())[:_LONGEST], address.strip()
    if not makeable(groups):
        raise WriteRefused(marked("contacts can't be made here: directory.write.contacts says where they go"))
    address = _free(groups, name, address)
    groups.authority.require(group.entry, (Values("member_addresses", (address,)),))
    return name, address


def _names(groups: Groups, name: str, address: str) -> Iterator[tuple[str, str]]:
    """Yield what the entry may be called, and its DN then."""
    for called in (name, f"{name} ({address})"):
        yield called, f"cn={rdn_value(called)},{groups.rules.contacts}"


def _free(groups: Groups, name: str, address: str) -> str:
    """Return an address that nobody has, as ``mail`` holds it: in ASCII (RFC 4524 section 2.16)."""
    if not name:
        raise BadWish("contact_name", name, NO_NAME)
    spelt = strict(address)
    if spelt is None or not spelt.isascii():
        raise BadWish("contact_address", address, NO_ADDRESS)
    if domain_of(groups.book.key(address)) in groups.rules.own_domains:
        raise BadWish("contact_address", address, OURS)
    found = groups.book.having([address])[address]
    if found:
        raise BadWish("contact_address", address, TAKEN, who=found[0])
    return address if address.isascii() else spelt


def _content(called: str, name: str, address: str) -> dict[str, list[bytes]]:
    """Return the attributes of a contact (RFC 4519 section 3.12, RFC 2798); a surname is the last of its words."""
    surname = name.split()[-1]
    content = {"objectClass": [_CLASS], "cn": [called], "sn": [surname], _ADDRESS: [address]}
    if called != name:
        content["displayName"] = [name]
    return {attribute: [value.encode() for value in values] for attribute, values in content.items()}
