"""YAML in, plain values out, each with its line: the one importer of PyYAML.

A configuration file is read by people under stress, so what YAML 1.1 guesses is not guessed here: `no` and
`on` are text, `010` is an error, `1:30` is text, dates are text. Duplicate keys, anchors, aliases, tags,
merge keys, deep nesting and (save for case files) several documents are refused, since each lets a file mean
something else than it seems to. Everything that is wrong is reported at once, as `ConfigurationError`;
nothing else is ever raised.

Sources: YAML 1.2.2 chapter 10.3 (core schema); PyYAML's yaml.events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_MAX_DEPTH = 40
_MAX_OCTETS = 4 * 1024 * 1024
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_FRACTION = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}

Key = str | int
Keys = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one file; ``line`` is zero where no line is to blame.

    :param path: the option as people write it, ``directory.url`` or ``rules[0].when``; empty for the whole
        file.
    """

    file: str
    line: int
    path: str
    text: str

    def __str__(self) -> str:
        """Return ``config.yaml:12: directory.url: text``."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.path, self.text) if part)


class ConfigurationError(Exception):
    """Everything that is wrong with the configuration, in the order of the files."""

    def __init__(self, errors: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: mappings, lists, text, whole numbers, fractions, true/false and None.

    :param where: the file's name as reported.
    :param lines: where each key or item stands; the root's path is ``()``.
    :param problems: what is wrong with it as YAML; the value is complete all the same, so that what is wrong
        with the options can be said in the same breath. Nobody may use the value where this is not empty.
    """

    value: object
    where: str
    lines: dict[Keys, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def line(self, keys: Keys) -> int:
        """Return the line of an option, or of the nearest one around it; 1 for an empty file."""
        for length in range(len(keys), -1, -1):
            if keys[:length] in self.lines:
                return self.lines[keys[:length]]
        return 1

    def problem(self, keys: Keys, text: str) -> Problem:
        """Return a problem with one option of this document."""
        return Problem(self.where, self.line(keys), dotted(keys), text)


def dotted(keys: Keys) -> str:
    """Return ``rules[0].when.sender`` for its keys."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def parse_yaml(text: str, where: str) -> object:
    """Return the value of the one document in a text.

    :param where: name for error messages.
    :raises ConfigurationError: with everything wrong with it.
    """
    document = read_document(text, where)
    if document.problems:
        raise ConfigurationError(document.problems)
    return document.value


def read_document(text: str, where: str) -> Document:
    """Return the one document in a text with its lines and problems.

    :raises ConfigurationError: where it can't be read to its end, or there are several.
    """
    documents = read_documents(text, where)
    if len(documents) > 1:
        raise _single(where, documents[1].line(()), "a second document; one file holds one")
    return documents[0] if documents else Document(None, where)


def read_documents(text: str, where: str) -> tuple[Document, ...]:
    """Return all documents in a text with their lines and problems.

    :raises ConfigurationError: where the text can't be read to its end.
    """
    reader = _Reader(where, _events(text, where), [])
    try:
        return tuple(reader.documents())
    except ConfigurationError as error:
        raise ConfigurationError((*reader.problems, *error.errors)) from error


def read_text(path: Path) -> str:
    """Return a file's text.

    :raises ConfigurationError: where it can't be read, is no UTF-8, or holds more than 4 MiB.
    """
    try:
        octets = path.read_bytes()
        if len(octets) > _MAX_OCTETS:
            raise ConfigurationError((Problem(str(path), 0, "", "larger than 4 MiB"),))
        return octets.decode("utf-8")
    except OSError as error:
        raise ConfigurationError((Problem(str(path), 0, "", error.strerror or "can't be read"),)) from error
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise ConfigurationError((Problem(str(path), line, "", "not UTF-8"),)) from error


def _events(text: str, where: str) -> Iterator[yaml.Event]:
    """Yield PyYAML's events, with its exceptions translated."""
    if len(text) > _MAX_OCTETS:
        raise ConfigurationError((Problem(where, 0, "", "larger than 4 MiB"),))
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise _single(where, mark.line + 1 if mark else 0, said or "not YAML") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _single(where, line, f"{error.reason}: U+{_code(error.character):04X}") from error
    except (
        ValueError,
        OverflowError,
    ) as error:  # chr() and int() in the scanner
        raise _single(where, 0, f"a number or character that can't be: {error}") from error


def _code(character: str | int) -> int:
    """PyYAML's reader gives a number, its type stubs and its decoder text."""
    return character if isinstance(character, int) else ord(character[:1] or "\0")


def _single(where: str, line: int, text: str) -> ConfigurationError:
    return ConfigurationError((Problem(where, line, "", text),))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Builds values from events; what is wrong but doesn't stop the reading is gathered in ``problems``."""

    where: str
    events: Iterator[yaml.Event]
    problems: list[Problem]

    def documents(self) -> Iterator[Document]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                lines: dict[Keys, int] = {}
                before = len(self.problems)
                value = self._node(next(self.events), (), lines)
                yield Document(value, self.where, lines, tuple(self.problems[before:]))

    def _complain(self, event: yaml.Event, keys: Keys, text: str) -> None:
        self.problems.append(Problem(self.where, _line(event), dotted(keys), text))

    def _node(self, event: yaml.Event, keys: Keys, lines: dict[Keys, int]) -> object:
        lines.setdefault(keys, _line(event))
        if isinstance(event, yaml.AliasEvent):
            self._complain(event, keys, f"the alias *{event.anchor} is refused; write it out")
            return None
        if len(keys) > _MAX_DEPTH:
            raise _single(self.where, _line(event), f"nested more than {_MAX_DEPTH} deep")
        self._plainness(event, keys)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(keys, lines)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(keys, lines)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, keys)
        raise _single(self.where, _line(event), "a value was expected")

    def _plainness(self, event: yaml.Event, keys: Keys) -> None:
        if getattr(event, "anchor", None) is not None:
            self._complain(event, keys, "an anchor is refused; write it out where it is needed")
        if getattr(event, "tag", None) is not None:
            self._complain(event, keys, "a tag is refused")

    def _mapping(self, keys: Keys, lines: dict[Keys, int]) -> dict[str, object]:
        result: dict[str, object] = {}
        first: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, keys)
            inner = (*keys, key)
            if key in first:
                self._complain(event, inner, f"given twice, first in line {first[key]}")
            else:
                lines[inner] = first[key] = _line(event)
            result.setdefault(key, None)
            result[key] = self._node(next(self.events), inner, lines)
        return result

    def _key(self, event: yaml.Event, keys: Keys) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._complain(event, keys, "a key has to be a word")
            self._skip(event)
            return "?"
        self._plainness(event, keys)
        if event.value == "<<" and event.style is None:
            self._complain(event, keys, "the merge key << is refused; write it out")
        return self._text(event, keys)

    def _skip(self, event: yaml.Event) -> None:
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth <= 0:
                return
            if depth > _MAX_DEPTH:
                raise _single(self.where, _line(event), f"nested more than {_MAX_DEPTH} deep")
            event = next(self.events)

    def _sequence(self, keys: Keys, lines: dict[Keys, int]) -> list[object]:
        result: list[object] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            result.append(self._node(event, (*keys, len(result)), lines))
        return result

    def _scalar(self, event: yaml.ScalarEvent, keys: Keys) -> object:
        text = self._text(event, keys)
        if event.style is not None:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _LEADING_ZERO.fullmatch(text):
            self._complain(
                event, keys, f"{text} would be octal to some; write {text.lstrip('0_') or '0'} or quote it"
            )
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _FRACTION.fullmatch(text) else text

    def _text(self, event: yaml.ScalarEvent, keys: Keys) -> str:
        text = str(event.value)
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            self._complain(event, keys, "holds a character that can't be in text")
            return "?"
        return text


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 0
