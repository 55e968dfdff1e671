"""From a profile's record to the rows of the mirror, and from the rows to people and groups. Pure.

Addresses become canonical here (own domains are known) and strict where mail goes to them; what isn't usable is
a problem of the record. Rows are written by `mirror_writer` and read by `snapshot`, both in this one spelling.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from groupmilter.directory.dynamic import UrlError, parse_url
from groupmilter.directory.filter import Values
from groupmilter.directory.findings import Kind
from groupmilter.directory.folding import folded
from groupmilter.directory.mirror_schema import (
    A_GROUP,
    A_PERSON,
    DISABLED,
    EXTERNAL,
    HIDDEN,
    JOINABLE,
    LINKS,
    MODERATED,
    MUTE,
    OPEN,
    OUTSIDERS,
    RIGHTS,
    RULED,
    STOPPED,
)
from groupmilter.directory.profile import Problem, Record
from groupmilter.directory.profile_fields import GROUP, Form
from groupmilter.directory.timestamp import moment
from groupmilter.groups.group import BouncesTo, Group, JoinPolicy, Notify
from groupmilter.groups.login import login_name
from groupmilter.groups.person import Node, Person
from groupmilter.groups.ticket import digest as short_digest
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import kept, worded
from groupmilter.mail.address import canonical, pattern, strict

# Lower-case dot-atoms on lower-case host names: canonical and strict already, as most of a directory is.
_PLAIN = re.compile(
    r"[a-z0-9][a-z0-9_+-]*(?:\.[a-z0-9_+-]+)*@[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)+"
)
_PLAIN_LENGTH = 63
_WORDS: Mapping[str, Callable[[Any], object]] = {
    "join_policy": JoinPolicy,
    "leave_policy": JoinPolicy,
    "notify": Notify,
    "bounces_to": BouncesTo,
}
_STORED = tuple(
    name
    for name, field in GROUP.items()
    if field.form not in (Form.NAMES, Form.URLS, Form.ADDRESSES) and name != "name"
)
_PATTERNS = frozenset(name for name, field in GROUP.items() if field.form is Form.PATTERNS)
_NO_REALMS: frozenset[str] = frozenset()


class Row(NamedTuple):
    """One entry as the mirror keeps it.

    :param address: where its mail goes (a person: strict; a group: canonical), or empty.
    :param addresses: canonical, primary first; ``logins`` as they are compared.
    :param outside: JSON list of strict member addresses; ``urls`` of member URLs; None for none.
    :param listed: what people find it by, folded and a line each: name, addresses, logins, description; so it is also
        what lists are sorted by.
    :param names: link field number to DNs as written; ``member_of`` the groups that the entry itself names.
    """

    group: bool
    uuid: str
    dn: str
    flags: int
    address: str
    addresses: tuple[str, ...]
    logins: tuple[str, ...]
    body: str
    outside: str | None
    urls: str | None
    search_values: str
    listed: str
    names: Mapping[int, tuple[str, ...]]
    member_of: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def short(self) -> int:
        """The 56-bit digest by which tickets name the entry."""
        return short_digest(self.uuid)

    @property
    def form(self) -> int:
        """What it is in lists: `A_GROUP`, `A_PERSON` or `MUTE`."""
        if self.group:
            return A_GROUP
        return MUTE if self.flags & DISABLED or not self.address else A_PERSON

    def digest(self) -> bytes:
        """Return a digest of everything here, whatever the order of DNs: equal rows need no writing."""
        texts = (self.dn, self.address, self.body, self.outside or "", self.urls or "", self.search_values)
        whole = f"{self.group}{self.flags}" + "\0".join(texts)
        if self.names or self.member_of or self.problems:
            names = sorted((field, sorted(dns)) for field, dns in self.names.items())
            whole += repr((names, sorted(self.member_of), self.problems))
        return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def row(record: Record, own_domains: frozenset[str], realms: frozenset[str] = _NO_REALMS) -> Row:
    """Return the row of a record.

    :param realms: of logins, that make no difference (`login_name`).
    """
    return _group_row(record, own_domains) if record.group else _person_row(record, own_domains, realms)


def _canonical(
    texts: Iterable[str], own: frozenset[str], attribute: str, problems: list[Problem]
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for text in texts:
        address = text if _plain(text) else canonical(text, own)
        if address is None:
            problems.append(
                Problem(Kind.BAD_ADDRESS, attribute, text[:100], worded(marked("expected an address")))
            )
        else:
            found[address] = None
    return tuple(found)


def _plain(text: str) -> bool:
    return len(text) <= _PLAIN_LENGTH and _PLAIN.fullmatch(text) is not None


def deliverable(text: str, own: frozenset[str]) -> str | None:
    """Return an address as it goes into the envelope, folded in own domains; None if unusable."""
    if _plain(text):
        return text
    checked = strict(text)
    return None if checked is None else canonical(checked, own)


def _person_row(record: Record, own: frozenset[str], realms: frozenset[str]) -> Row:
    problems = list(record.problems)
    written = (*record.texts("target"), *record.texts("addresses"))
    addresses = _canonical(written, own, "mail", problems)
    # What is first and plain is its own canonical form: by far the most, and not read twice.
    first = bool(written) and addresses[:1] == written[:1] and _plain(written[0])
    goes_to = written[0] if first else next(filter(None, (deliverable(text, own) for text in written)), "")
    if addresses and not goes_to:
        problems.append(
            Problem(Kind.BAD_ADDRESS, "mail", addresses[0], worded(marked("no mail can be sent there")))
        )
    logins = tuple({login_name(login, realms): None for login in record.texts("logins")})
    changed = moment(str(record.fields["password_changed"]))
    body = _json([record.fields["name"], record.fields["language"], addresses, logins, changed])
    flags = DISABLED if record.fields["disabled"] is True else 0
    return Row(
        group=False,
        uuid=record.uuid,
        dn=record.dn,
        flags=flags,
        address=goes_to,
        addresses=addresses,
        logins=logins,
        body=body,
        outside=None,
        urls=None,
        search_values=packed(record.values),
        listed=_listed(record, (*addresses, *logins)),
        names={},
        member_of=record.names.get("member_of", ()),
        problems=tuple(problems),
    )


def _group_row(record: Record, own: frozenset[str]) -> Row:
    problems = list(record.problems)
    fields = record.fields
    written = (*record.texts("address"), *record.texts("aliases"))
    addresses = _canonical(written if record.texts("address") else (), own, "mail", problems)
    outside = tuple(dict.fromkeys(_outside(record, own, problems)))
    flags = _group_flags(record) | (OUTSIDERS if outside else 0)
    kept = {name: fields[name] for name in _STORED if fields[name] != _default(name)}
    urls = record.texts("member_urls")
    problems += filter(None, map(_bad_url, urls))
    return Row(
        group=True,
        uuid=record.uuid,
        dn=record.dn,
        flags=flags,
        address=addresses[0] if addresses else "",
        addresses=addresses,
        logins=(),
        body=_json([fields["name"], addresses, kept]),
        outside=_json(outside) if outside else None,
        urls=_json(urls) if urls else None,
        search_values=packed(record.values),
        listed=_listed(record, (*addresses, str(fields["description"] or ""))),
        names=_names(record),
        member_of=record.names.get("member_of", ()),
        problems=tuple(problems),
    )


def _group_flags(record: Record) -> int:
    fields = record.fields
    shut = fields["require_authentication"]
    said = {
        MODERATED: fields["moderated"],
        OPEN: not (shut or fields["moderated"] or fields["allowed_addresses"]),
        RULED: _is_ruled(record),
        EXTERNAL: not shut or fields["external_senders"],
        HIDDEN: fields["hidden"],
        STOPPED: not fields["enabled"],
        JOINABLE: fields["join_policy"] != JoinPolicy.CLOSED,
    }
    return sum(flag for flag, true in said.items() if true)


def _is_ruled(record: Record) -> bool:
    """Tell whether a group takes anything else than every authenticated sender's mail of any size."""
    fields = record.fields
    return (
        not fields["enabled"]
        or not fields["require_authentication"]
        or fields["max_size"] is not None
        or bool(fields["external_senders"] or fields["allowed_addresses"] or record.names.get("allowed"))
    )


def _bad_url(text: str) -> Problem | None:
    try:
        parse_url(text)
    except UrlError as error:
        return Problem(Kind.BAD_URL, "memberURL", text[:200], kept(error))
    return None


def _outside(record: Record, own: frozenset[str], problems: list[Problem]) -> Iterable[str]:
    for text in record.texts("member_addresses"):
        address = deliverable(text, own)
        if address is None:
            expected = worded(marked("expected an address that mail can be sent to"))
            problems.append(Problem(Kind.BAD_ADDRESS, worded(marked("member address")), text[:100], expected))
        else:
            yield address


def _listed(record: Record, further: tuple[str, ...]) -> str:
    name = str(record.fields["name"] or "")
    lines = dict.fromkeys(filter(None, (name, *further)))
    return folded("\n".join(lines))


def _names(record: Record) -> dict[int, tuple[str, ...]]:
    return {LINKS[field]: dns for field, dns in record.names.items() if field in LINKS}


def _default(name: str) -> object:
    return {Form.PATTERNS: (), Form.LANGUAGES: {}}.get(GROUP[name].form, GROUP[name].absent)


_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def _json(value: object) -> str:
    return _ENCODE(value)


def packed(values: Values) -> str:
    """Return prepared values as one text; they hold no control characters, which `filter.prepared` takes out."""
    return "\x1e".join(["\x1f".join((name, *texts)) for name, texts in values.items()])


def unpacked(text: str) -> dict[str, tuple[str, ...]]:
    """Return what `packed` has packed."""
    parts = [part.split("\x1f") for part in text.split("\x1e")]
    return {part[0]: tuple(part[1:]) for part in parts}


def listed(body: str, *, group: bool) -> tuple[list[str], list[str]]:
    """Return the canonical addresses and the logins that a stored body has claimed."""
    content = json.loads(body)
    return (content[1], []) if group else (content[2], content[3])


def person(node: int, flags: int, address: str, uuid: str, dn: str, body: str) -> Person:
    """Return the person of a row."""
    name, language, addresses, logins, changed = json.loads(body)
    return Person(
        Node(node),
        uuid,
        dn,
        name,
        address,
        tuple(addresses),
        tuple(logins),
        language,
        bool(flags & DISABLED),
        changed,
    )


def group(node: int, version: int, uuid: str, dn: str, body: str, rights: Iterable[tuple[int, int]]) -> Group:
    """Return the group of a row and its links (field, target)."""
    name, addresses, kept = json.loads(body)
    targets: dict[int, set[Node]] = {}
    for number, target in rights:
        targets.setdefault(number, set()).add(Node(target))
    fields: dict[str, Any] = {field: _typed(field, value) for field, value in kept.items()}
    fields |= {
        field: frozenset(targets[number])
        for field, number in RIGHTS.items()
        if number in targets and field != "excluded"
    }
    return Group(
        node=Node(node),
        uuid=uuid,
        dn=dn,
        version=version,
        name=name,
        address=addresses[0] if addresses else "",
        aliases=tuple(addresses[1:]),
        **fields,
    )


def _typed(field: str, value: object) -> object:
    if field in _WORDS:
        return _WORDS[field](value)
    if field in _PATTERNS and isinstance(value, list):
        return tuple(read for read in map(pattern, value) if read is not None)
    return value
