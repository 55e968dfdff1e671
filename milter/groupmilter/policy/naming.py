"""Under whose name an authenticated sender may write (specification 2.1, rule 6). Pure.

From holds his own addresses, or a group's: with ``dgSendAs`` as it is, with ``dgSendOnBehalf`` only beside his own
address in Sender. A Sender of his own making may not name somebody else either: mail programs show both. What stands
in Resent-From (RFC 5322 section 3.6.6) gives no right and takes none.
"""

from __future__ import annotations

from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.policy.facts import Author, Content, Identity, Strength


def misused(content: Content, identity: Identity, own_domains: frozenset[str]) -> str:
    """Return why a header bears a name that isn't the authenticated sender's to use; empty where all are."""
    for author in content.authors:
        because = foreign(author, content, identity, own_domains)
        if because:
            return because
    if identity.strength < Strength.CERTIFICATE:
        return ""
    if not content.readable:
        return "From can't be read without doubt"
    return _misused_sender(content, identity)


def _misused_sender(content: Content, identity: Identity) -> str:
    """Return why Sender may not stand there: one of nobody in the directory is what mailing programs write."""
    if not content.sender:
        return "Sender can't be read without doubt" if content.values("sender") else ""
    owner = content.sender_owner
    if isinstance(owner, Group) and not may_send_as(owner, identity):
        return f"{identity.name} has no dgSendAs of {owner.address}, which Sender names"
    if isinstance(owner, Person) and not _same(content.sender, owner, identity):
        return f"{identity.name} doesn't own {content.sender}, which Sender names"
    return ""


def bears(content: Content, identity: Identity, own_domains: frozenset[str]) -> Group | None:
    """Return a group whose address an authenticated sender bears in From or Sender without its right."""
    for author in content.authors:
        if isinstance(author.owner, Group) and foreign(author, content, identity, own_domains):
            return author.owner
    owner = content.sender_owner
    bare = isinstance(owner, Group) and identity.strength >= Strength.CERTIFICATE
    return owner if bare and isinstance(owner, Group) and not may_send_as(owner, identity) else None


def foreign(author: Author, content: Content, identity: Identity, own_domains: frozenset[str]) -> str:
    """Return why an author is not the authenticated sender's to use, empty where it is."""
    owner = author.owner
    if isinstance(owner, Group):
        return _group_as_author(owner, content, identity)
    if identity.strength is Strength.NETWORK or _same(author.address, owner, identity):
        return ""
    if identity.person is None and owner is None and _is_name(author.address, identity.name, own_domains):
        return ""
    return f"the {identity.strength} {identity.name} doesn't own the author {author.address}"


def _same(address: str, owner: Person | None, identity: Identity) -> bool:
    """Tell whether an address is the sender's own, with an extension, too."""
    person = identity.person
    return address in identity.addresses or (
        person is not None and owner is not None and owner.node == person.node
    )


def _is_name(address: str, name: str, own_domains: frozenset[str]) -> bool:
    folded = name.casefold()
    local, _, domain = address.rpartition("@")
    return address.casefold() == folded or (domain in own_domains and local == folded)


def may_send_as(group: Group, identity: Identity) -> bool:
    """Tell whether the sender may use a group's address as his own."""
    return not group.send_as.isdisjoint(identity.nodes)


def _group_as_author(group: Group, content: Content, identity: Identity) -> str:
    if may_send_as(group, identity):
        return ""
    if group.on_behalf.isdisjoint(identity.nodes):
        return f"{identity.name} has neither dgSendAs nor dgSendOnBehalf of {group.address}"
    owner = content.sender_owner
    if content.sender and _same(content.sender, owner if isinstance(owner, Person) else None, identity):
        return ""
    return f"dgSendOnBehalf of {group.address} needs the sender's own address in Sender"
