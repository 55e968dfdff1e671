"""LDAP messages as octets: requests out (encoded by ldap3), responses in (a decoder of our own). Pure.

ldap3's response path turns each value into several Python objects, keeps whole result lists and drops the
result code on the way to "success"; loading a large directory through it costs minutes and memory. So
responses are cut here, straight from the octets (RFC 4511 section 4, BER with definite lengths as its section
5.1 asks), and raw values are all that is kept. Malformed octets raise `Incomplete`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ldap3.core.exceptions import LDAPExceptionError
from ldap3.operation.bind import bind_operation
from ldap3.operation.extended import extended_operation
from ldap3.operation.search import search_operation
from ldap3.protocol.convert import build_controls_list
from ldap3.protocol.rfc2696 import RealSearchControlValue
from ldap3.protocol.rfc4511 import LDAPMessage, MessageID, ProtocolOp
from ldap3.utils import asn1

from groupmilter.directory.ldap_settings import Incomplete, Unusable

PAGED_RESULTS = "1.2.840.113556.1.4.319"
NOTICE_OF_DISCONNECTION = b"1.3.6.1.4.1.1466.20036"
START_TLS = "1.3.6.1.4.1.1466.20037"

BOUND = 0x61
ENTRY = 0x64
DONE = 0x65
REFERENCE = 0x73
EXTENDED = 0x78
INTERMEDIATE = 0x79

_SEQUENCE = 0x30
_CONTROLS = 0xA0
_OCTETS = 0x04
_RESPONSE_NAME = 0x8A

Attributes = dict[str, tuple[bytes, ...]]
SearchControl = tuple[str, bool, bytes | None]
"""A request control: its OID, its criticality, its value."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search request (RFC 4511 section 4.5.1); aliases are never followed.

    :param scope: ``BASE``, ``LEVEL`` or ``SUBTREE``.
    :param time_limit: seconds that the server may take, 0 for its own limit.
    """

    base: str
    scope: str
    filter: str
    attributes: tuple[str, ...]
    time_limit: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One response, its operation still as octets.

    :param tag: the operation's BER tag: `ENTRY`, `DONE`, `REFERENCE`, `EXTENDED`, `INTERMEDIATE`.
    :param controls: response controls, OID to value.
    """

    number: int
    tag: int
    body: bytes
    controls: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """The common part of final responses: result code and diagnostic message (RFC 4511 section 4.1.9)."""

    code: int
    text: str


def element(octets: bytes, at: int, limit: int) -> tuple[int, int, int]:
    """Return tag, start and end of the BER element at `at`; `Incomplete` where it reaches past `limit`."""
    if at + 2 > limit:
        raise Incomplete("a BER element is cut")
    length, start = octets[at + 1], at + 2
    if length > 127:
        start += length & 127
        length = int.from_bytes(octets[at + 2 : start], "big")
    if start + length > limit or octets[at + 1] == 128:
        raise Incomplete("a BER element is longer than what holds it")
    return octets[at], start, start + length


def elements(octets: bytes, at: int, limit: int) -> Iterator[tuple[int, int, int]]:
    """Yield tag, start and end of the BER elements between two offsets."""
    while at < limit:
        found = element(octets, at, limit)
        yield found
        at = found[2]


def tlv(tag: int, value: bytes) -> bytes:
    """Return a BER element with a definite length."""
    length = len(value)
    if length < 128:
        return bytes((tag, length)) + value
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + value


def size_of(octets: bytes | bytearray) -> int | None:
    """Return how long the message is that these octets begin with, None where too few are there to tell."""
    if len(octets) < 2:
        return None
    if octets[0] != _SEQUENCE or octets[1] == 128:
        raise Incomplete("what the server sends is not LDAP")
    if octets[1] < 128:
        return 2 + octets[1]
    start = 2 + (octets[1] & 127)
    return None if len(octets) < start else start + int.from_bytes(octets[2:start], "big")


def message(octets: bytes) -> Message:
    """Cut one whole message into its parts."""
    _, start, limit = element(octets, 0, len(octets))
    _, number_start, number_end = element(octets, start, limit)
    tag, body_start, body_end = element(octets, number_end, limit)
    number = int.from_bytes(octets[number_start:number_end], "big", signed=True)
    body = octets[body_start:body_end]
    return Message(number, tag, body, _controls(octets, body_end, limit) if body_end < limit else {})


def _controls(octets: bytes, at: int, limit: int) -> dict[str, bytes]:
    tag, start, end = element(octets, at, limit)
    if tag != _CONTROLS:
        return {}
    found: dict[str, bytes] = {}
    for _, control_start, control_end in elements(octets, start, end):
        parts = [octets[s:e] for t, s, e in elements(octets, control_start, control_end) if t == _OCTETS]
        if parts:
            found[parts[0].decode("ascii", "replace")] = parts[1] if len(parts) > 1 else b""
    return found


def entry(body: bytes) -> tuple[str, Attributes]:
    """Return DN and attributes of a SearchResultEntry (RFC 4511 section 4.5.2); names in lower case."""
    limit = len(body)
    _, start, end = element(body, 0, limit)
    name = body[start:end].decode("utf-8", "replace")
    _, start, end = element(body, end, limit)
    attributes: Attributes = {}
    for _, at, until in elements(body, start, end):
        _, type_start, type_end = element(body, at, until)
        _, values_start, values_end = element(body, type_end, until)
        description = body[type_start:type_end].decode("utf-8", "replace").lower()
        attributes[description] = _values(body, values_start, values_end)
    return name, attributes


def _values(octets: bytes, at: int, limit: int) -> tuple[bytes, ...]:
    """Return the values of a SET OF OCTET STRING; the loop that the whole load spends its time in."""
    values: list[bytes] = []
    while at < limit:
        length = octets[at + 1] if at + 1 < limit else 128
        if length < 128:
            start = at + 2
            at = start + length
            if at > limit:
                raise Incomplete("a value is longer than its attribute")
        else:
            _, start, at = element(octets, at, limit)
        values.append(octets[start:at])
    return tuple(values)


def result(body: bytes) -> Result:
    """Return result code and diagnostic message of an LDAPResult."""
    parts = [body[start:end] for _, start, end in elements(body, 0, len(body))]
    if len(parts) < 3:
        raise Incomplete("a result is cut")
    return Result(int.from_bytes(parts[0], "big"), parts[2].decode("utf-8", "replace"))


def is_disconnection(received: Message) -> bool:
    """Tell whether a message is the notice of disconnection (RFC 4511 section 4.4.1)."""
    if received.number != 0 or received.tag != EXTENDED:
        return False
    parts = elements(received.body, 0, len(received.body))
    return any(received.body[s:e] == NOTICE_OF_DISCONNECTION for t, s, e in parts if t == _RESPONSE_NAME)


def paged_control(size: int, cookie: bytes) -> SearchControl:
    """Return the simple paged results control (RFC 2696), critical: a server that can't must say so."""
    value = RealSearchControlValue()
    value["size"] = size
    value["cookie"] = cookie
    return (PAGED_RESULTS, True, _encoded(value))


def paged_cookie(value: bytes) -> bytes:
    """Return the cookie of a paged results response control; empty after the last page."""
    _, start, end = element(value, 0, len(value))
    parts = [value[s:e] for _, s, e in elements(value, start, end)]
    if len(parts) != 2:
        raise Incomplete("the paged results control is malformed")
    return parts[1]


def search_request(number: int, search: Search, controls: Sequence[SearchControl] = ()) -> bytes:
    """Encode a search; `Unusable` where filter or scope can't be read as such."""
    try:
        request = search_operation(
            search.base,
            search.filter,
            search.scope,
            "NEVER",
            list(search.attributes) or ["1.1"],
            size_limit=0,
            time_limit=search.time_limit,
            types_only=False,
            auto_escape=True,
            auto_encode=False,
        )
    except LDAPExceptionError as error:
        raise Unusable(f"the search filter {search.filter!r} is not usable: {error}") from error
    return _request(number, "searchRequest", request, controls)


def bind_request(number: int, bind_dn: str, password: str) -> bytes:
    """Encode a simple bind, an anonymous one where the DN is empty (RFC 4511 section 4.2)."""
    kind = "SIMPLE" if bind_dn else "ANONYMOUS"
    operation = bind_operation(3, kind, bind_dn, password if bind_dn else "", auto_encode=True)
    return _request(number, "bindRequest", operation, ())


def start_tls_request(number: int) -> bytes:
    """Encode the request to begin TLS on this connection (RFC 4511 section 4.14)."""
    return _request(number, "extendedReq", extended_operation(START_TLS), ())


def _request(number: int, name: str, operation: object, controls: Sequence[SearchControl]) -> bytes:
    envelope = LDAPMessage()
    envelope["messageID"] = MessageID(number)
    envelope["protocolOp"] = ProtocolOp().setComponentByName(name, operation)
    built = build_controls_list(list(controls))
    if built is not None:
        envelope["controls"] = built
    return _encoded(envelope)


def _encoded(value: object) -> bytes:
    # ldap3's own encoder, which writes TRUE as RFC 4511 section 5.1 wants it; its type stubs don't know it.
    encode: Callable[[object], bytes] = vars(asn1)["encode"]
    return bytes(encode(value))
