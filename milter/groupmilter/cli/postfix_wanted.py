"""What Postfix's main.cf and master.cf have to say for a configuration of ours. Pure: settings in, lines out.

Sources: postconf(5), master(5), MILTER_README, VIRTUAL_README.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groupmilter.config.model import Mode
from groupmilter.policy.settings import RELEASE_HEADROOM

if TYPE_CHECKING:
    from groupmilter.cli.postfix_installed import Installed
    from groupmilter.config.model import Site
    from groupmilter.config.places import Listen

HOLD_SERVICE = "groupmilter-hold"
CLEANUP_SERVICE = "groupmilter-cleanup"
QUEUE_DIRECTORY = "/var/spool/postfix"
_RELEASE_OPTIONS = (
    "smtpd_sasl_security_options=noanonymous",
    "smtpd_sasl_authenticated_header=no",
    "smtpd_tls_security_level=none",
    "smtpd_tls_auth_only=no",
    "smtpd_client_restrictions=",
    "smtpd_helo_restrictions=",
    "smtpd_sender_restrictions=",
    "smtpd_relay_restrictions=permit_sasl_authenticated,reject",
    "smtpd_recipient_restrictions=permit_sasl_authenticated,reject",
    "smtpd_data_restrictions=",
    "smtpd_end_of_data_restrictions=",
    "smtpd_reject_unlisted_sender=no",
    "smtpd_client_event_limit_exceptions=127.0.0.0/8,[::1]/128",
    "smtpd_milter_maps=",
    "smtpd_proxy_filter=",
    "smtpd_command_filter=",
    "smtpd_discard_ehlo_keywords=",
    "smtpd_discard_ehlo_keyword_address_maps=",
    "local_header_rewrite_clients=",
    "receive_override_options=no_header_body_checks",
    "content_filter=",
)
DEFAULTS = {
    "queue_directory": QUEUE_DIRECTORY,
    "virtual_alias_maps": "$virtual_maps",
    "relay_domains": "",
    "transport_maps": "",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One setting of main.cf, with the reason that stands above it."""

    name: str
    value: str
    why: str

    def __str__(self) -> str:
        """Return the line as main.cf has it."""
        return f"{self.name} = {self.value}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One service of master.cf: its first line, its ``-o`` lines, and the reason."""

    name: str
    first: str
    options: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        """Return the lines as master.cf has them."""
        return "\n".join((self.first, *(f"    -o {option}" for option in self.options)))


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns the hold mailbox: user and group ids that virtual(8) writes it with.

    :param missing: name of the user whose ids these should be, where the host has no such user yet.
    """

    uid: int
    gid: int
    missing: str = ""


def milter_address(listen: Listen, queue_directory: str) -> str:
    """Return our socket as Postfix names it; below the queue directory relative, so that a chroot finds it."""
    if listen.kind == "unix":
        return f"unix:{below(listen.path, queue_directory)}"
    if listen.kind == "fd":
        return "unix:groupmilter/milter.sock"
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return f"inet:{host}:{listen.port}"


def below(path: Path, queue_directory: str) -> Path:
    """Return a path as Postfix finds it with or without a chroot: below its queue directory relative to that."""
    queue = Path(queue_directory)
    return path.relative_to(queue) if path.is_relative_to(queue) else path


def addresses(listen: Listen, queue_directory: str) -> frozenset[str]:
    """Return every spelling of our socket in Postfix's settings."""
    found = {milter_address(listen, queue_directory)}
    if listen.kind == "unix":
        found |= {f"unix:{listen.path}", f"local:{listen.path}"}
        found |= {f"local:{address.removeprefix('unix:')}" for address in found}
    if listen.host in {"127.0.0.1", "::1", "localhost"}:
        found |= {f"inet:{host}:{listen.port}" for host in ("127.0.0.1", "localhost", "[::1]")}
    return frozenset(found)


def first_of(value: str, ours: str, separator: str = ", ") -> str:
    """Return a list with ours in front, once."""
    others = [item for item in split(value) if item != ours]
    return separator.join((ours, *others))


def last_of(value: str, ours: frozenset[str], spelt: str) -> str:
    """Return a list of milters with ours at its end, once."""
    others = [item for item in split(value) if milters(item)[0] not in ours]
    return ", ".join((*others, spelt))


def split(value: str) -> list[str]:
    """Split a list at blanks and commas, but not within braces (postconf(5), MILTER_README)."""
    items: list[str] = []
    depth, current = 0, ""
    for character in f"{value} ":
        depth += (character == "{") - (character == "}")
        if depth or character not in ", \t":
            current += character
        elif current:
            items.append(current)
            current = ""
    return items


def milters(value: str) -> list[str]:
    """Return the addresses of a list of milters, without the options that braces may give each."""
    return [address for address, _ in described(value)]


def described(value: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the address of each milter of a list, and the options that its braces give it."""
    for item in split(value):
        address, _, options = item.strip("{} ").partition(",")
        pairs = (option.partition("=") for option in split(options))
        yield address.strip(), {name.strip(): setting.strip() for name, _, setting in pairs}


def kept(postfix: Installed) -> dict[str, str]:
    """Return the settings as they are written; a default that is a formula as what it comes to."""
    return {n: postfix.main.get(n, "") if "${{" in v else v for n, v in postfix.literal.items()}


def main_lines(site: Site, postfix: Installed, table: str, *, conceals: bool = False) -> Iterator[Line]:
    """Yield the lines of main.cf, with what Postfix has already kept around ours.

    :param table: the generated map as Postfix names it, ``lmdb:/path``.
    :param conceals: whether the policy keeps groups from strangers' knowledge (``conceal_groups``).
    """
    written = kept(postfix) if postfix.main else DEFAULTS
    queue = postfix.main.get("queue_directory", QUEUE_DIRECTORY)
    ours, spelt = addresses(site.listen, queue), milter_address(site.listen, queue)
    smtpd = last_of(written.get("smtpd_milters", ""), ours, spelt)
    yield Line(
        "smtpd_milters", smtpd, "Ours is the last: what a later milter refuses, we would still expand."
    )
    local = last_of(written.get("non_smtpd_milters", ""), ours, spelt)
    yield Line("non_smtpd_milters", local, "What this host's own programs submit obeys the groups too.")
    yield Line(
        "milter_default_action", "tempfail", "groupmilter down: the client tries again, nothing goes astray."
    )
    yield from _recipients(site, table, written)
    yield Line("enable_original_recipient", "yes", "Else Postfix doesn't find the group that is taken out.")
    yield Line("recipient_delimiter", site.mta.recipient_delimiter, "As mta.recipient_delimiter here.")
    yield Line("message_size_limit", str(site.mta.message_size_limit), "As mta.message_size_limit here.")
    yield from _sessions(written, known=postfix.main)
    keywords = split(written.get("smtpd_discard_ehlo_keywords", ""))
    yield Line(
        "smtpd_discard_ehlo_keywords",
        ", ".join(dict.fromkeys((*keywords, "silent-discard", "dsn"))),
        "Else Postfix tells strangers 'expanded', and members' addresses with it.",
    )

    if conceals:
        why = (
            "conceal_groups: Postfix says the same of an unknown address as groupmilter of a concealed group."
        )
        yield Line("show_user_unknown_table_name", "no", why)
        yield Line("disable_vrfy_command", "yes", "conceal_groups: else VRFY tells which groups there are.")
    if site.certificates:
        why = "certificates: Postfix asks clients for theirs, and trusts those that smtpd_tls_CAfile has signed."
        yield Line("smtpd_tls_ask_ccert", "yes", why)


def _sessions(written: Mapping[str, str], known: Mapping[str, str]) -> Iterator[Line]:
    """Yield what keeps one client's message from being read as two."""
    why = "Else a second message can be smuggled inside a first one."
    yield Line("smtpd_forbid_bare_newline", "normalize", why)
    why = "Nobody is exempt: a relay of yours passes on what it was given."
    yield Line("smtpd_forbid_bare_newline_exclusions", "", why)
    why = "A client that doesn't wait for answers where it has to is no mail program."
    if "smtpd_forbid_unauth_pipelining" in known:
        yield Line("smtpd_forbid_unauth_pipelining", "yes", why)
    else:
        value = first_of(written.get("smtpd_data_restrictions", ""), "reject_unauth_pipelining")
        yield Line("smtpd_data_restrictions", value, why)


def _recipients(site: Site, table: str, values: Mapping[str, str]) -> Iterator[Line]:
    domain = site.service.domain
    if site.mode is not Mode.OBSERVE:
        # Who only observes doesn't take a group out of the envelope, and the table would lead it into the hold mailbox.
        yield Line(
            "virtual_alias_maps",
            first_of(values.get("virtual_alias_maps", ""), table),
            "The groups and where their mail waits should groupmilter be passed by; before any other table.",
        )
    yield Line(
        "relay_domains",
        first_of(values.get("relay_domains", ""), domain),
        "The service domain: tickets of held mail are addressed there.",
    )
    if values.get("relay_recipient_maps"):
        maps = first_of(values["relay_recipient_maps"], f"inline:{{{{@{domain}=ok}}}}")
        yield Line("relay_recipient_maps", maps, "Every address of the service domain is one.")
    yield Line(
        "transport_maps",
        first_of(values.get("transport_maps", ""), f"inline:{{{{{domain}={HOLD_SERVICE}:}}}}"),
        "Mail for the service domain goes into the hold mailbox.",
    )


def master_entries(site: Site, postfix: Installed, owner: Owner) -> Iterator[Entry]:
    """Yield the services that master.cf needs."""
    mailbox, domain = site.hold_mailbox, site.service.domain
    yield Entry(
        HOLD_SERVICE,
        f"{HOLD_SERVICE} unix  -       n       n       -       -       virtual",
        (
            f"virtual_mailbox_base={mailbox.parent}",
            f"virtual_mailbox_maps=inline:{{{{@{domain}={mailbox.name}/}}}}",
            f"virtual_uid_maps=static:{owner.uid}",
            f"virtual_gid_maps=static:{owner.gid}",
            "virtual_minimum_uid=1",
            "virtual_mailbox_limit=0",
        ),
        "Writes the hold mailbox, a Maildir, as the user that groupmilter runs as."
        + (
            f" THERE IS NO USER {owner.missing} HERE YET: make it first, and print this again."
            * bool(owner.missing)
        ),
    )
    yield _release(site, postfix)
    yield Entry(
        CLEANUP_SERVICE,
        f"{CLEANUP_SERVICE} unix n       -       n       -       0       cleanup",
        (f"message_size_limit={site.mta.message_size_limit + RELEASE_HEADROOM}",),
        "For what comes back: what Postfix has taken once is not too large with a Received line more.",
    )


def _release(site: Site, postfix: Installed) -> Entry:
    release = site.service.release
    queue = postfix.main.get("queue_directory", QUEUE_DIRECTORY)
    return Entry(
        "release",
        f"{release.host}:{release.port} inet  n       -       n       -       -       smtpd",
        (
            "syslog_name=postfix/groupmilter-release",
            f"cleanup_service_name={CLEANUP_SERVICE}",
            f"message_size_limit={site.mta.message_size_limit + RELEASE_HEADROOM}",
            f"milter_macro_daemon_name={release.daemon_name}",
            f"smtpd_milters={milter_address(site.listen, queue)}",
            "smtpd_sasl_auth_enable=yes",
            "smtpd_sasl_type=dovecot",
            f"smtpd_sasl_path={below(site.release_socket, queue)}",
            *_RELEASE_OPTIONS,
        ),
        "Takes approved mail back and sends letters to moderators, for whoever knows our password only: every local"
        " account can reach a port. Postfix asks groupmilter itself about it, so there is no password to set up. The"
        " rest keeps main.cf's checks from what has passed them, and the message as it was sent.",
    )
