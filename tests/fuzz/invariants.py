"""What has to hold for any octets at all: one function for each target of the fuzzer, which raises where it doesn't.

More than that nothing breaks: no author from nowhere, no ticket that nobody has sealed, no field believed that wouldn't
be taken for a forgery, no policy file that ends in anything but its values or its errors. `AssertionError` is a
finding, and so is any other exception.
"""

from __future__ import annotations

import email.policy
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.headerregistry import AddressHeader
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from groupmilter.authentication.results import FIELD, believed, forged
from groupmilter.authentication.signature import covered, flaw, signatures, tag_list
from groupmilter.config.load import ConfigurationError
from groupmilter.config.policies import merge, read_policy
from groupmilter.groups.ticket import (
    BOUNCE_LENGTH,
    Action,
    Keys,
    Kind,
    Ticket,
    Token,
    key_id,
    seal,
    seal_token,
    unseal,
    unseal_token,
)
from groupmilter.mail.address import canonical, path, pattern, strict, unmistakable, xtext
from groupmilter.mail.content import ContentDigest, content_digest, parted
from groupmilter.mail.header import keyword, mailboxes, mentioned, signed_fields
from groupmilter.mail.words import decoded, encoded
from groupmilter.moderation.arrival import automatic, read_arrival
from groupmilter.moderation.attaching import attachment_names, why_not_attached
from groupmilter.moderation.excerpt import excerpt
from groupmilter.moderation.quoting import own_text
from groupmilter.mta.reading import authors
from groupmilter.policy.settings import Settings

Target = Callable[[bytes], None]

KEYS = Keys({1: b"k" * 32, 2: b"l" * 32}, 1)
OWN = frozenset({"own.example"})
RELAYS = frozenset({"relay.example"})
SECONDS = 2.0
"""CPU time that one input may take, of at most some kilobytes."""

_SPECIALS = frozenset(' \t\r\n<>()[]:;@\\,"\0')
_ORACLE = 400


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def header(octets: bytes) -> None:
    """From and its like: what is read reads as itself, stood there, and is what Python's parser sees."""
    field = _text(octets)
    read = mailboxes(field)
    if read is not None:
        assert read
        assert mailboxes(", ".join(read)) == read
        for address in read:
            local, _, domain = address.rpartition("@")
            assert strict(address) == address
            assert unmistakable(address)
            assert not _SPECIALS & set(local + domain)
            assert local in field
        assert authors((field, field), frozenset())[1] is False
        assert {address.lower() for address in read} == mentioned((field,))
        if len(read) == 1 and len(field) <= _ORACLE:
            _as_python_reads(field, read[0])
    assert len(keyword(field).split()) <= 1
    assert all(name == name.lower() for name in signed_fields((field,)))
    words = decoded(field)
    assert words is None or isinstance(words, str)


def _as_python_reads(field: str, address: str) -> None:
    plain = field.replace("\r\n", "").replace("\n", "").encode("utf-8", "replace").decode()
    # Python's own parser has inputs at which it stumbles; those say nothing.
    with suppress(AttributeError, IndexError, RecursionError):
        read = email.policy.default.header_factory("from", plain)
        assert isinstance(read, AddressHeader)
        assert [canonical(f"{one.username}@{one.domain}") for one in read.addresses] == [canonical(address)]


def address(octets: bytes) -> None:
    """Arguments of MAIL and RCPT, addresses of the directory, and patterns of rights."""
    text = _text(octets)
    argument, _, resolved = text.partition("\n")
    read = path(argument, OWN, resolved or None)
    if read is not None and read.canonical:
        assert read.received == argument
        # A canonical local part has no quotes around it; one that holds some reads as another.
        plain = not set('"\\ \t') & set(read.canonical)
        assert not plain or canonical(read.canonical, OWN) == read.canonical
        read.canonical.encode()
    checked = strict(argument)
    if checked is not None:
        assert strict(checked) == checked
        assert not _SPECIALS - {"@"} & set(checked)
        assert checked.count("@") == 1
        assert canonical(checked) == checked
        assert checked.rpartition("@")[0] == argument.partition("@")[0]
    right = pattern(argument)
    if right is not None:
        assert right.covers(right)
        # A local part that needs quotes is shown without them, and so is another one, or none.
        quoted = set('"\\') & set(str(right)) or any(c.isspace() for c in str(right))
        assert quoted or pattern(str(right)) == right
    assert xtext(argument).isascii()
    assert not set(xtext(argument)) & set(" \r\n=")


def token(octets: bytes) -> None:
    """Tickets and tokens: what nobody has sealed never opens, and what we seal opens unchanged or not at all."""
    text = _text(octets)
    if text.lower() not in _sealed_before():
        assert unseal(text, KEYS) is None
        assert unseal_token(text, KEYS) is None
        assert unseal(text, KEYS, octets) is None
    assert key_id(text) in {None, *range(16)}
    if len(octets) < 32:
        return
    numbers = [int.from_bytes(octets[at : at + 4], "big") for at in range(0, 32, 4)]
    ticket = Ticket(
        Kind(numbers[0] % 7 + 1), numbers[1], numbers[2], numbers[3] << 24 | numbers[4] >> 8, numbers[5],
        numbers[6] & 7, bool(numbers[6] & 8), numbers[7] & 0xFF, partly=bool(numbers[6] & 16),
    )  # fmt: skip
    sealed = seal(ticket, KEYS, octets[32:40])
    opened = unseal(sealed.upper(), KEYS, octets[32:40])
    assert opened is not None
    assert seal(opened, KEYS, octets[32:40]) == sealed
    if len(sealed) != BOUNCE_LENGTH:
        assert opened == ticket
    _is_not_opened(partial(unseal, keys=KEYS, content=octets[32:40]), sealed, octets)
    assert unseal(sealed, KEYS, octets[32:40] + b"x") is None
    answer = Token(
        Kind(6 + numbers[0] % 2), Action(numbers[0] % 3), numbers[1], ticket.group, numbers[3] << 20
    )
    written = seal_token(answer, KEYS)
    assert unseal_token(written, KEYS) == answer
    assert unseal(written, KEYS) is None
    _is_not_opened(partial(unseal_token, keys=KEYS), written, octets)


def _is_not_opened(opens: Callable[[str], object], sealed: str, octets: bytes) -> None:
    """One character changed for another."""
    at = octets[-1] % len(sealed)
    other = "abcdefghijklmnopqrstuvwxyz234567"[octets[-2] % 32]
    changed = f"{sealed[:at]}{other}{sealed[at + 1 :]}"
    assert changed == sealed or opens(changed) is None


def _sealed_before() -> frozenset[str]:
    return frozenset({TICKET, TOKEN})


TICKET = seal(Ticket(Kind.HOLD, 1_700_000_000, 7, 8, 9), KEYS)
TOKEN = seal_token(Token(Kind.ANSWER, Action.APPROVE, 1_700_000_000, 1, 2), KEYS)


def results(octets: bytes) -> None:
    """Authentication-Results: whatever would be believed of a relay is a forgery when another sends it."""
    values = octets.split(b"\n\n")
    fields = tuple((FIELD, value) for value in values)
    known = believed(fields, RELAYS)
    places = forged(fields, RELAYS, relay=False)
    assert list(places) == sorted(set(places), reverse=True)
    assert all(1 <= place <= len(fields) for place in places)
    assert not known or places
    left = tuple(field for place, field in enumerate(fields, 1) if place not in places)
    assert believed(left, RELAYS) == {}
    assert forged(left, RELAYS, relay=False) == ()
    assert believed(fields, frozenset()) == {}
    assert forged(fields, RELAYS, relay=True) == ()


def signature(octets: bytes) -> None:
    """DKIM-Signature fields: each that is read says where it stands, and covers nothing that isn't named."""
    fields = (
        *((b"DKIM-Signature", value) for value in octets.split(b"\n\n")),
        (b"From", b" x@outside.example"),
    )
    found = signatures(fields)
    assert [one.place for one in found] == sorted({one.place for one in found})
    for one in found:
        assert one.domain == one.domain.lower()
        assert covered(one, fields) <= set(one.names)
        assert flaw(one, 1_700_000_000.0) or "from" in one.names
    tags = tag_list(octets)
    assert tags is None or all(name and name.isascii() for name in tags)


def policy(octets: bytes) -> None:
    """Policy files: values, or all errors with their places, in bounded time."""
    began = process_time()
    with TemporaryDirectory(prefix="groupmilter-fuzz-") as folder:
        file = Path(folder) / "policy.yaml"
        file.write_bytes(octets)
        read = _settings(file)
    if isinstance(read, ConfigurationError):
        assert read.errors
        assert all(problem.text and str(problem) for problem in read.errors)
    else:
        assert read.own_domains == OWN
    assert process_time() - began < SECONDS


def _settings(file: Path) -> Settings | ConfigurationError:
    try:
        return merge(Settings(own_domains=OWN, service_domain="groups.own.example"), (read_policy(file),))
    except ConfigurationError as error:
        return error


def content(octets: bytes) -> None:
    """Messages as files: header and body come apart without loss, and chunks don't change a digest."""
    fields, body = parted(octets)
    head = b"".join(name + b":" + value + b"\n" for name, value in fields)
    assert (
        octets in {head + body, head + b"\n" + body, head + b"\r\n" + body, head[:-1] + body}
        or b"\r" in octets
    )
    taking = ContentDigest()
    for name, value in fields:
        taking.field(name, value)
    told = body.replace(b"\n", b"\r\n")
    for at in range(0, len(told), 7):
        taking.body(told[at : at + 7])
    assert taking.digest() == content_digest(octets)


def held(octets: bytes) -> None:
    """Held messages as the desk shows them: never an error, never an endless line, in bounded time."""
    began = process_time()
    lines, _ = excerpt(octets)
    assert all("\n" not in line and len(line) <= 1_100 for line in lines)
    assert all(len(name) <= 80 for name in attachment_names(octets))
    assert why_not_attached(octets, 1_000_000) in {"", "too-large", "program", "unfit"}
    arrival = read_arrival(octets, "file", KEYS, "groups.own.example")
    assert not arrival.ticket or arrival.ticket.lower() in _sealed_before()
    assert len(arrival.author) <= 200
    assert isinstance(automatic(octets), bool)
    assert len(own_text(octets)) <= 1_000
    assert all(encoded(line.encode("utf-8", "replace").decode()).isascii() for line in lines)
    assert process_time() - began < SECONDS


TARGETS: Mapping[str, Target] = {
    "address": address,
    "content": content,
    "header": header,
    "held": held,
    "policy": policy,
    "results": results,
    "signature": signature,
    "token": token,
}
"""By the names that the command takes."""
