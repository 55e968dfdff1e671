"""What Postfix's settings lack, or make unsafe, beside a configuration of ours. Pure: settings in, advice out.

Each piece of advice says why, and gives the line to set. Sources: postconf(5), MILTER_README, and trials with
Postfix 3.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from groupmilter.cli.advice import Advice, Level
from groupmilter.cli.postfix_moderation import brings_back
from groupmilter.cli.postfix_wanted import addresses, described, main_lines, milter_address, milters, split
from groupmilter.config.model import Mode

if TYPE_CHECKING:
    from groupmilter.cli.postfix_installed import Installed
    from groupmilter.config.model import Site

_AREA = "postfix"
_LOCAL = {"pickup", "cleanup", "qmqpd"}
_SHUTS = {"tempfail", "shutdown"}
_REWRITES = "no_address_mappings"
_UNFILTERED = "no_milters"


def lines_of(site: Site, postfix: Installed, generated: str, *, conceals: bool = False) -> dict[str, str]:
    """Return the lines that `groupmilter postfix` prints for main.cf, by the setting's name."""
    return {line.name: str(line) for line in main_lines(site, postfix, generated, conceals=conceals)}


def advise(site: Site, postfix: Installed, generated: str) -> Iterator[Advice]:
    """Yield everything that is worth saying, in the order in which to mend it.

    :param generated: the generated map as Postfix names it, ``lmdb:/path``.
    """
    lines = lines_of(site, postfix, generated)
    yield from _milter_list(site, postfix, lines)
    yield from _doors(site, postfix)
    yield from _local_doors(site, postfix)
    yield from _failing(site, postfix, lines)
    yield from _tables(site, postfix, generated, lines)
    yield from _plain_settings(site, postfix, lines)


def _bad(subject: str, text: str, fix: str = "") -> Advice:
    return Advice(Level.ERROR, _AREA, subject, text, fix)


def _warn(subject: str, text: str, fix: str = "") -> Advice:
    return Advice(Level.WARNING, _AREA, subject, text, fix)


def _ok(subject: str, text: str) -> Advice:
    return Advice(Level.OK, _AREA, subject, text)


def _ours(site: Site, postfix: Installed) -> frozenset[str]:
    return addresses(site.listen, postfix.main["queue_directory"])


def _milter_list(site: Site, postfix: Installed, lines: dict[str, str]) -> Iterator[Advice]:
    ours = _ours(site, postfix)
    for name, who in (("smtpd_milters", "mail by SMTP"), ("non_smtpd_milters", "local submission")):
        listed = milters(postfix.main.get(name, ""))
        if ours.isdisjoint(listed):
            yield _bad(name, f"groupmilter isn't there, so {who} reaches groups unchecked.", lines[name])
        elif listed[-1] not in ours:
            text = (
                f"groupmilter stands before {listed[-1]}: a recipient that a later milter refuses would still"
                " be expanded. Put it last."
            )
            yield _bad(name, text, lines[name])
        else:
            yield _ok(name, "groupmilter is there, and last.")


def _doors(site: Site, postfix: Installed) -> Iterator[Advice]:
    """Name each listener that overrides the milters or switches them off: a door past the groups' rules."""
    ours, spelt = _ours(site, postfix), milter_address(site.listen, postfix.main["queue_directory"])
    for service in postfix.listeners:
        if postfix.is_return_path(service):
            continue
        label = f"master.cf {service.name}"
        if _UNFILTERED in split(postfix.effective(service, "receive_override_options")):
            text = f"this listener has {_UNFILTERED}: whoever may use it reaches groups unchecked, a door."
            yield _warn(
                label, f"{text} Right for a content filter's return path on loopback, and there only."
            )
            continue
        override = service.overrides.get("smtpd_milters")
        listed = milters(override or "")
        if override is not None and ours.isdisjoint(listed):
            text = "this listener has milters of its own without groupmilter: a door past the groups' rules."
            yield _bad(label, text, f"    -o smtpd_milters={','.join((*listed, spelt))}")
        elif override is not None and listed[-1] not in ours and not brings_back(site, service):
            yield _bad(label, "groupmilter isn't the last of this listener's milters.")
        action = service.overrides.get("milter_default_action")
        if action is not None and action not in _SHUTS:
            yield _bad(
                label, f"milter_default_action={action} here.", "    -o milter_default_action=tempfail"
            )


def _local_doors(site: Site, postfix: Installed) -> Iterator[Advice]:
    """Name what lets local submission, or some clients, past our milter."""
    ours = _ours(site, postfix)
    for service in postfix.services:
        label = f"master.cf {service.name}"
        override = service.overrides.get("non_smtpd_milters")
        without = override is not None and ours.isdisjoint(milters(override))
        own = split(service.overrides.get("receive_override_options", ""))
        if service.command in _LOCAL and (without or _UNFILTERED in own):
            yield _bad(label, "local submission through this service reaches groups unchecked, a door.")
    maps = postfix.main.get("smtpd_milter_maps", "")
    if maps:
        text = f"{maps} gives the clients that it lists other milters, or none: each may be a door."
        yield _warn("smtpd_milter_maps", text)


def _failing(site: Site, postfix: Installed, lines: dict[str, str]) -> Iterator[Advice]:
    name = "milter_default_action"
    lost = "should groupmilter die while it edits an envelope, mail can be lost."
    action = postfix.main.get(name, "")
    if action in _SHUTS:
        yield _ok(name, f"{action}: mail waits while groupmilter is down.")
    else:
        yield _bad(name, f"it is {action}: {lost}", lines[name])
    ours = _ours(site, postfix)
    for place, value in _milter_lists(postfix):
        own = [options.get("default_action", "") for address, options in described(value) if address in ours]
        yield from (
            _bad(place, f"default_action={action} is set for groupmilter there: {lost}")
            for action in own
            if action and action not in _SHUTS
        )
    for service in postfix.services:
        action = service.overrides.get(name, "")
        if service.command in _LOCAL and action and action not in _SHUTS:
            fix = f"    -o {name}=tempfail"
            yield _bad(f"master.cf {service.name}", f"{name}={action} here: {lost}", fix)


def _milter_lists(postfix: Installed) -> Iterator[tuple[str, str]]:
    names = ("smtpd_milters", "non_smtpd_milters")
    yield from ((name, postfix.main.get(name, "")) for name in names)
    for service in postfix.services:
        label = f"master.cf {service.name}"
        yield from ((label, service.overrides[name]) for name in names if name in service.overrides)


def _tables(site: Site, postfix: Installed, generated: str, lines: dict[str, str]) -> Iterator[Advice]:
    listed = split(postfix.main.get("virtual_alias_maps", ""))
    paths = [item.partition(":")[2] for item in listed]
    there = str(site.map.path) in paths
    if site.mode is Mode.OBSERVE and there:
        text = (
            "mode is observe, so nobody takes a group out again that this table leads into the hold mailbox."
        )
        yield _bad("virtual_alias_maps", text)
    elif site.mode is Mode.ENFORCE and not there:
        text = (
            "the generated map isn't there: Postfix doesn't know the groups' addresses, and nothing catches"
        )
        yield _bad("virtual_alias_maps", f"{text} their mail past groupmilter.", lines["virtual_alias_maps"])
    elif there and paths[0] != str(site.map.path):
        text = (
            f"the generated map stands behind {listed[0]}, which may know a group too and expand it itself."
        )
        yield _bad("virtual_alias_maps", text, lines["virtual_alias_maps"])
    elif there:
        yield _ok("virtual_alias_maps", f"{generated} is the first table.")
    if there:
        yield from _other_tables(site, postfix)
    yield from _service_domain(site, postfix, lines)


def _other_tables(site: Site, postfix: Installed) -> Iterator[Advice]:
    """Name each service that puts other tables in the generated map's place, or asks none."""
    for service in postfix.services:
        value = service.overrides.get("virtual_alias_maps")
        first = [item.partition(":")[2] for item in split(value or "")][:1]
        if value is not None and first != [str(site.map.path)]:
            text = "it has virtual_alias_maps of its own, in which the generated map isn't the first: nothing"
            yield _bad(f"master.cf {service.name}", f"{text} catches groups' mail past groupmilter there.")


def _service_domain(site: Site, postfix: Installed, lines: dict[str, str]) -> Iterator[Advice]:
    domain = site.service.domain
    names = ("relay_domains", "virtual_mailbox_domains", "mydestination", "virtual_alias_domains")
    where = [name for name in names if domain in split(postfix.main.get(name, ""))]
    if not where:
        text = f"Postfix doesn't take mail for {domain}, so mail to be held would bounce."
        yield _bad("service domain", text, lines["relay_domains"])
    elif len(where) > 1:
        yield _warn("service domain", f"{domain} stands in {' and '.join(where)}; one of them only.")
    else:
        yield _ok("service domain", f"{domain} stands in {where[0]}.")


def _plain_settings(site: Site, postfix: Installed, lines: dict[str, str]) -> Iterator[Advice]:
    main = postfix.main
    if main.get("enable_original_recipient", "yes") != "yes":
        text = "it is off, so Postfix doesn't find the group again that is to be taken out: it would stay."
        yield _bad("enable_original_recipient", text, lines["enable_original_recipient"])
    yield from _alike(site, postfix, lines)
    keywords = {word.lower() for word in split(main.get("smtpd_discard_ehlo_keywords", ""))}
    if "dsn" not in keywords and not main.get("smtpd_discard_ehlo_keyword_address_maps"):
        text = (
            "DSN is offered to strangers: asked for a success report, Postfix tells them what a group became."
        )
        yield _warn("smtpd_discard_ehlo_keywords", text, lines["smtpd_discard_ehlo_keywords"])
    overrides = split(main.get("receive_override_options", ""))
    if _UNFILTERED in overrides:
        yield _bad("receive_override_options", f"{_UNFILTERED} in main.cf switches every milter off.")
    if _REWRITES in overrides:
        text = f"{_REWRITES} in main.cf: the generated map isn't asked, so nothing catches groups' mail."
        yield _warn("receive_override_options", text)


def _alike(site: Site, postfix: Installed, lines: dict[str, str]) -> Iterator[Advice]:
    theirs = int(postfix.main.get("message_size_limit", "0") or 0)
    ours = site.mta.message_size_limit
    if theirs and theirs < ours:
        text = f"Postfix takes {theirs} octets, mta.message_size_limit here says {ours}: mail to large groups"
        text = f"{text} would be refused by Postfix after it was expanded."
        yield _bad("message_size_limit", text, lines["message_size_limit"])
    elif theirs != ours:
        text = f"Postfix takes {theirs or 'any number of'} octets, mta.message_size_limit here says {ours}."
        yield _warn(
            "message_size_limit", f"{text} Say the same in both.", f"mta: {{message_size_limit: {theirs}}}"
        )
    delimiter = postfix.main.get("recipient_delimiter", "")
    if delimiter != site.mta.recipient_delimiter:
        text = f"Postfix has {delimiter!r}, mta.recipient_delimiter here {site.mta.recipient_delimiter!r}: an"
        text = f"{text} extension of a group's address would be read in two ways, and tickets miss their mailbox."
        yield _bad("recipient_delimiter", text, lines["recipient_delimiter"])
