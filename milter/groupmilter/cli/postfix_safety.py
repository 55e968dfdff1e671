"""What Postfix's own settings leave open beside us: smuggling, odd addresses, enumeration. Pure, settings to advice.

None of it is groupmilter's to prevent: a smuggled message bears the first one's log-in before any milter sees it.
Sources: postconf(5), Postfix HISTORY, smtpsmuggling.com, and trials with Postfix 3.7 (tests/e2e/test_smuggling.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from groupmilter.cli.advice import Advice, Level
from groupmilter.cli.postfix_clients import networks_of
from groupmilter.cli.postfix_wanted import milters, split

if TYPE_CHECKING:
    from groupmilter.cli.postfix_installed import Installed

_AREA = "postfix"
_CLOSED = {"normalize", "yes", "reject"}
_WAITED = "reject_unauth_pipelining"
_ACCEPTED_EARLY = {(3, 7): 22, (3, 8): 20, (3, 9): 14, (3, 10): 13, (3, 11): 6}
"""The patch of each release since which a milter's early ACCEPT ends with its message (HISTORY, 20260803)."""

_LOGIN_CHECKS = {
    "reject_sender_login_mismatch",
    "reject_authenticated_sender_login_mismatch",
    "reject_known_sender_login_mismatch",
}
_RESTRICTIONS = ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")
_ADDRESSES = (
    (
        "append_at_myorigin",
        "no",
        Level.WARNING,
        "a group's address without its domain isn't completed, nor known.",
    ),
    ("resolve_numeric_domain", "yes", Level.WARNING, "group@127.0.0.1 is taken for a mailbox of this host."),
    ("resolve_dequoted_address", "no", Level.WARNING, "quoted addresses are read in two ways."),
    (
        "allow_percent_hack",
        "yes",
        Level.HINT,
        "group%domain is read as group@domain, a spelling nobody needs.",
    ),
    ("swap_bangpath", "yes", Level.HINT, "domain!group is read as group@domain, a spelling nobody needs."),
)
"""Settings for odd addresses, and the value that is worse. Groups obey their rules in each spelling (tests)."""


def advise_safety(postfix: Installed, lines: Mapping[str, str], conceals: bool) -> Iterator[Advice]:
    """Yield what is open, in the order in which to mend it.

    :param lines: what `groupmilter postfix` prints for main.cf, by the setting's name.
    :param conceals: whether the policy keeps groups from strangers' knowledge.
    """
    yield from _newlines(postfix, lines)
    yield from _exempt(postfix, lines)
    yield from _pipelining(postfix, lines)
    yield from _reports(postfix)
    if conceals:
        yield from _concealed(postfix, lines)
    yield from _addresses(postfix)
    yield from _logins(postfix)
    yield from _early_accept(postfix)


def _bad(subject: str, text: str, fix: str = "") -> Advice:
    return Advice(Level.ERROR, _AREA, subject, text, fix)


def _warn(subject: str, text: str, fix: str = "") -> Advice:
    return Advice(Level.WARNING, _AREA, subject, text, fix)


def _hint(subject: str, text: str, fix: str = "") -> Advice:
    return Advice(Level.HINT, _AREA, subject, text, fix)


def _newlines(postfix: Installed, lines: Mapping[str, str]) -> Iterator[Advice]:
    name = "smtpd_forbid_bare_newline"
    hole = "a second message can be smuggled inside a first one, under the first one's log-in"
    for place, value, lead in postfix.places(name):
        if not value and place == name:
            yield _bad(place, f"this Postfix is too old to know it: {hole}. Update Postfix.")
        elif value.lower() not in _CLOSED:
            fix = f"{lead}{name}=normalize" if lead else lines[name]
            yield _bad(place, f"{name if lead else 'it'} is {value or 'empty'}: {hole}.", fix)


def _exempt(postfix: Installed, lines: Mapping[str, str]) -> Iterator[Advice]:
    """Clients that are exempt pass a smuggled message on, should somebody have given them one."""
    name = "smtpd_forbid_bare_newline_exclusions"
    for place, value, lead in postfix.places(name):
        if not value:
            continue
        found, tables = networks_of(value)
        local = not tables and all(net.is_loopback for net in found)
        text = f"{value} is exempt from smtpd_forbid_bare_newline: what is smuggled through these hosts is taken."
        fix = f"{lead}{name}=" if lead else lines[name]
        yield (_hint if local else _warn)(place, text, fix)


def _pipelining(postfix: Installed, lines: Mapping[str, str]) -> Iterator[Advice]:
    name = "smtpd_forbid_unauth_pipelining"
    wanted = name if name in lines else "smtpd_data_restrictions"
    for service in postfix.listeners:
        if "milter_macro_daemon_name" in service.overrides:
            continue  # the release listener knows its only client
        waits = _WAITED in split(postfix.effective(service, "smtpd_data_restrictions"))
        if waits or postfix.effective(service, name) == "yes":
            continue
        text = "clients needn't wait for the answers they have to wait for, as smuggled commands don't."
        if service.overrides.get(name) or service.overrides.get("smtpd_data_restrictions") is not None:
            fix = (
                f"    -o {name}=yes" if name in postfix.main else f"    -o smtpd_data_restrictions={_WAITED}"
            )
            yield _warn(f"master.cf {service.name}", text, fix)
        else:
            yield _warn(wanted, text, lines[wanted])
            return


def _reports(postfix: Installed) -> Iterator[Advice]:
    """Name each listener for strangers that offers DSN although main.cf doesn't."""
    name = "smtpd_discard_ehlo_keywords"
    for service in postfix.listeners:
        value = service.overrides.get(name)
        hidden = (
            service.is_submission or service.on_loopback or "milter_macro_daemon_name" in service.overrides
        )
        if value is None or hidden or "dsn" in {word.lower() for word in split(value)}:
            continue
        text = "DSN is offered here: asked for a success report, Postfix tells strangers what a group became."
        fix = f"    -o {name}={','.join((*split(value), 'silent-discard', 'dsn'))}"
        yield _warn(f"master.cf {service.name}", text, fix)


def _concealed(postfix: Installed, lines: Mapping[str, str]) -> Iterator[Advice]:
    """With `conceal_groups`, Postfix has to say of an unknown address what we say of a group, and VRFY nothing."""
    if postfix.main.get("show_user_unknown_table_name", "yes") != "no":
        text = "conceal_groups is set, but Postfix words the refusal of an unknown address otherwise: it names a table."
        yield _warn("show_user_unknown_table_name", text, lines["show_user_unknown_table_name"])
    if postfix.main.get("disable_vrfy_command", "no") != "yes":
        text = "conceal_groups is set, but VRFY tells anybody which addresses there are."
        yield _warn("disable_vrfy_command", text, lines["disable_vrfy_command"])


def _addresses(postfix: Installed) -> Iterator[Advice]:
    for name, worse, level, text in _ADDRESSES:
        if postfix.main.get(name) == worse:
            yield Advice(level, _AREA, name, text, f"{name} = {'no' if worse == 'yes' else 'yes'}")


def _logins(postfix: Installed) -> Iterator[Advice]:
    """Groups obey the log-in whatever envelope it writes; all other mail is Postfix's business."""
    for service in postfix.listeners:
        named = "milter_macro_daemon_name" in service.overrides
        if named or postfix.effective(service, "smtpd_sasl_auth_enable") != "yes":
            continue
        checks = (split(postfix.effective(service, f"smtpd_{one}_restrictions")) for one in _RESTRICTIONS)
        if _LOGIN_CHECKS.isdisjoint(word for words in checks for word in words):
            text = (
                "who logs in here may write to persons in anybody's name: nothing compares log-in and envelope"
                " sender (smtpd_sender_login_maps). Groups aren't concerned, groupmilter compares for them."
            )
            fix = "    -o smtpd_sender_restrictions=reject_sender_login_mismatch"
            yield _hint(f"master.cf {service.name}", text, fix)


def _early_accept(postfix: Installed) -> Iterator[Advice]:
    """Groupmilter never accepts early; a milter before it may, and what that one keeps out reaches us then."""
    others = len(milters(postfix.main.get("smtpd_milters", ""))) > 1
    version = re.match(r"(\d+)\.(\d+)\.(\d+)$", postfix.main.get("mail_version", ""))
    if version is None or not others or not postfix.main.get("smtpd_end_of_data_restrictions"):
        return
    major, minor, patch = map(int, version.groups())
    mended = _ACCEPTED_EARLY.get((major, minor), 0 if (major, minor) > max(_ACCEPTED_EARLY) else patch + 1)
    if patch < mended:
        text = (
            f"Postfix {version[0]} may pass a milter by for a session's next message once it has accepted early and"
            " smtpd_end_of_data_restrictions has refused. Groupmilter never accepts early; others may. Update Postfix."
        )
        yield _warn("version", text)
