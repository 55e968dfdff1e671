"""LDAP's requests that write, as octets, and the object classes that a server's schema offers. Pure.

Sources: RFC 4511 sections 4.1.9 (results), 4.6 (modify), 4.7 (add), 4.8 (delete) and 5.1 (BER), RFC 4528 (assertion
control), RFC 4370 (proxied authorization), RFC 4512 section 4.1.1 (object class descriptions).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from groupmilter.directory.ldap_messages import SearchControl, elements, tlv

MODIFIED = 0x67
ADDED = 0x69
DELETED = 0x6B
ASSERTION = "1.3.6.1.1.12"
PROXIED_AUTHORIZATION = "2.16.840.1.113730.3.4.18"

_SEQUENCE, _SET, _BOOLEAN, _INTEGER, _OCTETS, _ENUMERATED = 0x30, 0x31, 0x01, 0x02, 0x04, 0x0A
_CONTROLS = 0xA0
_MODIFY, _ADD, _DELETE = 0x66, 0x68, 0x4A
_AND, _OR, _EQUALITY_MATCH = 0xA0, 0xA1, 0xA3
_REFERRAL = 0xA3

Alternatives = Sequence[tuple[str, bytes]]
"""Attributes, each with a value: one of them has to have its value."""

_QUOTED = re.compile(r"'([^']*)'")
_MAY = re.compile(r"\b(?:MAY|MUST)\s+(?:\(([^)]*)\)|([\w.;-]+))")


class Operation(IntEnum):
    """What becomes of the values of a modification, as RFC 4511 numbers it; nothing is ever replaced as a whole."""

    ADD = 0
    DELETE = 1


@dataclass(frozen=True, slots=True)
class Modification:
    """Values that come to one attribute of an entry, or leave it; what else it holds stays."""

    operation: Operation
    attribute: str
    values: tuple[bytes, ...]


def modify_request(
    number: int, dn: str, modifications: Sequence[Modification], controls: Sequence[SearchControl] = ()
) -> bytes:
    """Encode a modify request: all of it happens, or nothing."""
    changes = b"".join(
        tlv(_SEQUENCE, tlv(_ENUMERATED, bytes((each.operation,))) + _attribute(each.attribute, each.values))
        for each in modifications
    )
    operation = tlv(_MODIFY, tlv(_OCTETS, dn.encode()) + tlv(_SEQUENCE, changes))
    return enveloped(number, operation, controls)


def add_request(
    number: int, dn: str, attributes: Mapping[str, Sequence[bytes]], controls: Sequence[SearchControl] = ()
) -> bytes:
    """Encode an add request for an entry with these attributes."""
    content = b"".join(_attribute(name, values) for name, values in attributes.items())
    operation = tlv(_ADD, tlv(_OCTETS, dn.encode()) + tlv(_SEQUENCE, content))
    return enveloped(number, operation, controls)


def delete_request(number: int, dn: str, controls: Sequence[SearchControl] = ()) -> bytes:
    """Encode a delete request."""
    return enveloped(number, tlv(_DELETE, dn.encode()), controls)


def assertion(conditions: Sequence[Alternatives]) -> SearchControl:
    """Return the control that lets an operation happen only while conditions hold (RFC 4528).

    :param conditions: at least one; each holds while one of its attributes has the value with it.
    """
    each = [_either(alternatives) for alternatives in conditions]
    return (ASSERTION, True, each[0] if len(each) == 1 else tlv(_AND, b"".join(each)))


def _either(alternatives: Alternatives) -> bytes:
    each = [
        tlv(_EQUALITY_MATCH, tlv(_OCTETS, attribute.encode()) + tlv(_OCTETS, value))
        for attribute, value in alternatives
    ]
    return each[0] if len(each) == 1 else tlv(_OR, b"".join(each))


def acting_for(dn: str) -> SearchControl:
    """Return the control that lets an operation bear somebody else's name, and count by his rights (RFC 4370)."""
    return (PROXIED_AUTHORIZATION, True, f"dn:{dn}".encode())


def referral(body: bytes) -> str:
    """Return where a result refers to, empty where it refers nowhere (RFC 4511 section 4.1.10)."""
    for tag, start, end in elements(body, 0, len(body)):
        if tag == _REFERRAL:
            return ", ".join(body[s:e].decode("utf-8", "replace") for _, s, e in elements(body, start, end))
    return ""


def enveloped(number: int, operation: bytes, controls: Sequence[SearchControl] = ()) -> bytes:
    """Encode a message around an operation (RFC 4511 section 4.1.1)."""
    # A positive INTEGER whose first bit is set takes one octet more (X.690 section 8.3).
    digits = number.to_bytes(number.bit_length() // 8 + 1, "big")
    carried = b"".join(map(_control, controls))
    return tlv(_SEQUENCE, tlv(_INTEGER, digits) + operation + (tlv(_CONTROLS, carried) if carried else b""))


def _control(control: SearchControl) -> bytes:
    oid, critical, value = control
    parts = tlv(_OCTETS, oid.encode()) + tlv(_BOOLEAN, b"\xff" if critical else b"\x00")
    return tlv(_SEQUENCE, parts + (b"" if value is None else tlv(_OCTETS, value)))


def _attribute(name: str, values: Iterable[bytes]) -> bytes:
    held = b"".join(tlv(_OCTETS, value) for value in values)
    return tlv(_SEQUENCE, tlv(_OCTETS, name.encode()) + tlv(_SET, held))


def classes_with(attribute: str, descriptions: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the auxiliary classes that may hold an attribute.

    :param descriptions: values of ``objectClasses`` of the server's subschema.
    """
    wanted = attribute.lower()
    return tuple(
        name.group(1)
        for text in descriptions
        if "AUXILIARY" in _QUOTED.sub("", text).split() and wanted in _attributes(text)
        if (name := _QUOTED.search(text)) is not None
    )


def _attributes(description: str) -> set[str]:
    lists = (listed or single for listed, single in _MAY.findall(_QUOTED.sub("", description)))
    return {name.strip().lower() for names in lists for name in names.split("$")}
