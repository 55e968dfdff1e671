"""LDAP's modify request as octets, and the object classes that a server's schema offers. Pure.

Sources: RFC 4511 section 4.6 (modify) and 5.1 (BER), RFC 4512 section 4.1.1 (object class descriptions).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from groupmilter.directory.ldap_messages import tlv

MODIFIED = 0x67

_SEQUENCE, _SET, _INTEGER, _OCTETS, _ENUMERATED = 0x30, 0x31, 0x02, 0x04, 0x0A
_MODIFY = 0x66
_ADD = b"\x00"
_QUOTED = re.compile(r"'([^']*)'")
_MAY = re.compile(r"\b(?:MAY|MUST)\s+(?:\(([^)]*)\)|([\w.;-]+))")


@dataclass(frozen=True, slots=True)
class Addition:
    """Values to be added to one attribute of an entry; what else it holds stays."""

    attribute: str
    values: tuple[str, ...]


def modify_request(number: int, dn: str, additions: Sequence[Addition]) -> bytes:
    """Encode a modify request that adds values, all of them or none."""
    changes = b"".join(map(_change, additions))
    operation = tlv(_MODIFY, tlv(_OCTETS, dn.encode()) + tlv(_SEQUENCE, changes))
    # A positive INTEGER whose first bit is set takes one octet more (X.690 section 8.3).
    digits = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return tlv(_SEQUENCE, tlv(_INTEGER, digits) + operation)


def _change(addition: Addition) -> bytes:
    values = b"".join(tlv(_OCTETS, value.encode()) for value in addition.values)
    attribute = tlv(_OCTETS, addition.attribute.encode()) + tlv(_SET, values)
    return tlv(_SEQUENCE, tlv(_ENUMERATED, _ADD) + tlv(_SEQUENCE, attribute))


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
