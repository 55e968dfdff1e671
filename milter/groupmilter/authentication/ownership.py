"""Whose an address is. An extension changes nothing in own domains: ``anne+lists@`` is Anne's, as it is for the MTA.

Raises `DirectoryUnknown` where the directory can't be asked.
"""

from __future__ import annotations

from groupmilter.authentication.trust import Trust
from groupmilter.groups.directory import Directory
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.mail.address import canonical, domain_of, extended
from groupmilter.policy.facts import Identity


def owner_of(address: str, trust: Trust, directory: Directory) -> Group | Person | None:
    """Return whose a canonical address is, with an extension taken off where the address itself is nobody's.

    Source: postconf(5), ``recipient_delimiter``, ``smtpd_sender_login_maps``: Postfix looks senders up in this way.
    """
    found = directory.find(address)
    if found is not None or not trust.delimiters or domain_of(address) not in trust.own_domains:
        return found
    base, _ = extended(address, trust.delimiters)
    return directory.find(base) if base else None


def owns(identity: Identity, address: str, trust: Trust, directory: Directory) -> bool:
    """Tell whether an address is the sender's own: a report that is sent there reaches no stranger.

    A login that is nobody of the directory has the address of its own name, in an own domain.
    """
    if not address:
        return False
    if identity.person is not None:
        owner = owner_of(address, trust, directory)
        return isinstance(owner, Person) and owner.node == identity.person.node
    named = canonical(identity.name, trust.own_domains)
    return address in ((named,) if named else identity.claims) and directory.find(address) is None
