"""Reads case files (specification 5.4): YAML, one document a case. All that is wrong is reported at once.

Fails with `ConfigurationError`, every problem with its file and line; nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.utils import format_datetime
from pathlib import Path

from groupmilter.authentication.identity import Proofs
from groupmilter.authentication.trust import trusted_certificates, trusted_networks
from groupmilter.config.load import ConfigurationError, Document, Keys, Problem, read_documents, read_text
from groupmilter.config.validation import validate
from groupmilter.mail.address import path
from groupmilter.rehearsal.case import NOON, Case, Message, Outcome
from groupmilter.rehearsal.model import CaseEntry, ExpectationEntry, ListedMessage, MessageEntry

_NOBODY: frozenset[str] = frozenset()
ITS_OWN = "groupmilter.example"
"""The domain of Message-IDs that a case doesn't say."""


def read_files(files: Iterable[Path]) -> tuple[Case, ...]:
    """Return the cases of several files in order.

    :raises ConfigurationError: with everything wrong with any of them.
    """
    cases: list[Case] = []
    problems: list[Problem] = []
    for file in files:
        try:
            cases.extend(read_file(file))
        except ConfigurationError as error:
            problems.extend(error.errors)
    if problems:
        raise ConfigurationError(tuple(problems))
    return tuple(cases)


def read_file(file: Path) -> tuple[Case, ...]:
    """Return the cases of a file; paths in it start where it stands.

    :raises ConfigurationError: with everything wrong with it.
    """
    cases: list[Case] = []
    problems: list[Problem] = []
    documents = read_documents(read_text(file), str(file))
    if not documents:
        problems.append(Problem(str(file), 0, "", "holds no case"))
    for document in documents:
        try:
            cases.append(_case(_listed(document), file))
        except ConfigurationError as error:
            problems.extend(error.errors)
    if problems:
        raise ConfigurationError(tuple(problems))
    return tuple(cases)


def _listed(document: Document) -> Document:
    """Return the document with ``messages: [{message: {...}, expect: {...}}]`` read as one mapping each."""
    content = document.value
    items = content.get("messages") if isinstance(content, Mapping) else None
    if not isinstance(content, Mapping) or not isinstance(items, list):
        return document
    lines: dict[Keys, int] = {}
    for keys, line in document.lines.items():
        inner = len(keys) > 2 and keys[0] == "messages" and keys[2] == "message"
        lines[(*keys[:2], *keys[3:]) if inner else keys] = line
    value = {**content, "messages": [_flat(item) for item in items]}
    return Document(value, document.where, lines, document.problems)


def _flat(item: object) -> object:
    inner = item.get("message") if isinstance(item, Mapping) else None
    if not isinstance(item, Mapping) or not isinstance(inner, Mapping):
        return item
    return {**inner, **{key: value for key, value in item.items() if key != "message"}}


def _case(document: Document, file: Path) -> Case:
    entry = validate(CaseEntry, document, file.parent)
    messages = tuple(_messages(entry, document))
    problems = [problem for message, keys in messages for problem in _wrong(message, document, keys)]
    if problems:
        raise ConfigurationError(tuple(problems))
    return Case(
        name=entry.name,
        file=file,
        line=document.line(()),
        messages=tuple(message for message, _ in messages),
        directory=entry.directory,
        policies=None if entry.policy is None else tuple(_located(n, file.parent) for n in entry.policy),
        group_policies=entry.group_policies,
        networks=None if entry.networks is None else trusted_networks(entry.networks),
        certificates=None if entry.certificates is None else trusted_certificates(entry.certificates),
        own_domains=frozenset(entry.own_domains),
        service_domain=entry.service_domain or "",
    )


def _located(name: str, folder: Path) -> str:
    return str((folder / name).absolute()) if "/" in name or "." in name else name


def _messages(entry: CaseEntry, document: Document) -> Iterator[tuple[Message, Keys]]:
    if entry.message is not None:
        keys: Keys = ("message",)
        yield _message(entry.message, entry.expect or {}, document.line(keys), 0), keys
    for index, listed in enumerate(entry.messages):
        keys = ("messages", index)
        yield _message(listed, listed.expect, document.line(keys), index), keys


def _message(
    entry: MessageEntry | ListedMessage, expect: Mapping[str, ExpectationEntry], line: int, index: int
) -> Message:
    return Message(
        client=entry.client or "",
        login=entry.login or "",
        certificate=entry.certificate or "",
        issuer=entry.issuer or "",
        sender=entry.mail_from,
        recipients=entry.to,
        size=entry.size,
        declared=entry.declared_size and entry.size is not None,
        fields=tuple(_fields(entry, index)),
        proofs=Proofs(
            frozenset(entry.dmarc_pass),
            frozenset(entry.spf_pass),
            frozenset(entry.dns_fails),
            frozenset(entry.dns_fails),
        ),
        time=entry.time or NOON,
        expected=tuple((address, _expected(wanted)) for address, wanted in expect.items()),
        line=line,
    )


def _fields(entry: MessageEntry, index: int) -> Iterator[tuple[str, str]]:
    """Yield the header: what a mail program writes, then what the case says instead or besides.

    :param index: of the message in its case; each has a Message-ID of its own.
    """
    authors = entry.author if entry.author is not None else (entry.mail_from,) if entry.mail_from else ()
    usual = {
        "From": ", ".join(authors),
        "To": ", ".join(entry.to),
        "Subject": "A rehearsal",
        "Date": format_datetime(entry.time or NOON),
        "Message-ID": f"<{index:09d}@{ITS_OWN}>",
    }
    said = {name.lower() for name in entry.headers}
    for name, value in usual.items():
        if value and name.lower() not in said:
            yield name, value
    for name, values in entry.headers.items():
        for value in values:
            yield name, value


def _expected(entry: ExpectationEntry) -> Outcome:
    return Outcome(
        refuse=entry.refuse or "",
        defer=entry.defer or "",
        at=str(entry.at or ""),
        deliver=frozenset(map(plain, entry.deliver or ())),
        hold=frozenset(map(plain, entry.hold or ())),
        notify=entry.notify or "",
        passed=bool(entry.passed),
    )


def plain(address: str) -> str:
    """Return an address for comparison: canonical, without regard to case; unreadable ones as they are."""
    read = path(address, _NOBODY)
    return (read.canonical if read is not None else address).casefold()


def _wrong(message: Message, document: Document, keys: Keys) -> Iterator[Problem]:
    sent = {*message.recipients, *map(plain, message.recipients)}
    above = () if keys == ("message",) else keys
    for address, _ in message.expected:
        if address not in sent and plain(address) not in sent:
            yield document.problem((*above, "expect", address), "the message has no such recipient")
    if message.size is not None and message.size < message.header_octets:
        said = f"the header alone has {message.header_octets} octets"
        yield document.problem((*keys, "size"), said)
