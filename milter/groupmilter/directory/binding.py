"""Whether a password is a person's: a simple bind at the directory's own servers (RFC 4513 section 5.1.3).

Who it is, the directory is asked at that moment, not the mirror: exactly one entry that has the log-in name, or else
the address, and no lock. Nobody and a wrong password get the same answer; a server that can't be asked is
`DirectoryUnknown`, which is neither. The password goes to the server, and is neither kept nor part of any message here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from groupmilter.directory.filter import literal
from groupmilter.directory.ldap_connection import Clock, LdapConnection, monotonic
from groupmilter.directory.ldap_messages import BOUND, Message, element, elements, result, tlv
from groupmilter.directory.ldap_settings import Incomplete, LdapSettings, ReadFailed, Refused, Unreachable
from groupmilter.directory.profile import Profile, Record
from groupmilter.directory.reader import LdapSession, Reader
from groupmilter.directory.timestamp import moment
from groupmilter.directory.writer_messages import enveloped
from groupmilter.groups.login import login_name
from groupmilter.mail.address import canonical

POLICY_CONTROL = "1.3.6.1.4.1.42.2.27.8.5.1"
"""Request and response control of draft-behera-ldap-password-policy-10, section 6."""
EXPIRED_CONTROL = "2.16.840.1.113730.3.4.4"
"""Response control of Netscape's servers and their heirs (draft-vchu-ldap-pwd-policy-00)."""

_SUCCESS = 0
# Result codes of RFC 4511 appendix A by which a server says that this is not the person: constraint violation (too many
# tries), no such object, invalid DN syntax, inappropriate authentication (no password), invalid credentials, unwilling.
_NOT_THE_PERSON = frozenset({19, 32, 34, 48, 49, 53})
_BIND, _INTEGER, _OCTETS, _SIMPLE, _ERROR = 0x60, 0x02, 0x04, 0x80, 0x81
_EXPIRED, _AFTER_RESET = 0, 2
_LONGEST = 1024
"""Characters of a log-in name or a password that a server is bothered with."""


class Outcome(StrEnum):
    """What a log-in name and a password prove."""

    PROVEN = "proven"
    WRONG = "wrong"
    EXPIRED = "expired"
    MUST_CHANGE = "must-change"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One look at a log-in name and a password.

    :param uuid, dn: of the one person who has the name, whatever the password; empty for nobody's.
    :param password_changed: when his password was set; seconds since 1970, 0 for unknown.
    """

    outcome: Outcome
    uuid: str = ""
    dn: str = ""
    password_changed: int = 0


@dataclass(frozen=True, slots=True)
class Binding:
    """The servers that are asked.

    :param settings: of the account that reads; a person's bind goes to the same servers.
    :param realms: domains behind a log-in that make no difference (`groups.login`).
    :param own_domains: in which the case of an address makes none.
    """

    settings: LdapSettings
    profile: Profile
    realms: frozenset[str] = frozenset()
    own_domains: frozenset[str] = frozenset()
    clock: Clock = monotonic

    @property
    def possible(self) -> bool:
        """Whether anybody can log in at all: an LDIF file knows no passwords."""
        return not any(url.startswith("ldif:") for url in self.settings.urls)

    def attempt(self, login: str, password: str) -> Attempt:
        """Look whether these are a person's log-in name and password.

        :raises DirectoryUnknown: where no server can be asked.
        """
        # RFC 4513 section 5.1.2: servers take an empty password for an anonymous bind and say success.
        if not password or not login.strip() or _unfit(login) or _unfit(password):
            return Attempt(Outcome.WRONG)
        with Reader(self.settings, self.clock).connect() as session:
            found = self._found(session, login)
        if found is None:
            # Asked all the same, so that the answer to an unknown name takes a bind, too.
            self._bound(f"cn=groupmilter-nobody,{self.settings.base}", password)
            return Attempt(Outcome.WRONG)
        changed = moment(str(found.fields["password_changed"]))
        return Attempt(self._bound(found.dn, password), found.uuid, found.dn, changed)

    def _found(self, session: LdapSession, login: str) -> Record | None:
        """Return the one person with a log-in name, or with an address that is one, who isn't locked."""
        name, address = login_name(login, self.realms), canonical(login, self.own_domains) or ""
        spelt = (login.strip(), name, *(f"{name}@{realm}" for realm in sorted(self.realms)))
        terms = [
            *self._terms(("logins",), spelt),
            *self._terms(("target", "addresses"), filter(None, (address,))),
        ]
        query = f"(&{self.settings.query(self.profile.filter())}(|{''.join(dict.fromkeys(terms))}))"
        entries = session.search(self.settings.base, "sub", query, self.profile.attributes())
        records = [record for entry in entries if (record := self.profile.read(entry)) is not None]
        people = [record for record in records if not record.group]
        named = [
            one for one in people if name in {login_name(each, self.realms) for each in one.texts("logins")}
        ]
        found = named or [one for one in people if address and address in self._addresses(one)]
        return None if len(found) != 1 or found[0].fields.get("disabled") else found[0]

    def _terms(self, fields: Iterable[str], values: Iterable[str]) -> Iterator[str]:
        sources = [each for field in fields for each in self.profile.mapped(field, group=False).sources]
        for value in values:
            for source in sources:
                yield f"({source.attribute}={literal((source.prefix or '') + value)})"

    def _addresses(self, record: Record) -> set[str | None]:
        texts = (each for field in ("target", "addresses") for each in record.texts(field))
        return {canonical(each, self.own_domains) for each in texts}

    def _bound(self, dn: str, password: str) -> Outcome:
        """Bind at the first server that answers."""
        failures: list[str] = []
        for url in self.settings.urls:
            try:
                with LdapConnection.unbound(url, self.settings, self.clock) as connection:
                    return self._answer(connection, dn, password)
            except ReadFailed as error:
                failures.append(str(error))
        raise Unreachable("; ".join(failures) or "no LDAP server is configured")

    def _answer(self, connection: LdapConnection, dn: str, password: str) -> Outcome:
        number = connection.number()
        connection.send(_bind_request(number, dn, password))
        received = connection.expect(number, self.clock() + self.settings.connect_timeout, "bind")
        if received.tag != BOUND:
            raise Incomplete(f"{connection.url}: a wrong answer to bind")
        final = result(received.body)
        if final.code not in _NOT_THE_PERSON | {_SUCCESS}:
            raise Refused(f"{connection.url}: bind of a person", final.code, final.text)
        return _policy(received) or (Outcome.PROVEN if final.code == _SUCCESS else Outcome.WRONG)


def _bind_request(number: int, dn: str, password: str) -> bytes:
    """Encode a simple bind that asks for the password policy's word; the octets are those that were typed."""
    credentials = tlv(_INTEGER, b"\x03") + tlv(_OCTETS, dn.encode()) + tlv(_SIMPLE, password.encode())
    return enveloped(number, tlv(_BIND, credentials), ((POLICY_CONTROL, False, None),))


def _unfit(text: str) -> bool:
    """Tell whether a server needn't see a text: too long, or no text (RFC 4511 section 4.1.2)."""
    return len(text) > _LONGEST or "\0" in text or any("\ud800" <= each <= "\udfff" for each in text)


def _policy(received: Message) -> Outcome | None:
    """Return what the password policy has against a log-in that is right otherwise."""
    if EXPIRED_CONTROL in received.controls:
        return Outcome.EXPIRED
    error = _policy_error(received.controls.get(POLICY_CONTROL, b""))
    return {_EXPIRED: Outcome.EXPIRED, _AFTER_RESET: Outcome.MUST_CHANGE}.get(error)


def _policy_error(value: bytes) -> int:
    """Return the error of a PasswordPolicyResponseValue, -1 for none."""
    if not value:
        return -1
    _, start, end = element(value, 0, len(value))
    for tag, at, until in elements(value, start, end):
        if tag == _ERROR:
            return int.from_bytes(value[at:until], "big")
    return -1
