"""LDIF content records (RFC 2849) as entries: the directory for trying things out and for policy tests.

Read here rather than by a library: the one on PyPI tells no line numbers, accepts change records as content
and can be asked to fetch URLs. What is not plain content is `LdifError` with file and line; nothing is
skipped silently.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from groupmilter.directory.dn import normalise, within
from groupmilter.directory.entry import Entry

_DESCRIPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?:;[A-Za-z0-9-]+)*")
Line = tuple[int, str, bytes]


class LdifError(Exception):
    """The file is no usable LDIF; the message begins with ``file:line:``."""


def read_file(path: Path, base: str = "") -> Iterator[Entry]:
    """Yield the entries of a file at or below a base DN; raise `LdifError`, also where it can't be read."""
    try:
        with path.open("rb") as lines:
            yield from read(lines, str(path), base)
    except OSError as error:
        raise LdifError(f"{path}: {error.strerror}") from error


def read(lines: Iterable[bytes], where: str, base: str = "") -> Iterator[Entry]:
    """Yield the entries at or below a base DN (empty: all).

    :param where: the name that errors begin with.
    The UUID is ``entryUUID`` where the file has it, else a digest of the DN. A DN given twice is an error.
    """
    suffix = normalise(base)
    if suffix is None:
        raise LdifError(f"{where}: {base!r} is no distinguished name")
    seen: dict[str, int] = {}
    for record in _records(_unfolded(lines, where), where):
        number, entry, name = _entry(record, where)
        if name in seen:
            raise _error(where, number, f"{entry.dn} stands in line {seen[name]} already")
        seen[name] = number
        if within(name, suffix):
            yield entry


def _error(where: str, number: int, text: str) -> LdifError:
    return LdifError(f"{where}:{number}: {text}")


def _unfolded(lines: Iterable[bytes], where: str) -> Iterator[tuple[int, bytes]]:
    """Join lines that begin with one space to the one before; drop comments with their continuations."""
    first, whole = 0, bytearray()
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip(b"\r\n")
        if line.startswith(b" "):
            if not whole:
                raise _error(where, number, "a continuation line with nothing to continue")
            whole += line[1:]
            continue
        if first and not whole.startswith(b"#"):
            yield first, bytes(whole)
        first, whole = number, bytearray(line)
    if first and not whole.startswith(b"#"):
        yield first, bytes(whole)


def _records(lines: Iterable[tuple[int, bytes]], where: str) -> Iterator[list[Line]]:
    record: list[Line] = []
    fresh = True
    for number, line in lines:
        if not line:
            if record:
                yield record
            record = []
            continue
        name, value = _attribute(line, number, where)
        if fresh and name == "version":
            if value != b"1":
                raise _error(where, number, "only LDIF version 1 is known")
        else:
            record.append((number, name, value))
        fresh = False
    if record:
        yield record


def _attribute(line: bytes, number: int, where: str) -> tuple[str, bytes]:
    name, colon, value = line.partition(b":")
    text = name.decode("ascii", "replace")
    if not colon or not _DESCRIPTION.fullmatch(text):
        raise _error(where, number, "'attribute: value' expected")
    if value.startswith(b"<"):
        raise _error(where, number, f"{text}: values by URL (':<') are not read")
    if not value.startswith(b":"):
        return text.lower(), value.lstrip(b" ")
    try:
        return text.lower(), base64.b64decode(value[1:].strip(b" "), validate=True)
    except binascii.Error as error:
        raise _error(where, number, f"{text}: no base64 ({error})") from error


def _entry(record: list[Line], where: str) -> tuple[int, Entry, str]:
    number, name, value = record[0]
    if name != "dn":
        raise _error(where, number, f"a record begins with 'dn:', not with {name!r}")
    found: dict[str, list[bytes]] = defaultdict(list)
    for line, attribute, content in record[1:]:
        if attribute in ("changetype", "control"):
            raise _error(where, line, "change records are not read, only content")
        if attribute == "dn":
            raise _error(where, line, "a second 'dn:' without an empty line before it")
        found[attribute].append(content)
    attributes = {attribute: tuple(values) for attribute, values in found.items()}
    dn, normalised = _name(value, number, where)
    given = attributes.get("entryuuid", (b"",))[0].decode("ascii", "replace").strip().lower()
    return number, Entry(given or _digest(normalised), dn, attributes), normalised


def _name(value: bytes, number: int, where: str) -> tuple[str, str]:
    try:
        dn = value.decode("utf-8").strip(" ")
    except UnicodeDecodeError as error:
        raise _error(where, number, "the DN is no UTF-8") from error
    normalised = normalise(dn)
    if not normalised:
        raise _error(where, number, f"{dn!r} is no distinguished name")
    return dn, normalised


def _digest(normalised: str) -> str:
    """Return a stand-in for an entryUUID, in its form, that stays the same as long as the DN does."""
    text = hashlib.sha256(normalised.encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
