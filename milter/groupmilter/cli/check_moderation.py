"""``check``'s look at moderation: who may move files in the hold mailbox, and whether the release listener knows us.

Nothing is written or sent; the log-in is tried where a desk runs. What is found wrong becomes advice, never an error.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from groupmilter.cli.advice import Advice, Level

if TYPE_CHECKING:
    from groupmilter.cli.postfix_wanted import Owner
    from groupmilter.config.model import Site
    from groupmilter.config.reload import Configuration

_AREA = "moderation"
_SECONDS = 5.0
_NAMED = 5
_MAILDIR = ("", "new", "cur", "tmp")


def service_owner(site: Site) -> Owner | None:
    """Return whom groupmilter runs as, told by whose folder the state lies in; None for root or where none is."""
    from groupmilter.cli.postfix_wanted import Owner

    try:
        found = site.state.parent.stat()
    except OSError:
        return None
    return Owner(found.st_uid, found.st_gid) if found.st_uid else None


def rights(site: Site) -> Iterator[Advice]:
    """Yield which files the service can't use, because they are another user's."""
    owner = service_owner(site)
    if owner is None:
        return
    yield from _state(site, owner)
    try:
        found = list(_foreign(site.hold_mailbox, owner))
    except OSError as error:
        text = f"can't be looked at by the present user: {error.strerror}."
        yield Advice(Level.WARNING, _AREA, str(site.hold_mailbox), text)
        return
    if found:
        whose = ", ".join(sorted({_name(path.stat().st_uid) for path in found}))
        text = (
            f"{found[0]} belongs to {whose}, while groupmilter runs as {_name(owner.uid)}: the desk can't move"
            " held mail there. Postfix must write the hold mailbox as the same user (virtual_uid_maps)."
        )
        fix = f"chown -R {owner.uid}:{owner.gid} {found[0]}"
        yield Advice(Level.ERROR, _AREA, str(site.hold_mailbox), text, fix)
    else:
        text = f"{_name(owner.uid)} may move what Postfix writes there."
        yield Advice(Level.OK, _AREA, str(site.hold_mailbox), text)


def _state(site: Site, owner: Owner) -> Iterator[Advice]:
    """A command that root ran before the service's first start leaves files that the service can't write."""
    secret, keys = site.service.release.secret_file, site.service.key_file
    for path in (site.state, site.mirror, keys, secret):
        if path.exists() and path.stat().st_uid != owner.uid:
            text = f"it belongs to {_name(path.stat().st_uid)}, while groupmilter runs as {_name(owner.uid)}."
            yield Advice(Level.ERROR, _AREA, str(path), text, f"chown {owner.uid}:{owner.gid} {path}")


def _foreign(mailbox: Path, owner: Owner) -> Iterator[Path]:
    """Yield the folders of a mailbox that are another user's; its parent where it isn't there yet."""
    if not mailbox.exists():
        if mailbox.parent.exists() and mailbox.parent.stat().st_uid != owner.uid:
            yield mailbox.parent
        return
    for folder in (mailbox, *sorted(path for path in mailbox.glob(".*") if path.is_dir())):
        for path in (folder / part for part in _MAILDIR):
            if path.exists() and path.stat().st_uid != owner.uid:
                yield path


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def links(configuration: Configuration) -> Iterator[Advice]:
    """Yield what letters to moderators lack for a link that decides."""
    panel = configuration.site.panel
    if configuration.settings.moderation.links and panel.url is None:
        text = "it isn't set, so letters to moderators hold no link, and are answered by mail only."
        fix = "panel: {url: https://groups.example.org}   (or moderation: {links: false} in a policy)"
        yield Advice(Level.WARNING, _AREA, "panel.url", text, fix)
    elif panel.url is not None and panel.url.startswith("http:") and not _is_local(panel.url):
        text = "links travel without TLS: who listens on the way can decide in a moderator's place."
        yield Advice(Level.WARNING, _AREA, "panel.url", text, "panel: {url: https://...}")


def _is_local(url: str) -> bool:
    from groupmilter.config.fields import is_loopback

    return is_loopback(urlsplit(url).hostname or "")


def approvals(configuration: Configuration) -> Iterator[Advice]:
    """Yield which groups want more approvals than persons may decide: as many as there are are enough then."""
    wanting = _groups_with_few(configuration)
    if wanting:
        more = f" and {len(wanting) - _NAMED} more" if len(wanting) > _NAMED else ""
        text = f"{', '.join(wanting[:_NAMED])}{more}: fewer may decide than have to approve; all of them are enough."
        yield Advice(Level.WARNING, "groups", "several approvals", text)


def _groups_with_few(configuration: Configuration) -> list[str]:
    from groupmilter.bootstrap import administrations
    from groupmilter.cli.looking import opened
    from groupmilter.directory.inventory import groups
    from groupmilter.groups.directory import DirectoryUnknown
    from groupmilter.moderation.circle import Lookup, circle

    above, few = administrations(configuration), []
    try:
        with opened(configuration) as view, view.site.snapshots.snapshot() as found:
            # What a mirror gives knows names, too; a delivery has no need of them.
            directory = cast(Lookup, found)
            for one in groups(view.mirror):
                group = directory.group(one.node)
                if group is None or not group.moderated or group.approvals <= 1:
                    continue
                persons = len(circle(group, (), above, directory).deciders(directory))
                if persons < group.approvals:
                    few.append(f"{group.address} ({persons} of {group.approvals})")
    except DirectoryUnknown:
        return []
    return few


def release_login(configuration: Configuration) -> Iterator[Advice]:
    """Yield whether the release listener takes our log-in; not tried where no desk runs, for it would ask nobody.

    (Postfix starts a listener anew only after a minute once it has found nobody to ask.)
    """
    from groupmilter import bootstrap
    from groupmilter.config.keys import read_secret
    from groupmilter.config.load import ConfigurationError
    from groupmilter.moderation.submission import NotSubmitted, Submitter

    site = configuration.site
    secret, asked = site.service.release.secret_file, site.release_socket
    if not secret.exists():
        text = "no password for the release listener yet; serve makes one at its first start."
        yield Advice(Level.WARNING, _AREA, str(secret), text)
        return
    try:
        read_secret(secret)
    except ConfigurationError as error:
        said = "; ".join(problem.text for problem in error.errors)
        yield Advice(Level.ERROR, _AREA, str(secret), f"the release listener's password: {said}.")
        return
    why = _unanswered(asked)
    if why:
        text = f"no desk answers Postfix about log-ins there ({why}); start groupmilter serve."
        yield Advice(Level.WARNING, _AREA, str(asked), text)
        return
    release = site.service.release
    where = f"{release.host}:{release.port}"
    try:
        Submitter(bootstrap.door(configuration, timeout=_SECONDS)).greet()
    except NotSubmitted as failure:
        text = f"{str(failure).rstrip('.')}; so no letter reaches a moderator, and approved mail can't come back."
        yield Advice(Level.ERROR, _AREA, where, text, "see: groupmilter postfix")
    else:
        yield Advice(Level.OK, _AREA, where, "the release listener takes our log-in.")


def _unanswered(path: Path) -> str:
    """Return why nobody listens on a Unix socket; empty where somebody does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_SECONDS)
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.strerror or str(error)
    return ""
