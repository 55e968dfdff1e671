"""Which of some values an entry holds, without its other values (RFC 3876, matched values). Pure.

OpenLDAP offers the control; where a server doesn't, each value is asked about by a search of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from groupmilter.directory.ldap_messages import SearchControl, tlv

MATCHED_VALUES = "1.2.826.0.1.3344810.2.3"

_SEQUENCE, _OCTETS, _EQUALITY_MATCH = 0x30, 0x04, 0xA3


def matched_values(wanted: Mapping[str, Sequence[bytes]]) -> SearchControl:
    """Return the control that lets a search show only these values of these attributes."""
    items = b"".join(_equal(name, value) for name, values in wanted.items() for value in values)
    return (MATCHED_VALUES, True, tlv(_SEQUENCE, items))


def _equal(attribute: str, value: bytes) -> bytes:
    return tlv(_EQUALITY_MATCH, tlv(_OCTETS, attribute.encode()) + tlv(_OCTETS, value))


def is_value(attribute: str, value: bytes) -> str:
    """Return the filter that an entry with a value meets (RFC 4515); the value may be any octets."""
    return f"({attribute}={''.join(f'{chr(92)}{octet:02x}' for octet in value)})"
