"""What sendmail.mc and submit.mc have to say for a configuration of ours. Pure: settings in, lines out.

Sources: cf/README and op.me of Sendmail 8.17 (INPUT_MAIL_FILTER, DAEMON_OPTIONS, LOCAL_RULE_0, MAILER_DEFINITIONS),
and trials with Debian's 8.17.1.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groupmilter.config.model import Mode
from groupmilter.policy.settings import LOCAL_DAEMON_NAME, RELEASE_HEADROOM

if TYPE_CHECKING:
    from groupmilter.config.model import Site
    from groupmilter.config.places import Listen

HOLD_MAILER = "groupmilter-hold"
_QUOTED = re.compile(r"[`']")


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines that belong together, with the reason that stands above them."""

    lines: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Beside:
    """What the configuration doesn't say: where the program is, who runs it, and the port of local submission."""

    program: Path
    user: str
    local_port: int
    missing: bool = False


def milter_address(listen: Listen) -> str:
    """Return our socket as Sendmail names it (S= of INPUT_MAIL_FILTER)."""
    if listen.kind == "fd":
        return "unix:/run/groupmilter/milter.sock"
    return str(listen)


def sendmail_pieces(site: Site, beside: Beside) -> Iterator[Piece]:
    """Yield what sendmail.mc needs, to be put at its end."""
    yield Piece(
        (
            _macro("INPUT_MAIL_FILTER", "groupmilter", f"S={milter_address(site.listen)}, F=T,"
                   " T=C:5m;S:30s;R:30s;E:5m"),
        ),
        "The milter; the last one: what a later one refuses, we would still expand. F=T: while it is down, mail waits"
        " at the client; without it, mail would pass as if there were none. Each answer may take longer than ours do.",
    )  # fmt: skip
    yield Piece(
        (_macro("define", "confMAX_MESSAGE_SIZE", str(site.mta.message_size_limit + RELEASE_HEADROOM)),),
        "As mta.message_size_limit here, and room for what comes back with a Received line more.",
    )
    yield from _listeners(site, beside)
    yield from _routes(site)
    yield _hold(site, beside)


def _listeners(site: Site, beside: Beside) -> Iterator[Piece]:
    release = site.service.release
    yield Piece(
        (_daemon(release.daemon_name, release.host, release.port, "Ea"),),
        "Takes approved mail back and sends letters to moderators, for whoever can log in only (M=a): every local"
        " account can reach a port. The log-in is set up below.",
    )
    yield Piece(
        (_daemon(LOCAL_DAEMON_NAME, "127.0.0.1", beside.local_port, "EA"),),
        "Where this host's own programs submit (submit.mc, below). By its name the milter knows local submission.",
    )


def _routes(site: Site) -> Iterator[Piece]:
    domain, table = site.service.domain, site.map.path
    yield Piece(
        (f"RELAY_DOMAIN(`{domain}')dnl",),
        "The service domain: tickets of held mail are addressed there. The milter refuses what strangers send to it.",
    )
    rules = [f"R$+ < @ {domain} . >\t\t$#{HOLD_MAILER} $@ {domain} $: $1 < @ {domain} . >"]
    config = ["LOCAL_CONFIG"]
    if site.mode is not Mode.OBSERVE:
        # Who only observes doesn't take a group out of the envelope, and the table would lead it into the hold mailbox.
        config.append(f"Kgroupmilter text -k0 -v0 {table}")
        rules += _group_rules(domain, site.mta.recipient_delimiter)
    yield Piece(
        ((*config, "LOCAL_RULE_0") if len(config) > 1 else ("LOCAL_RULE_0",)) + tuple(rules),
        "Mail for the service domain goes into the hold mailbox, and so does a group's that the milter has not taken"
        " out of the envelope, should it be passed by. It makes the groups known addresses, before aliases and"
        " virtusertable. Left and right side stand apart by a tab.",
    )  # fmt: skip


def _group_rules(domain: str, delimiter: str) -> Iterator[str]:
    """Yield rules that look an address up among the groups', without its extension too, and keep it as it is."""
    yield "R$+ < @ $+ . >\t\t\t$: < $(groupmilter $1 @ $2 $: ? $) > $1 < @ $2 . >"
    yield "R< ? > $*\t\t\t$: ? $1"
    # What stands there as a whole, a group's +join as well, has no extension to be kept.
    yield f"R< $+ @ $+ > $*\t\t\t$#{HOLD_MAILER} $@ {domain} $: $1 < @ $2 . >"
    if delimiter == "+":
        yield "R? $+ + $* < @ $+ . >\t\t$: < $(groupmilter $1 @ $3 $: ? $) > $1 + $2 < @ $3 . >"
        yield "R< ? > $*\t\t\t$: ? $1"
        yield f"R< $+ @ $+ > $+ + $* < @ $+ . >\t$#{HOLD_MAILER} $@ {domain} $: $1 + $4 < @ $2 . >"
    yield "R? $*\t\t\t\t$: $1"


def _hold(site: Site, beside: Beside) -> Piece:
    missing = f" THERE IS NO USER {beside.user} HERE YET: make it first." if beside.missing else ""
    return Piece(
        (
            "MAILER_DEFINITIONS",
            "SGroupmilterAsIs",
            "R$*\t\t\t$@ $1",
            f"M{HOLD_MAILER},\tP={beside.program}, F=nmuzX, S=GroupmilterAsIs, R=GroupmilterAsIs, E=\\r\\n, L=0,",
            f"\t\tT=DNS/RFC822/SMTP, U={beside.user}, A=groupmilter deliver {site.hold_mailbox}",
        ),
        "Writes the hold mailbox, a Maildir, as the user that groupmilter runs as: Sendmail hands each message to the"
        f" program by LMTP (F=z) and keeps it until it is on disk.{missing}",
    )


def submit_pieces(beside: Beside) -> Iterator[Piece]:
    """Yield what submit.mc needs."""
    yield Piece(
        (_macro("define", "RELAY_MAILER_ARGS", f"TCP $h {beside.local_port}"),
         "FEATURE(`msp', `[127.0.0.1]')dnl"),
        "What this host's own programs submit by sendmail(8) goes by the milter, too; in place of the line with msp"
        " that is there.",
    )  # fmt: skip


def login_pieces(site: Site, database: Path, host: str) -> Iterator[Piece]:
    """Yield the commands that make our log-in known to Cyrus SASL, in the realm that is Sendmail's name."""
    release = site.service.release
    yield Piece(
        (f"saslpasswd2 -c -p -f {database} -u {host} {release.login} < {release.secret_file}",),
        "Once, and whenever the password changes. Sendmail asks Cyrus SASL about log-ins: its Sendmail.conf needs"
        " auxprop in pwcheck_method, and sasldb in auxprop_plugin.",
    )


def _daemon(name: str, host: str, port: int, modifiers: str) -> str:
    family = "inet6" if ":" in host else "inet"
    return f"DAEMON_OPTIONS(`Name={name}, Family={family}, Addr={host}, Port={port}, M={modifiers}')dnl"


def _macro(name: str, *arguments: str) -> str:
    """Return a call of m4, whose quotes no argument can hold."""
    quoted = ", ".join("`" + _QUOTED.sub("", argument) + "'" for argument in arguments)
    return f"{name}({quoted})dnl"
