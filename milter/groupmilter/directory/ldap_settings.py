"""Where the LDAP server is and how far we go with it, and the ways in which reading it can fail. Pure.

Whatever fails is a `ReadFailed`, which is a `DirectoryUnknown`: what a caller has not read completely it does
not know, and nothing half-read ever looks like an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from groupmilter.groups.directory import DirectoryUnknown

NO_SUCH_OBJECT = 32
"""RFC 4511 appendix A.1: nothing stands at that DN."""


class ReadFailed(DirectoryUnknown):
    """The directory was not read, or not completely."""


class Unreachable(ReadFailed):
    """No connection, no trust in the certificate, no answer in time, or the connection broke."""


class Incomplete(ReadFailed):
    """The server's answer is cut, malformed, contradicts itself, or is larger than our bounds."""


class Unusable(ReadFailed):
    """The search can't even be asked: its filter is none. Nothing was sent."""


class Refused(ReadFailed):
    """The server answered with a result code other than success (RFC 4511 section 4.1.9).

    :param operation: what was asked, for the log.
    :param code: the result code.
    :param text: the server's diagnostic message.
    """

    def __init__(self, operation: str, code: int, text: str) -> None:
        super().__init__(f"{operation}: the server answered with result code {code} {text}".rstrip())
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """One directory, on one or more servers that hold the same.

    :param urls: ``ldap://host[:port]``, ``ldaps://host[:port]`` or ``ldapi:///path``, tried in this order.
    :param base: the suffix below which everything is searched.
    :param bind_dn, password: for a simple bind; both empty for an anonymous one.
    :param acting_for: DN of the person whose name each change bears (RFC 4370); empty for none.
    :param start_tls: whether ``ldap://`` connections are encrypted before anything else is sent (RFC 4511
        section 4.14); None: unless the host is this machine.
    :param ca_file: PEM certificates to trust; None for the system's.
    :param verify: whether the server's certificate and host name are checked.
    :param extra_filter: RFC 4515; entries must match it besides the profile's filter. Empty for none.
    :param uuid_attributes: where an entry's UUID stands when no sync control carries it; the first one
        present.
    :param page_size: entries for each page (RFC 2696).
    :param connect_timeout: seconds for connecting, TLS and the bind, together, for each URL.
    :param operation_timeout: seconds for one message, and for one small search, however slowly octets drip.
    :param load_timeout: seconds for everything that one search or one refresh brings.
    :param max_message: octets of a single message (one entry).
    :param max_values: values of one attribute.
    :param max_entries: entries that one search or refresh may bring.
    """

    urls: tuple[str, ...]
    base: str
    bind_dn: str = ""
    password: str = field(default="", repr=False)
    acting_for: str = ""
    start_tls: bool | None = None
    ca_file: Path | None = None
    verify: bool = True
    extra_filter: str = ""
    uuid_attributes: tuple[str, ...] = ("entryUUID", "objectGUID", "nsUniqueId")
    page_size: int = 1000
    connect_timeout: float = 10.0
    operation_timeout: float = 30.0
    load_timeout: float = 900.0
    max_message: int = 256 * 1024 * 1024
    max_values: int = 1_000_000
    max_entries: int = 10_000_000

    def query(self, profile_filter: str) -> str:
        """Return the filter to search with: the profile's, and the extra one where it is set."""
        return f"(&{profile_filter}{self.extra_filter})" if self.extra_filter else profile_filter
