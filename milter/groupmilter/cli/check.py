"""``check``: is everything set up as it has to be? Configuration, keys, directory, mirror, groups, and Postfix."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.advice import Advice, Level
from groupmilter.cli.check_dns import dns
from groupmilter.cli.check_moderation import approvals, links, release_login, rights, service_owner
from groupmilter.cli.check_panel import named
from groupmilter.cli.check_side import beside
from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.options import (
    FLAG,
    SENDMAIL_CF,
    Call,
    ConfigOption,
    JsonOption,
    PostfixOption,
    SendmailOption,
)

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.config.reload import Configuration

_STYLES = {Level.OK: "green", Level.HINT: "cyan", Level.WARNING: "yellow", Level.ERROR: "bold red"}
_TITLES = {"dns": "DNS"}
SERIOUS = {"bad-value", "bad-url", "duplicate-address", "duplicate-login", "digest-collision", "over-limit"}


def check(
    ctx: typer.Context,
    postfix_config: PostfixOption = None,
    no_postfix: Annotated[
        bool, typer.Option("--no-postfix", metavar=FLAG, help="Leave Postfix out.")
    ] = False,
    sendmail_cf: SendmailOption = None,
    no_directory: Annotated[
        bool, typer.Option("--no-directory", metavar=FLAG, help="Don't connect to the directory.")
    ] = False,
    no_dns: Annotated[bool, typer.Option("--no-dns", metavar=FLAG, help="Don't ask DNS.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", metavar=FLAG, help="Say only what is to be mended.")
    ] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Check configuration, policies, keys, directory, DNS, mirror, groups, and the Postfix beside it.

    Changes nothing. Ends with exit code 1 if anything has to be mended before mail is entrusted to it.
    """
    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    found = list(_configured(configuration))
    if not no_directory:
        found += _directory(configuration)
    found += beside(configuration)
    if not no_dns:
        found += dns(configuration)
    found += _mirror(configuration)
    found += approvals(configuration)
    found += named(configuration)
    if not no_postfix:
        found += _mta(configuration, postfix_config, sendmail_cf)
    found += rights(configuration.site)
    found += links(configuration)
    if not no_postfix:
        found += release_login(configuration)
    raise typer.Exit(_tell(call, found, quiet=quiet))


def _tell(call: Call, found: Sequence[Advice], *, quiet: bool) -> Exit:
    """Print what was found; return the exit code."""
    errors = sum(advice.level is Level.ERROR for advice in found)
    shape = {"ok": not errors, "checks": [_shape(advice) for advice in found]}
    shown = [advice for advice in found if not quiet or advice.level is not Level.OK]
    call.terminal.show(shape, lambda console: _draw(console, shown))
    return Exit.FINDING if errors else Exit.OK


def _shape(advice: Advice) -> dict[str, str]:
    return {
        "level": advice.level.value,
        "area": advice.area,
        "subject": advice.subject,
        "text": advice.text,
        "fix": advice.fix,
    }


def _configured(configuration: Configuration) -> Iterator[Advice]:
    area, site, settings = "configuration", configuration.site, configuration.settings
    count = len(settings.rules)
    rules = f"{count} rule{'s' if count != 1 else ''} of the site's own" if count else "the shipped rules"
    yield Advice(Level.OK, area, str(configuration.file), f"read without error; {rules}.")
    key = site.service.key_file
    if configuration.keys.keys:
        number = len(configuration.keys.keys)
        yield Advice(Level.OK, area, str(key), f"{number} ticket key{'s' if number > 1 else ''}.")
    else:
        yield Advice(Level.WARNING, area, str(key), "no ticket key yet; serve makes one at its first start.")
    if site.mode.value == "observe":
        text = "groupmilter decides and logs, and changes nothing: groups are not expanded."
        yield Advice(Level.WARNING, area, "mode", text, "mode: enforce")
    if not settings.own_domains:
        text = "no domain is known as your own; group addresses are matched in exact case only."
        yield Advice(Level.WARNING, area, "own_domains", text, "own_domains: [example.org]")
    for name, path in (("mirror", site.mirror), ("state", site.state), ("hold_mailbox", site.hold_mailbox)):
        yield from _folder(name, path.parent)


def _folder(name: str, folder: Path) -> Iterator[Advice]:
    if not folder.is_dir():
        fix = f"install -d -o groupmilter -g groupmilter -m 0750 {folder}"
        yield Advice(Level.ERROR, "configuration", name, f"the folder {folder} doesn't exist.", fix)
    elif stat.S_IMODE(folder.stat().st_mode) & 0o002:
        text = f"everybody may write to {folder}, where tickets and mail lie."
        yield Advice(Level.WARNING, "configuration", name, text, f"chmod o-w {folder}")
    elif not os.access(folder, os.W_OK):
        yield Advice(Level.WARNING, "configuration", name, f"{folder} can't be written by the present user.")


def _directory(configuration: Configuration) -> Iterator[Advice]:
    from groupmilter import bootstrap
    from groupmilter.directory.ldap_settings import ReadFailed
    from groupmilter.directory.reader import Reader

    directory = configuration.site.directory
    first = directory.url[0]
    if first.kind == "ldif":
        level = Level.OK if first.path.is_file() else Level.ERROR
        text = "an LDIF file in place of a server." if level is Level.OK else "there is no such file."
        yield Advice(level, "directory", str(first.path), text)
        return
    for server in directory.url:
        if directory.tls(server).value == "none" and server.kind == "ldap" and server.host not in _LOOPBACK:
            text = "the connection is not encrypted: password and rights can be read and changed on the way."
            yield Advice(Level.WARNING, "directory", server.url, text, "start_tls: true")
    try:
        with Reader(bootstrap.ldap_settings(configuration)).connect() as session:
            found = session.read(directory.base, ("objectClass",))
            persist = session.capabilities().synchronises
            yield from _base(directory.base, session.url, found=found is not None, persist=persist)
    except ReadFailed as error:
        yield Advice(Level.ERROR, "directory", first.url, f"can't be read: {error}")
    yield from _writing(configuration)


def _writing(configuration: Configuration) -> Iterator[Advice]:
    """Look whether the account that changes groups gets in, and whether there is a place for new ones."""
    from groupmilter import bootstrap
    from groupmilter.directory.ldap_settings import ReadFailed
    from groupmilter.directory.reader import Reader

    write = configuration.site.directory.write
    if write.bind_dn is None and not write.url and write.groups is None:
        return
    try:
        with Reader(bootstrap.write_settings(configuration)).connect() as session:
            place = write.groups is None or session.read(write.groups, ("objectClass",)) is not None
    except ReadFailed as error:
        yield Advice(Level.ERROR, "directory", "write", f"groups can't be changed: {error}")
        return
    if place:
        yield Advice(Level.OK, "directory", "write", f"bound as {write.bind_dn or 'the account that reads'}.")
    else:
        text = f"{write.groups} isn't there, or isn't shown to the account that writes: no group can be made."
        yield Advice(Level.ERROR, "directory", "write", text)


_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _base(base: str, url: str, *, found: bool, persist: bool) -> Iterator[Advice]:
    if not found:
        text = f"{base} isn't there, or the bind account may not read it."
        yield Advice(Level.ERROR, "directory", "base", text)
        return
    yield Advice(Level.OK, "directory", url, f"bound, and {base} can be read.")
    if persist:
        yield Advice(Level.OK, "directory", "sync", "the server tells of changes as they happen (RFC 4533).")
    else:
        text = (
            "the server can't tell of changes (RFC 4533, syncprov); the mirror is reloaded from time to time."
        )
        yield Advice(Level.WARNING, "directory", "sync", text)


def _mirror(configuration: Configuration) -> Iterator[Advice]:
    from groupmilter.cli.control import lasting
    from groupmilter.directory.inventory import inventory
    from groupmilter.groups.directory import DirectoryUnknown

    path, max_age = configuration.site.mirror, configuration.site.directory.max_age
    fix = "groupmilter directory sync   (or start groupmilter serve)"
    try:
        held = inventory(path)
    except DirectoryUnknown:
        text = "there is none yet: mail to groups is deferred with 451 4.4.3 until the directory is loaded."
        yield Advice(Level.ERROR, "mirror", str(path), text, fix)
        return
    age = held.age(time.time())
    if age is None or age > max_age:
        said = "was never loaded completely" if age is None else f"is {lasting(age)} old"
        yield Advice(Level.ERROR, "mirror", str(path), f"it {said}: mail to groups is deferred.", fix)
    else:
        text = f"{held.people} people and {held.groups} groups, in step {lasting(age)} ago."
        yield Advice(Level.OK, "mirror", str(path), text)
    for finding in held.findings:
        level = Level.ERROR if finding.kind.value in SERIOUS else Level.WARNING
        yield Advice(level, "groups", finding.kind.value, finding.text)


def _mta(configuration: Configuration, postfix: Path | None, sendmail: Path | None) -> Iterator[Advice]:
    """Look at Sendmail where it is named, or is what there is; else at Postfix."""
    from shutil import which

    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    there = postfix is None and which("postconf", path=places) is None and SENDMAIL_CF.exists()
    found = sendmail or (SENDMAIL_CF if there else None)
    yield from _postfix(configuration, postfix) if found is None else _sendmail(configuration, found)


def _sendmail(configuration: Configuration, file: Path) -> Iterator[Advice]:
    from groupmilter.cli.sendmail_advice import advise_sendmail, read_cf

    try:
        text = file.read_text("utf-8", "replace")
    except OSError as error:
        raise CommandFailed(Exit.POSTFIX, f"{file}: {error.strerror}") from error
    owner = service_owner(configuration.site)
    yield from advise_sendmail(configuration.site, read_cf(text), _name(owner.uid) if owner else None)


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _postfix(configuration: Configuration, directory: Path | None) -> Iterator[Advice]:
    from groupmilter import bootstrap
    from groupmilter.cli.postfix_advice import advise, lines_of
    from groupmilter.cli.postfix_clients import advise_clients
    from groupmilter.cli.postfix_installed import installed
    from groupmilter.cli.postfix_moderation import advise_moderation
    from groupmilter.cli.postfix_safety import advise_safety

    try:
        found = installed(directory)
    except CommandFailed as failure:
        if directory is not None:
            raise
        text = f"not looked at: {'; '.join(failure.sentences)}"
        yield Advice(Level.WARNING, "postfix", "postconf", text, "groupmilter check --postfix-config DIR")
        return
    yield Advice(Level.OK, "postfix", "version", found.main.get("mail_version", "unknown"))
    generated = bootstrap.address_map(configuration)
    table, conceals = f"{generated.kind}:{generated.path}", configuration.settings.conceal_groups
    yield from advise(configuration.site, found, table)
    yield from advise_clients(configuration.site, found)
    yield from advise_safety(found, lines_of(configuration.site, found, table, conceals=conceals), conceals)
    yield from advise_moderation(configuration.site, found, service_owner(configuration.site))


def _draw(console: Console, found: Sequence[Advice]) -> None:
    from groupmilter.cli.terminal import plain

    area = ""
    for advice in found:
        if advice.area != area:
            area = advice.area
            console.print(f"\n[bold]{_TITLES.get(area, area.capitalize())}[/]")
        mark = f"[{_STYLES[advice.level]}]{advice.level.value:>7}[/]"
        console.print(f"  {mark}  [bold]", end="")
        console.print(plain(advice.subject), style="bold", end=": ", soft_wrap=True)
        console.print(plain(advice.text), soft_wrap=True)
        if advice.fix:
            console.print(plain(f"           {advice.fix}"), style="cyan", soft_wrap=True)
    _sum_up(console, found)


def _sum_up(console: Console, found: Sequence[Advice]) -> None:
    errors = sum(advice.level is Level.ERROR for advice in found)
    warnings = sum(advice.level is Level.WARNING for advice in found)
    hints = sum(advice.level is Level.HINT for advice in found)
    more = f" {hints} hint{'s' * (hints > 1)}." if hints else ""
    console.print()
    if errors:
        console.print(f"[bold red]{errors} to mend[/], {warnings} to look at.{more}")
    elif warnings:
        console.print(f"[yellow]Nothing serious; {warnings} to look at.[/]{more}")
    else:
        console.print(f"[green]All is well.[/]{more}")
