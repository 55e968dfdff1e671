"""What people paste to name members: addresses, names, log-ins, DNs, several to a line; each is somebody or a question.

Asked of the directory itself (`AddressBook`), which raises where it can't be asked. Nothing is written here, and
nothing that was pasted is left out: what nobody bears comes back as that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from groupmilter.mail.address import domain_of, strict
from groupmilter.membership.address_book import AddressBook, Known
from groupmilter.membership.wishes import is_name

Visible = Callable[[Known], bool]
Recognise = Callable[[str], Sequence[Known]]
"""Tells who may be meant by a part of a name, such as a surname."""

_BRACKETED = re.compile(r"<\s*([^<>\s]+@[^<>\s]+)\s*>")
_LONGEST = 500
_RECOGNISED = 100
"""Of more names at once none is taken by a part of it: each would be a search."""


class Outcome(StrEnum):
    """What somebody that was named turns out to be.

    ``OUTSIDER``: an address that nobody of the directory has, of a domain that isn't ours. ``SEVERAL``: more than one
    may be meant. ``NOBODY``: no such name, or an address of our own domains that nobody has.
    """

    KNOWN = "known"
    OUTSIDER = "outsider"
    SEVERAL = "several"
    NOBODY = "nobody"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Meant:
    """One of those that were named.

    :param written: as pasted. ``value``: what stands for him in a wish: a DN or an address; empty for a question.
    :param known: whom it can mean, of the directory.
    """

    written: str
    outcome: Outcome
    value: str = ""
    known: tuple[Known, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether there is nothing left to ask."""
        return bool(self.value)


def parted(text: str) -> tuple[str, ...]:
    """Return what was named, each once: by lines, semicolons and tabs, by commas where each part is an address."""
    return tuple(dict.fromkeys(filter(None, (part.strip(" ,") for part in _parts(text)))))


def _parts(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if is_name(line.strip()):
            yield line
            continue
        for piece in re.split(r"[;\t]", line):
            split = [part for part in piece.split(",") if part.strip()]
            yield from split if all("@" in part for part in split) else [piece]


def meant(
    book: AddressBook,
    own_domains: frozenset[str],
    written: Iterable[str],
    chosen: Mapping[str, str] | None = None,
    visible: Visible = lambda _: True,
    recognise: Recognise = lambda _: (),
) -> tuple[Meant, ...]:
    """Return whom each of those named means.

    :param chosen: for what could mean several, as written, the DN of the one that is meant.
    :param visible: whether somebody may be told of an entry; it is as if the others weren't there.
    :param recognise: is asked about names that nobody bears as they stand; one person whom it finds is meant.
    """
    every, settled = tuple(written), dict(chosen or {})
    book.having(set(filter(None, map(_address, every))))
    called = _called(book, (each for each in every if each not in settled), visible)
    found: dict[str, Meant] = {}
    for each in every:
        one = _one(book, own_domains, each, settled, called, visible)
        parts = _commas(each) if one.outcome is Outcome.NOBODY and not is_name(each) else ()
        if one.outcome is Outcome.NOBODY and len(every) <= _RECOGNISED and _is_a_name(each):
            one = _recognised(book, each, recognise, visible)
        for several in _apart(book, own_domains, parts, visible) or (one,):
            found.setdefault(several.written, several)
    return tuple(found.values())


def _is_a_name(written: str) -> bool:
    return not _address(written) and not is_name(written) and len(written) <= _LONGEST


def _recognised(book: AddressBook, written: str, recognise: Recognise, visible: Visible) -> Meant:
    found = tuple(recognise(written))
    if len(found) > 1:
        return Meant(written, Outcome.SEVERAL, "", found)
    persons = [each for each in found if not each.group]
    return _at(book, written, persons[0].dn, visible) if persons else Meant(written, Outcome.NOBODY)


def _called(book: AddressBook, written: Iterable[str], visible: Visible) -> Mapping[str, tuple[Known, ...]]:
    """Return who bears each of those that are names."""
    names = list(filter(_is_a_name, written))
    return {name: tuple(filter(visible, known)) for name, known in book.called(names).items()}


def _one(
    book: AddressBook,
    own_domains: frozenset[str],
    written: str,
    settled: Mapping[str, str],
    called: Mapping[str, tuple[Known, ...]],
    visible: Visible,
) -> Meant:
    if written in settled or is_name(written):
        return _at(book, written, settled.get(written, written), visible)
    if address := _address(written):
        return _having(book, own_domains, written, address, visible)
    return _one_of(written, called.get(written, ()))


def _commas(written: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, written.split(",")))) if len(written) <= _LONGEST else ()


def _apart(
    book: AddressBook, own_domains: frozenset[str], parts: tuple[str, ...], visible: Visible
) -> tuple[Meant, ...]:
    """Return whom ``Dupont, Jean`` means where nobody is called that: Jean Dupont, or each part; else none.

    A surname before a first name is one person, even where both words are log-ins of others.
    """
    if len(parts) < 2:
        return ()
    turned = f"{parts[1]} {parts[0]}" if len(parts) == 2 else ""
    called = _called(book, filter(None, (*parts, turned)), visible)
    if called.get(turned):
        return (_one_of(", ".join(parts), called[turned]),)
    found = tuple(_one(book, own_domains, part, {}, called, visible) for part in parts)
    return found if all(one.settled or one.known for one in found) else ()


def _address(written: str) -> str:
    """Return the address in what was written, empty where there is none: ``Jean Dupont <jean@example.org>``."""
    if is_name(written):
        return ""
    bracketed = _BRACKETED.search(written)
    if bracketed is not None:
        return bracketed[1]
    plain = written.removeprefix("mailto:").strip("<> ")
    return plain if "@" in plain and " " not in plain else ""


def _at(book: AddressBook, written: str, dn: str, visible: Visible) -> Meant:
    known = book.named([dn])[dn]
    return _one_of(written, () if known is None or not visible(known) else (known,))


def _having(
    book: AddressBook, own_domains: frozenset[str], written: str, address: str, visible: Visible
) -> Meant:
    having = book.having([address])[address]
    # A group comes before persons who have its address, so nobody of them is meant where it may not be told of.
    found = tuple(each for each in having if each.group) or having
    shown = tuple(filter(visible, found))
    if shown:
        return _one_of(written, shown)
    if strict(address) is None:
        return Meant(written, Outcome.UNREADABLE)
    if found or domain_of(book.key(address)) in own_domains:
        return Meant(written, Outcome.NOBODY)
    return Meant(written, Outcome.OUTSIDER, address)


def _one_of(written: str, found: tuple[Known, ...]) -> Meant:
    if len(found) == 1:
        return Meant(written, Outcome.KNOWN, found[0].dn, found)
    return Meant(written, Outcome.SEVERAL if found else Outcome.NOBODY, "", found)
