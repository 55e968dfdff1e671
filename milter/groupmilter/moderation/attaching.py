"""Whether a held message may come with a letter, and which files it holds. Pure; never raises.

What may hold a program is not sent on: a moderator opens what he is asked about. Names are read as the systems on
which programs run read them, archives by their list of names. Source: RFC 2046 section 5.2.1: message/rfc822 is
carried as 7bit or 8bit only.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from email.message import Message
from itertools import islice

from groupmilter.mail.shown import shown
from groupmilter.mail.words import decoded, in_charset
from groupmilter.moderation.reading import parts_of

_SUFFIXES = """
    ade adp apk appimage application appref-ms appx appxbundle bash bat bin cab chm cmd com command cpl csh deb diagcab
    dll dmg docm dotm elf exe gadget grp hlp hta img inf ins iso isp jar jnlp js jse ksh lib library-ms lnk mad maf mam
    mda mdb mde mdt mdw mdz mht mhtml msc msh msi msix msixbundle msp mst nsh one onepkg osd pif pkg pl plg potm ppam
    ppsm pptm prf prg ps1 ps1xml ps2 psc1 psc2 psd1 psm1 py pyc pyo pyw reg rpm run scf scpt scr sct search-ms
    settingcontent-ms sh shb shs sldm slk so sys theme url vb vbe vbp vbs vhd vhdx vsmacros vsw vxd webloc website
    workflow ws wsc wsf wsh xbap xlam xlm xlsb xlsm xll xltm xnk zsh
"""
_TYPES = """
    application/bat application/hta application/java-archive application/javascript application/ms-tnef
    application/vnd.android.package-archive application/vnd.microsoft.portable-executable application/vnd.ms-tnef
    application/x-bat application/x-dosexec application/x-executable application/x-javascript
    application/x-ms-application application/x-ms-shortcut application/x-msdos-program application/x-msdownload
    application/x-msi application/x-sh application/x-shellscript message/external-body message/partial
    text/javascript text/x-python text/x-shellscript text/x-sh
"""
_PROGRAMS = frozenset(_SUFFIXES.split())
_PROGRAM_TYPES = frozenset(_TYPES.split())
_BEGINNINGS = (
    b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"L\0\0\0\x01\x14\x02\0",
)  # fmt: skip
_ZIP = b"PK\x03\x04"
_UNLISTED = (zipfile.BadZipFile, struct.error, ValueError, LookupError, OSError, RuntimeError, EOFError)
_MOST_NAMES = 2_000
_UNREADABLE = "?"
"""Stands for a name of which nobody can say how a mail program reads it."""

_UUENCODED = re.compile(rb"^begin(?:-base64)? [0-7]{3,4} ([^\r\n]{1,200})", re.MULTILINE)
_NAMING = re.compile(
    rb"^content-(disposition|type)[ \t]*:((?:[^\n]|\n[ \t]){0,5000})", re.IGNORECASE | re.MULTILINE
)
_MOST_VALUE = 4096
_LONGEST_LINE = 998


def why_not_attached(message: bytes, largest: int) -> str:
    """Return why a message isn't attached: ``too-large``, ``program``, ``unfit``; empty where it may be."""
    if len(message) > largest:
        return "too-large"
    if b"\0" in message or b"\r" in message or _has_long_line(message):
        return "unfit"
    parts = parts_of(message)
    if parts is None or sum(1 for _ in _NAMING.finditer(message)) > _MOST_NAMES:
        return "unfit"
    names = tuple(_all_names(message))
    if any(map(_runs, names)) or any(map(_program, parts)):
        return "program"
    return "unfit" if _UNREADABLE in names else ""


def _has_long_line(message: bytes) -> bool:
    return any(len(line) > _LONGEST_LINE for line in message.split(b"\n"))


def attachment_names(message: bytes) -> tuple[str, ...]:
    """Return the names of the files that a message holds, the first twenty, as text for people."""
    return tuple(islice(dict.fromkeys(shown(name, 80) for name in _all_names(message)), 20))


def _all_names(message: bytes) -> Iterator[str]:
    """Yield what a message calls its files, wherever in it a field names one.

    Mail programs differ in how they take a message apart, so its structure isn't asked.
    """
    for field in islice(_NAMING.finditer(message), _MOST_NAMES):
        yield from _names(field[1].lower(), field[2])
    for name in islice(_UUENCODED.finditer(message), _MOST_NAMES):
        yield name[1].decode("utf-8", "replace")


def _names(field: bytes, value: bytes) -> list[str]:
    """Return the names in a field: programs differ in which of them they take."""
    if len(value) > _MOST_VALUE:
        return [_UNREADABLE]
    made = Message()
    made["content-type"] = value.decode("utf-8", "replace")
    parameters = ("filename", "name") if field == b"disposition" else ("name",)
    names = []
    for parameter in parameters:
        try:
            given = made.get_param(parameter)
            text = _in_its_charset(given) if isinstance(given, tuple) else _unencoded(given or "")
        except (ValueError, LookupError, TypeError, AttributeError):
            text = _UNREADABLE
        names += [text] if text.strip() else []
    return names


def _in_its_charset(value: tuple[str | None, str | None, str]) -> str:
    """Return a parameter of RFC 2231: charset, language, octets as Latin-1."""
    charset, _, text = value
    return in_charset(text.encode("latin-1", "replace"), charset)


def _unencoded(name: str) -> str:
    """Return a name without encoded words, which many programs put into a parameter against RFC 2047 section 5."""
    read = decoded(name)
    return _UNREADABLE if read is None else read


def _program(part: Message) -> bool:
    if part.get_content_type() in _PROGRAM_TYPES:
        return True
    if part.is_multipart() or part.get_content_type() in {"text/plain", "text/html"}:
        return False
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AttributeError):
        return True
    octets = payload if isinstance(payload, bytes) else b""
    return octets.startswith(_BEGINNINGS) or (octets.startswith(_ZIP) and _packs_program(octets))


def _runs(name: str) -> bool:
    """Tell whether a file of this name is a program somewhere."""
    # Trailing dots, blanks and what can't be seen are dropped by the systems on which programs run by their name.
    seen = "".join(c for c in name.lower() if c.isprintable() and ord(c) != 0xFFFD).rstrip(". ")
    _, dot, suffix = seen.rpartition(".")
    return bool(dot) and suffix.strip() in _PROGRAMS


def _packs_program(octets: bytes) -> bool:
    """Tell whether a ZIP archive lists a program; one that can't be listed counts as such."""
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            names = archive.namelist()
    except _UNLISTED:
        return True
    macros = any(name.endswith("vbaProject.bin") for name in names)
    return len(names) > _MOST_NAMES or macros or any(map(_runs, names))
