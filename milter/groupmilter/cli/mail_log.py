"""Following one mail through logs: Postfix's, from queue id to queue id, and groupmilter's own lines about it. Pure.

A queue id may be used again for another mail once the first is removed, so lines of one id are cut there into lives,
and only the lives that have to do with the mail are shown. What has to do with it: the same Message-ID, a queue id that
was asked for, "queued as" (the next queue id, or the one before), a notification about it. Found ids are looked for
again, until a whole reading finds no new one; only lines that name a known id are ever kept.

Sources: Postfix's logging as of 3.7 (cleanup(8), qmgr(8), smtp(8), bounce(8)); postconf(5), enable_long_queue_ids.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from groupmilter.mail.queue_id import QUEUE_ID

_ID = QUEUE_ID.pattern
_OF_POSTFIX = re.compile(rf"\[\d+\]: (?P<id>{_ID}): (?P<rest>.*)")
_NEXT = re.compile(rf"queued as ({_ID})\b")
_NOTICE = re.compile(rf"^sender (?:non-delivery|delivery status|delay) notification: ({_ID})$")
_MESSAGE_ID = re.compile(r"(?:resent-)?message-id=(<[^>]*>|\S+)")
_QUEUE_ID_OF_OURS = re.compile(rf'\bqueue_id"?[=:]\s*"?({_ID})\b')
_ITEM = re.compile(r'\bitem"?[=:]\s*"?([a-z0-9]{10})\b')


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log, without its end.

    :param number: its place in everything that was read.
    """

    number: int
    file: str
    text: str


Read = Callable[[re.Pattern[bytes]], Iterable[Line]]
"""Gives every line in which a pattern is found, from the beginning; called once for each reading."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a mail is known by.

    :param message_ids: with their angle brackets. ``items``: names of moderated items.
    """

    message_ids: frozenset[str] = frozenset()
    queue_ids: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()

    def __or__(self, more: Names) -> Names:
        """Return both."""
        return Names(
            self.message_ids | more.message_ids, self.queue_ids | more.queue_ids, self.items | more.items
        )

    def __bool__(self) -> bool:
        """Tell whether there is anything to look for."""
        return bool(self.message_ids or self.queue_ids or self.items)


@dataclass(slots=True)
class _Life:
    """The lines of one queue id from its first to its removal."""

    queue_id: str
    file: str
    lines: list[int] = field(default_factory=list)
    message_ids: set[str] = field(default_factory=set)
    next: list[tuple[int, str]] = field(default_factory=list)
    ended: bool = False

    def distance(self, number: int) -> int:
        """Return how far a line is from this life; 0 within it."""
        return max(self.lines[0] - number, number - self.lines[-1], 0)


def follow(read: Read, start: Names) -> tuple[tuple[Line, ...], Names]:
    """Return the lines about a mail, in their order, and every name it turned out to have."""
    known, lines = start, tuple[Line, ...]()
    while known:
        lines = tuple(_naming(read, known))
        related, found = _related(lines, known, start)
        if found == known:
            return related, known
        known = found
    return lines, known


def _naming(read: Read, names: Names) -> Iterator[Line]:
    """Yield the lines that name something; most lines don't, and are never more than octets."""
    words = "|".join(map(re.escape, sorted(names.message_ids | names.queue_ids | names.items)))
    whole = re.compile(rf"(?<![0-9A-Za-z])(?:{words})(?![0-9A-Za-z])")
    anywhere = re.compile(words.encode("utf-8", "surrogateescape"))
    return (line for line in read(anywhere) if whole.search(line.text))


def _related(lines: Sequence[Line], known: Names, start: Names) -> tuple[tuple[Line, ...], Names]:
    lives = _lives(lines)
    by_id: dict[str, list[_Life]] = defaultdict(list)
    for life in lives:
        by_id[life.queue_id].append(life)
    ours = [line for line in lines if _is_ours(line.text)]
    said = _said(ours)
    chosen = _reached(lives, by_id, start | said)
    own = {line.number for line in ours if _belongs(line, by_id, chosen)}
    numbers = {number for life in chosen for number in life.lines} | own
    names = Names(
        frozenset(name for life in chosen for name in life.message_ids),
        frozenset(life.queue_id for life in chosen)
        | frozenset(after for life in chosen for _, after in life.next),
    )
    return tuple(line for line in lines if line.number in numbers), known | said | names


def _belongs(line: Line, by_id: Mapping[str, Sequence[_Life]], chosen: Sequence[_Life]) -> bool:
    """Tell whether a line of ours is about the mail: of several lives of its queue id the nearest counts."""
    found = _QUEUE_ID_OF_OURS.search(line.text)
    lives = [life for life in by_id.get(found[1], ()) if life.file == line.file] if found else []
    return not lives or min(lives, key=lambda life: life.distance(line.number)) in chosen


def _is_ours(text: str) -> bool:
    return _OF_POSTFIX.search(text) is None and bool(_QUEUE_ID_OF_OURS.search(text) or _ITEM.search(text))


def _said(own: Sequence[Line]) -> Names:
    """Return the names that our own lines add: an item is one mail, and its line tells the next queue id."""
    items = frozenset(found[1] for line in own if (found := _ITEM.search(line.text)))
    queue_ids = frozenset[str]()
    for line in own:
        if "sent out" in line.text:
            queue_ids |= frozenset(re.findall(rf"(?<![0-9A-Za-z])({_ID})(?![0-9A-Za-z])", _note(line.text)))
    return Names(frozenset(), queue_ids - items, items)


def _note(text: str) -> str:
    found = re.search(r'\bnote"?[=:]\s*(?:"([^"]*)"|(\S+))', text)
    return (found[1] or found[2] or "") if found else ""


def _lives(lines: Iterable[Line]) -> list[_Life]:
    """Return every life of every queue id, in order."""
    lives: list[_Life] = []
    open_lives: dict[str, _Life] = {}
    for line in lines:
        found = _OF_POSTFIX.search(line.text)
        if found is None:
            continue
        name, rest = found["id"], found["rest"]
        life = open_lives.get(name)
        if life is None or (life.ended and _begins(rest)):
            life = open_lives[name] = _Life(name, line.file)
            lives.append(life)
        life.lines.append(line.number)
        _read(life, line.number, rest)
    return lives


def _begins(rest: str) -> bool:
    return rest.startswith(("client=", "uid=", "message-id=", "resent-message-id="))


def _read(life: _Life, number: int, rest: str) -> None:
    life.ended = life.ended or rest == "removed"
    if (found := _MESSAGE_ID.match(rest)) and found[1] != "<>":
        life.message_ids.add(found[1])
    if found := _NEXT.search(rest) or _NOTICE.search(rest):
        life.next.append((number, found[1]))


def _reached(lives: Sequence[_Life], by_id: Mapping[str, Sequence[_Life]], names: Names) -> list[_Life]:
    """Return the lives that the names lead to, directly or from one to the next."""
    beside = _neighbours(lives, by_id)
    # The next server's queue id has no lines of its own here.
    foreign = names.queue_ids - by_id.keys()
    queue = [
        life
        for life in lives
        if life.queue_id in names.queue_ids
        or life.message_ids & names.message_ids
        or any(after in foreign for _, after in life.next)
    ]
    chosen = {id(life): life for life in queue}
    alike: dict[str, list[_Life]] = defaultdict(list)
    for life in lives:
        for name in life.message_ids:
            alike[name].append(life)
    while queue:
        life = queue.pop()
        same = (other for name in life.message_ids for other in alike.pop(name, ()))
        for other in (*beside[id(life)], *same):
            if id(other) not in chosen:
                chosen[id(other)] = other
                queue.append(other)
    return list(chosen.values())


def _neighbours(lives: Sequence[_Life], by_id: Mapping[str, Sequence[_Life]]) -> dict[int, list[_Life]]:
    """Return for each life those before and after it; of several lives of an id the one nearest to the line."""
    beside: dict[int, list[_Life]] = defaultdict(list)
    for life in lives:
        for number, after in life.next:
            if after in by_id:
                nearest = min(by_id[after], key=lambda other: other.distance(number))
                beside[id(life)].append(nearest)
                beside[id(nearest)].append(life)
    return beside
