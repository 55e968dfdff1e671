"""Adding one value to one attribute of a group: how "always allow" and "always block" get into the directory.

Nothing is replaced and nothing taken away: two people who write at once lose nothing, and asking again changes
nothing. The profile says which attribute a canonical field is, and how a value is spelt there. Fails with
`WriteRefused` (the server or the profile says no, in its words) or `DirectoryUnavailable` (nobody answered; it may
have happened, and may be asked again).
"""

from __future__ import annotations

from groupmilter.directory.entry import Entry
from groupmilter.directory.ldap_connection import Clock, LdapConnection, monotonic
from groupmilter.directory.ldap_messages import result
from groupmilter.directory.ldap_settings import Incomplete, LdapSettings, ReadFailed, Refused
from groupmilter.directory.profile import Profile
from groupmilter.directory.profile_source import BadValue, Source
from groupmilter.directory.reader import LdapSession
from groupmilter.directory.writer_messages import MODIFIED, Addition, classes_with, modify_request
from groupmilter.groups.directory import DirectoryUnknown

_SUCCESS = 0
_REFERRAL = 10
_EXISTS = 20
_BUSY, _UNAVAILABLE = 51, 52
_CLASS_VIOLATION = 65
# Result codes of RFC 4511 appendix A that a person can do something about.
_WORDS = {
    16: "no such attribute",
    17: "undefined attribute type",
    19: "constraint violation",
    21: "invalid value",
    32: "no such entry",
    50: "insufficient access rights",
    53: "unwilling to perform",
    _CLASS_VIOLATION: "object class violation",
}


class WriteRefused(Exception):
    """The directory doesn't take the change, and won't when asked again; the message says why."""


class DirectoryUnavailable(DirectoryUnknown):
    """No server took the change now."""


class Writer:
    """Writes to the servers of one directory, as the account of its settings. For any thread; keeps no connection.

    :param settings: of an account that may write.
    :param profile: how canonical fields are spelt in this directory.
    """

    def __init__(self, settings: LdapSettings, profile: Profile, clock: Clock = monotonic) -> None:
        self._settings = settings
        self._profile = profile
        self._clock = clock

    def add(self, dn: str, field: str, value: str) -> bool:
        """Add one value; tell whether it is new.

        :param dn: of the group. ``field``: a canonical one of several values, such as ``denied_addresses``.
        """
        addition = self._addition(dn, field, value)
        if not self._settings.urls or any(url.startswith("ldif:") for url in self._settings.urls):
            raise WriteRefused("read-only: the directory is an LDIF file")
        failures: list[ReadFailed] = []
        for url in self._settings.urls:
            try:
                with LdapConnection.open(url, self._settings, self._clock) as connection:
                    return self._added(connection, dn, addition)
            except ReadFailed as error:
                failures.append(error)
        words = "; ".join(map(str, failures))
        raise WriteRefused(words) if all(map(_final, failures)) else DirectoryUnavailable(words)

    def _addition(self, dn: str, field: str, value: str) -> Addition:
        try:
            mapped = self._profile.mapped(field)
        except KeyError:
            raise WriteRefused(f"{field}: no field of a group") from None
        for source in mapped.sources if mapped.writable and value else ():
            # Only what reads back as the same value is written.
            for spelt in (value, (source.prefix or "") + value):
                if _reads(source, dn, spelt) == value:
                    return Addition(source.attribute, (spelt,))
        raise WriteRefused(f"the profile {self._profile.name} can't write {value!r} as {field}")

    def _added(self, connection: LdapConnection, dn: str, addition: Addition) -> bool:
        code, text = self._modify(connection, dn, (addition,))
        if code == _CLASS_VIOLATION:
            code, text = self._with_class(connection, dn, addition) or (code, text)
        if code in (_REFERRAL, _BUSY, _UNAVAILABLE):
            # Another server of the list may take it.
            raise Refused(f"{connection.url}: modify", code, text)
        if code not in (_SUCCESS, _EXISTS):
            words = _WORDS.get(code, f"result code {code}")
            raise WriteRefused(f"{connection.url}: {words}{': ' if text else ''}{text}")
        return code == _SUCCESS

    def _modify(
        self, connection: LdapConnection, dn: str, additions: tuple[Addition, ...]
    ) -> tuple[int, str]:
        until = self._clock() + self._settings.operation_timeout
        number = connection.number()
        connection.send(modify_request(number, dn, additions))
        answer = connection.expect(number, until, "modify")
        if answer.tag != MODIFIED:
            raise Incomplete(f"{connection.url}: a wrong answer to modify")
        final = result(answer.body)
        return final.code, final.text

    def _with_class(self, connection: LdapConnection, dn: str, addition: Addition) -> tuple[int, str] | None:
        """Try again with the auxiliary class that holds the attribute; None where there is no such class."""
        session = LdapSession(connection, self._settings, self._clock)
        found = (session.read(dn, ("subschemaSubentry",)) or {}).get("subschemasubentry", ())
        if not found:
            return None
        schema = session.read(found[0].decode("utf-8", "replace"), ("objectClasses",)) or {}
        descriptions = (raw.decode("utf-8", "replace") for raw in schema.get("objectclasses", ()))
        names = sorted(classes_with(addition.attribute, descriptions), key=self._unknown)
        if not names:
            return None
        return self._modify(connection, dn, (Addition("objectClass", (names[0],)), addition))

    def _unknown(self, name: str) -> bool:
        """Tell whether a class is none by which the profile knows groups: those come last."""
        return f"(objectclass={name.lower()})" not in self._profile.filter().lower()


def _final(failure: ReadFailed) -> bool:
    """Tell whether a server has said no for good: a wrong password, a replica that only refers to another."""
    return isinstance(failure, Refused) and failure.code not in (_BUSY, _UNAVAILABLE)


def _reads(source: Source, dn: str, spelt: str) -> str | None:
    try:
        return source.read(Entry("", dn), spelt.encode())
    except BadValue:
        return None
