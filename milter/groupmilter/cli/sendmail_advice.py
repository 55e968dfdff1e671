"""What a sendmail.cf lacks, or makes unsafe, beside a configuration of ours. Pure: its text in, advice out.

Read is what m4 has made (X, O, K, M lines), so it doesn't matter how sendmail.mc says it. Sources: op.me of Sendmail
8.17 (chapter 5), and trials with Debian's 8.17.1.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groupmilter.cli.advice import Advice, Level
from groupmilter.cli.sendmail_wanted import HOLD_MAILER, milter_address
from groupmilter.config.model import Mode
from groupmilter.policy.settings import LOCAL_DAEMON_NAME

if TYPE_CHECKING:
    from groupmilter.config.model import Site

_AREA = "sendmail"
_PRINTED = "see: groupmilter sendmail"
_LOOPBACK = {"127.0.0.1", "::1", "IPv6:0:0:0:0:0:0:0:1", "localhost"}
_END_SECONDS = 240
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Cf:
    """The lines of a sendmail.cf that concern us, each equation by its name in lower case.

    :param filters: milters by name. ``order``: those that are asked, ``InputMailFilters``.
    """

    filters: Mapping[str, Mapping[str, str]]
    order: tuple[str, ...]
    daemons: tuple[Mapping[str, str], ...]
    mailers: Mapping[str, Mapping[str, str]]
    maps: Mapping[str, str]
    most: int


def read_cf(text: str) -> Cf:
    """Read a sendmail.cf; what isn't ours to know is left out."""
    lines = re.sub(r"\n[ \t]+", " ", text).split("\n")
    options = [found for line in lines if (found := re.fullmatch(r"O (\w+)=(.*)", line))]
    named = {found[1]: found[2].strip() for found in options}
    size = named.get("MaxMessageSize", "0")
    return Cf(
        filters=_by_name(lines, "X"),
        order=tuple(
            name.strip() for name in re.split(r"[,;]", named.get("InputMailFilters", "")) if name.strip()
        ),
        daemons=tuple(_equations(found[2]) for found in options if found[1] == "DaemonPortOptions"),
        mailers=_by_name(lines, "M"),
        maps={words[0][1:]: line for line in lines if line.startswith("K") and (words := line.split())},
        most=int(size) if size.isdigit() else 0,
    )


def _by_name(lines: list[str], letter: str) -> dict[str, Mapping[str, str]]:
    found = (line[1:].partition(",") for line in lines if line.startswith(letter))
    return {name.strip(): _equations(rest) for name, _, rest in found}


def _equations(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(","))
    return {name.strip().lower(): value.strip() for name, equals, value in parts if equals}


def advise_sendmail(site: Site, cf: Cf, owner: str | None) -> Iterator[Advice]:
    """Yield everything that is worth saying, in the order in which to mend it.

    :param owner: name of the user that groupmilter runs as, None where that isn't known.
    """
    yield from _milter(site, cf)
    yield from _listeners(site, cf)
    yield from _hold(site, cf, owner)
    yield from _size(site, cf)


def _bad(subject: str, text: str, fix: str = _PRINTED) -> Advice:
    return Advice(Level.ERROR, _AREA, subject, text, fix)


def _warn(subject: str, text: str, fix: str = _PRINTED) -> Advice:
    return Advice(Level.WARNING, _AREA, subject, text, fix)


def _ok(subject: str, text: str) -> Advice:
    return Advice(Level.OK, _AREA, subject, text)


def _names(site: Site, cf: Cf) -> list[str]:
    """Return the names of our own milter there."""
    spelt = {milter_address(site.listen), milter_address(site.listen).replace("unix:", "local:")}
    return [name for name, said in cf.filters.items() if said.get("s") in spelt]


def _milter(site: Site, cf: Cf) -> Iterator[Advice]:
    ours = next((name for name in _names(site, cf) if name in cf.order), None)
    if ours is None:
        yield _bad("INPUT_MAIL_FILTER", "groupmilter isn't there, so mail reaches groups unchecked.")
        return
    said = cf.filters[ours]
    if cf.order[-1] != ours:
        text = f"groupmilter stands before {cf.order[-1]}: a recipient that a later milter refuses would still be"
        yield _bad("INPUT_MAIL_FILTER", f"{text} expanded. Put it last.")
    else:
        yield _ok("INPUT_MAIL_FILTER", "groupmilter is there, and last.")
    if said.get("f") not in {"T", "4"}:
        text = "while groupmilter is down, mail has to wait, not to pass it by or be refused."
        yield _bad("INPUT_MAIL_FILTER F=", f"it is {said.get('f') or 'not set'}: {text}", "F=T")
    times = dict(part.strip().partition(":")[::2] for part in said.get("t", "").split(";"))
    if _seconds(times.get("E", "")) <= _END_SECONDS:
        text = "Sendmail may give up before a large group is expanded, and a message is deferred again and again."
        yield _warn("INPUT_MAIL_FILTER T=", text, "T=C:5m;S:30s;R:30s;E:5m")


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)([smh]?)", text)
    return int(found[1]) * _UNITS[found[2] or "s"] if found else 0


def _listeners(site: Site, cf: Cf) -> Iterator[Advice]:
    ours = set(_names(site, cf))
    for daemon in cf.daemons:
        own = daemon.get("inputmailfilters", daemon.get("i"))
        if own is not None and not ours & set(re.split(r"[;\s]+", own)):
            text = "this listener has milters of its own without groupmilter: a door past the groups' rules."
            yield _bad(f"DAEMON_OPTIONS {daemon.get('name', '')}", text)
    release = site.service.release
    found = next((one for one in cf.daemons if one.get("name") == release.daemon_name), None)
    subject = f"DAEMON_OPTIONS {release.daemon_name}"
    if found is None:
        yield _bad(subject, "there is no release listener: approved mail can't go out, and no letter either.")
    elif found.get("addr", found.get("address")) not in _LOOPBACK or found.get("port") != str(release.port):
        yield _bad(subject, f"it has to listen on {release.host}, port {release.port}, and there only.")
    elif "a" not in found.get("m", found.get("modifiers", "")):
        yield _bad(subject, "it asks for no log-in, and every account of this host can reach it.", "M=Ea")
    else:
        yield _ok(subject, "it is there, on loopback, and asks for a log-in.")
    yield from _local(cf)


def _local(cf: Cf) -> Iterator[Advice]:
    subject = f"DAEMON_OPTIONS {LOCAL_DAEMON_NAME}"
    found = next((one for one in cf.daemons if one.get("name") == LOCAL_DAEMON_NAME), None)
    if found is None:
        text = (
            "there is no listener for local submission: this host's own programs are clients like any others."
        )
        yield _warn(subject, text)
    elif found.get("addr", found.get("address")) not in _LOOPBACK:
        yield _bad(subject, "it can be reached from outside this host; bind it to loopback.")


def _hold(site: Site, cf: Cf, owner: str | None) -> Iterator[Advice]:
    mailer = cf.mailers.get(HOLD_MAILER)
    if mailer is None:
        yield _bad(HOLD_MAILER, f"there is no mailer {HOLD_MAILER}: mail to be held bounces.")
    elif mailer.get("a", "").split()[-1:] != [str(site.hold_mailbox)]:
        yield _bad(HOLD_MAILER, f"it doesn't write {site.hold_mailbox}, where groupmilter looks.")
    elif owner is not None and mailer.get("u", "").partition(":")[0] != owner:
        text = f"it writes as {mailer.get('u') or 'nobody in particular'}, while groupmilter runs as {owner}."
        yield _bad(HOLD_MAILER, text, f"U={owner}")
    else:
        yield _ok(HOLD_MAILER, f"it writes {site.hold_mailbox}.")
    there = str(site.map.path) in cf.maps.get("groupmilter", "").split()
    if site.mode is Mode.OBSERVE and there:
        text = "mode is observe, so nobody takes a group out again that this map leads into the hold mailbox."
        yield _bad("Kgroupmilter", text)
    elif site.mode is Mode.ENFORCE and not there:
        text = "the generated map isn't there: nothing catches groups' mail past groupmilter."
        yield _bad("Kgroupmilter", text)


def _size(site: Site, cf: Cf) -> Iterator[Advice]:
    if cf.most and cf.most <= site.mta.message_size_limit:
        text = f"Sendmail takes {cf.most} octets, mta.message_size_limit here says {site.mta.message_size_limit}:"
        yield _bad("confMAX_MESSAGE_SIZE", f"{text} what it has taken may be too large when it comes back.")
