"""A synchroniser that runs in a thread of the tests, into a mirror in memory, and what it did so far."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.directory.memory_mirror import MemoryMirror

from groupmilter.config.model import Sync
from groupmilter.directory.ldap_settings import LdapSettings
from groupmilter.directory.side_store import SideFeed
from groupmilter.directory.synchroniser import Surroundings, Synchroniser
from groupmilter.directory.synchroniser_settings import SyncSettings

DEADLINE = 150.0
SUFFIX = "dc=masociete,dc=example"
ATTRIBUTES = ("objectClass", "cn", "uid", "mail", "member", "displayName")
QUERY = "(mail=*)"
TREE = f"""dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: masociete
o: masociete

dn: ou=people,{SUFFIX}
objectClass: organizationalUnit
ou: people

dn: ou=guests,{SUFFIX}
objectClass: organizationalUnit
ou: guests

"""


def person(name: str, unit: str = "people") -> str:
    """The LDIF of a person."""
    return (
        f"dn: uid={name},ou={unit},{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
        f"mail: {name}@masociete.example\n\n"
    )


def group(name: str, *members: str) -> str:
    """The LDIF of a group of people."""
    lines = "".join(f"member: uid={member},ou=people,{SUFFIX}\n" for member in members)
    return (
        f"dn: cn={name},{SUFFIX}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\ncn: {name}\n"
        f"mail: {name}@masociete.example\n{lines}\n"
    )


def people(*names: str) -> set[str]:
    """The DNs of people."""
    return {f"uid={name},ou=people,{SUFFIX}" for name in names}


def groups(*names: str) -> set[str]:
    """The DNs of groups."""
    return {f"cn={name},{SUFFIX}" for name in names}


def ldap(url: str) -> LdapSettings:
    """Settings for a server of the tests; generous, so that only what a test makes slow is slow."""
    return LdapSettings((url,), SUFFIX, connect_timeout=DEADLINE, operation_timeout=DEADLINE, page_size=50)


def sync(mode: Sync = Sync.AUTO, silence: float = DEADLINE) -> SyncSettings:
    """Settings that look and try again soon."""
    return SyncSettings(
        QUERY,
        ATTRIBUTES,
        mode,
        poll=0.1,
        reload=0.1,
        keepalive=0.2,
        silence=silence,
        first_pause=0.05,
        longest_pause=0.2,
    )


@dataclass(slots=True)
class Recorder:
    """A log that remembers the names and facts of its lines."""

    lines: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def info(self, event: str, /, **facts: object) -> None:
        """Remember the line."""
        self.lines.append((event, facts))

    def warning(self, event: str, /, **facts: object) -> None:
        """Remember the line."""
        self.lines.append((event, facts))

    def error(self, event: str, /, **facts: object) -> None:
        """Remember the line."""
        self.lines.append((event, facts))

    def names(self) -> list[str]:
        """The names of the lines so far."""
        return [name for name, _ in self.lines]

    def count(self, name: str) -> int:
        """How often an event was logged."""
        return self.names().count(name)


@dataclass(slots=True)
class Running:
    """`with Running(ldap(slapd.uri)) as it:` runs it; without `with`, `it.synchroniser.once()` runs it once."""

    ldap: LdapSettings
    settings: SyncSettings = field(default_factory=sync)
    mirror: MemoryMirror = field(default_factory=MemoryMirror)
    log: Recorder = field(default_factory=Recorder)
    told: list[int] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    failure: list[BaseException] = field(default_factory=list)
    beside: SideFeed | None = None
    _synchroniser: Synchroniser | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        if self._thread is not None:
            self._thread.join(DEADLINE)
            assert not self._thread.is_alive()
        if error is None:
            assert self.failure == []

    @property
    def synchroniser(self) -> Synchroniser:
        """The synchroniser, made on first use."""
        if self._synchroniser is None:
            around = Surroundings(
                self.log, time.time, time.monotonic, lambda: 0.5, self.told.append, self.beside
            )
            self._synchroniser = Synchroniser.of_ldap(self.ldap, self.mirror, self.settings, around)
        return self._synchroniser

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; it is looked at after each change of the mirror, and in between."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"not in time: {what}; {self.synchroniser.status()}; {self.log.lines[-5:]}"
                )
            with self.mirror.changed:
                self.mirror.changed.wait(0.02)

    def until_dns(self, wanted: set[str]) -> None:
        """Wait until the mirror has exactly these entries."""
        self.until(lambda: self.mirror.dns() == wanted, f"{wanted}, but {self.mirror.dns()}")

    def until_connected(self) -> None:
        """Wait until a load is in the mirror and the source holds."""
        self.until(lambda: self.synchroniser.status().connected, "connected")

    def until_failed(self, text: str = "") -> None:
        """Wait until an attempt has failed, with this in its error."""
        self.until(lambda: text in self.error() != "", f"a failure with {text!r}")

    def error(self) -> str:
        """The last error, empty where all is well."""
        return self.synchroniser.status().error

    def _run(self) -> None:
        try:
            self.synchroniser.run(self.stop)
        except BaseException as error:
            self.failure.append(error)
            raise
