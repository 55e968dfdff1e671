"""OpenDKIM (Debian's opendkim) as the independent voice on DKIM signatures: it verifies, it signs, it is a milter.

    with Verifier({"2026._domainkey.outside.example": "v=DKIM1; k=rsa; p=..."}) as verifier:
        assert verifier.results(message) == [Result("pass", "outside.example", "2026")]

    with opendkim(signing("masociete.example", "own", key_file)) as address:
        ...  # a milter for Postfix

It is driven over its milter socket, on the octets that a member got; what it says is read from the
Authentication-Results field (RFC 8601) that it adds. Keys come from a file (`TestDNSData`), so nothing asks any DNS.
One process as a context manager; nothing of it stays. Fails with `OpenDkimFailed`, its own words in the text, where it
doesn't start, and with what `MilterClient` fails with.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.milter_client import MilterClient
from tests.support.milter_protocol import InsertHeader

_DEADLINE = 150.0
_IDENTITY = "verifier.example"
_MOST_SIGNATURES = 50
"""OpenDKIM by itself looks at three and counts the rest as none."""
_RESULT = re.compile(r"^dkim=(\w+)")
_PROPERTY = re.compile(r"\bheader\.([ds])=(\S+)")
_SENDER, _RECIPIENT = "x@outside.example", "x@masociete.example"


class OpenDkimFailed(RuntimeError):
    """OpenDKIM did not start; what it said is in the text."""


@dataclass(frozen=True, slots=True)
class Result:
    """What OpenDKIM says of one signature: ``pass``, ``fail``, ``permerror``, ... (RFC 8601 section 2.7.1)."""

    verdict: str
    domain: str
    selector: str


@contextmanager
def opendkim(settings: Mapping[str, str]) -> Iterator[str]:
    """Run one OpenDKIM with these lines of opendkim.conf(5); yield the address of its milter socket."""
    # Not pytest's own folders: Postfix has to get in, and a Unix socket's path has 107 octets at most.
    folder = Path(tempfile.mkdtemp(prefix="groupmilter-opendkim-"))
    folder.chmod(0o755)
    fixed = {
        "Background": "no", "Syslog": "no", "UMask": "000", "Socket": f"local:{folder}/milter.sock",
        # /tmp is everybody's to write, and a test's key is no secret.
        "RequireSafeKeys": "no",
    }  # fmt: skip
    lines = [f"{name} {value}\n" for name, value in {**fixed, **settings}.items()]
    (folder / "opendkim.conf").write_text("".join(lines), "utf-8")
    process = subprocess.Popen(
        ["opendkim", "-f", "-x", str(folder / "opendkim.conf")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        _wait(process, folder / "milter.sock")
        yield f"unix:{folder}/milter.sock"
    finally:
        # Asked to end, libmilter takes five seconds; there is nothing to be lost.
        process.kill()
        process.communicate(timeout=_DEADLINE)
        shutil.rmtree(folder)


def signing(domain: str, selector: str, key_file: Path, **settings: str) -> dict[str, str]:
    """Return the settings of a signer of all that a domain's people send, whoever brings it.

    :param settings: more of opendkim.conf(5): ``Canonicalization``, ``SignHeaders``, ``OversignHeaders``, ...
    """
    return {
        "Mode": "s", "Domain": domain, "Selector": selector, "KeyFile": str(key_file),
        "InternalHosts": "0.0.0.0/0", **settings,
    }  # fmt: skip


def sign(address: str, message: bytes) -> bytes:
    """Return a message with the signature on top that the signer at this address makes."""
    for change in _changes(address, message):
        if isinstance(change, InsertHeader) and change.name == "DKIM-Signature":
            made = f"{change.name}: {change.value}\n".encode("utf-8", "surrogateescape")
            return made.replace(b"\n", b"\r\n") + message
    raise OpenDkimFailed("it signs nothing")


@dataclass
class Verifier:
    """OpenDKIM as a verifier.

    :param records: TXT records by the names of their keys, as the DNS has them.
    """

    records: Mapping[str, str]
    _stack: ExitStack = field(default_factory=ExitStack, init=False)
    _address: str = field(default="", init=False)

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="groupmilter-keys-")))
        data = folder / "records"
        data.write_text("".join(f"{name} {text}\n" for name, text in self.records.items()), "utf-8")
        settings = {
            "Mode": "v", "AuthservID": _IDENTITY, "AlwaysAddARHeader": "yes", "TestDNSData": f"file:{data}",
            "MaximumSignaturesToVerify": str(_MOST_SIGNATURES),
        }  # fmt: skip
        try:
            self._address = self._stack.enter_context(opendkim(settings))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def results(self, message: bytes) -> list[Result]:
        """Return what it says of each signature, from the topmost down; nothing where there is none."""
        for change in _changes(self._address, message):
            if isinstance(change, InsertHeader) and change.name == "Authentication-Results":
                return list(_results(change.value))
        raise OpenDkimFailed("it says nothing")


def _changes(address: str, message: bytes) -> tuple[object, ...]:
    # An MTA never gives it a last line without an end; it can't hash one, and the hash is the same (RFC 6376 3.4.3).
    whole = message if message.endswith(b"\r\n") else message + b"\r\n"
    with MilterClient(address) as session:
        session.connect()
        session.helo()
        return session.send_message(_SENDER, [_RECIPIENT], whole).modifications


def _results(value: str) -> Iterator[Result]:
    """Read the field; OpenDKIM writes one entry for each signature, and ``dkim=none`` without any."""
    identity, *entries = (entry.strip() for entry in value.split(";"))
    if identity != _IDENTITY:
        raise OpenDkimFailed(f"not its own field: {value!r}")
    for entry in entries:
        verdict = _RESULT.match(entry)
        if verdict and verdict[1] != "none":
            named = dict(_PROPERTY.findall(entry))
            yield Result(verdict[1], named.get("d", ""), named.get("s", ""))


def _wait(process: subprocess.Popen[str], path: Path) -> None:
    deadline = time.monotonic() + _DEADLINE
    while not _listens(path):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise OpenDkimFailed(f"it does not listen: {process.communicate()[0]}")
        time.sleep(0.01)


def _listens(path: Path) -> bool:
    if not os.access(path, os.W_OK):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
