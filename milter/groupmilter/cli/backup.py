"""``backup`` and ``restore``: ledger, hold mailbox and keys as one file, and back."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.held_shape import many
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption
from groupmilter.cli.terminal import plain
from groupmilter.cli.times import iso, local

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.config.reload import Configuration
    from groupmilter.moderation.archive import Manifest
    from groupmilter.moderation.backup import Sources
    from groupmilter.moderation.ledger import Ledger
    from groupmilter.moderation.restoring import Places, Restored

_STREAM = Path("-")
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Where to; - for standard output.")]
ArchiveArgument = Annotated[Path, typer.Argument(metavar="FILE", help="What groupmilter backup made.")]
OverOption = Annotated[
    bool, typer.Option("--force", metavar=FLAG, help="Put it in the place of a file that is there.")
]
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force",
        metavar=FLAG,
        help="Also where there is a ledger or other keys; they are kept under other names.",
    ),
]


def backup(
    ctx: typer.Context,
    file: FileArgument,
    force: OverOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Save ledger, hold mailbox, ticket keys and release secret in one file, while everything runs.

    The file holds people's mail and the keys: it is made for its owner alone. Mail that still lies in the mail server's
    queue is not in it.
    """
    from groupmilter.cli.ledger import opened, require_keys

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    require_keys(configuration)
    skipped: list[str] = []
    with opened(configuration) as ledger:
        sources = _sources(configuration, ledger)
        with _written(file, force=force) as out:
            manifest = _backup(sources, out, _beside(file), skipped)
        _note(ledger, file)
    shown = _shape(manifest) | {"file": str(file), "skipped": skipped}
    if file != _STREAM:
        call.terminal.show(shown, lambda console: _draw(console, manifest, file, skipped))


def _sources(configuration: Configuration, ledger: Ledger) -> Sources:
    from groupmilter.bootstrap.parts import mailbox
    from groupmilter.moderation.backup import Sources

    service = configuration.site.service
    return Sources(ledger, mailbox(configuration), service.key_file, service.release.secret_file)


def _backup(sources: Sources, out: IO[bytes], folder: Path, skipped: list[str]) -> Manifest:
    from groupmilter import __version__
    from groupmilter.cli.progress import bar
    from groupmilter.moderation.backup import Backup

    with bar("Saving", _octets(sources), octets=True) as tick:
        return Backup(sources, __version__, int(time.time()), tick, skipped.append).write(out, folder)


def _octets(sources: Sources) -> int:
    """Return about how much there is to read; what moves meanwhile counts for nothing."""
    found = 0
    for path in (sources.ledger.database.file, *sources.mailbox.files()):
        with suppress(FileNotFoundError):
            found += path.lstat().st_size
    return found


def _beside(file: Path) -> Path:
    """Return where a copy of the ledger may lie for a while."""
    import tempfile

    return Path(tempfile.gettempdir()) if file == _STREAM else file.absolute().parent


def _note(ledger: Ledger, file: Path) -> None:
    from groupmilter.cli.administrator import administrator

    ledger.note(
        "backup", administrator(), int(time.time()), detail=str(file.absolute()) if file != _STREAM else ""
    )


@contextmanager
def _written(file: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Give what the archive is written to; a file appears once it is whole, for its owner alone."""
    from groupmilter.config.disk import bring_to_disk

    if file == _STREAM:
        if sys.stdout.isatty():
            raise CommandFailed(
                Exit.USAGE, "a backup is no text for a terminal; send it into a file or a pipe"
            )
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if file.exists() and not force:
        raise CommandFailed(Exit.IN_THE_WAY, f"{file} is there already; --force puts the backup in its place")
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(descriptor)
        aside.replace(file)
        bring_to_disk(file.parent)
    finally:
        aside.unlink(missing_ok=True)


def restore(
    ctx: typer.Context,
    file: ArchiveArgument,
    force: ForceOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Put a backup back where this configuration says, verified first; groupmilter must not be running.

    Mail that is in the hold mailbox already stays there. What was decided after the backup was made is asked about
    again and may be delivered twice. If anything fails, everything is as it was.
    """
    from groupmilter.cli.administrator import administrator
    from groupmilter.cli.progress import bar
    from groupmilter.moderation.restoring import Restore

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    _require_stopped(configuration)
    now = int(time.time())
    stamp = time.strftime("%Y%m%dT%H%M%S", time.localtime(now))
    with bar("Restoring", None, octets=True) as tick:
        work = Restore(_places(configuration), administrator(), now, stamp, tick)
        restored = work.run(file, force=force)
    call.terminal.show(_restored_shape(restored), lambda console: _draw_restored(console, restored))


def _require_stopped(configuration: Configuration) -> None:
    from groupmilter.cli.running import answering

    sockets = answering(configuration.site)
    if sockets:
        said = ", ".join(map(str, sockets))
        raise CommandFailed(Exit.IN_THE_WAY, f"groupmilter is running ({said}); stop it before restoring")


def _places(configuration: Configuration) -> Places:
    from groupmilter.bootstrap.parts import mailbox
    from groupmilter.moderation.restoring import Places

    site = configuration.site
    keys, secret = site.service.key_file, site.service.release.secret_file
    return Places(site.state, mailbox(configuration), keys, secret)


def _shape(manifest: Manifest) -> dict[str, object]:
    return {
        "made": iso(manifest.made),
        "version": manifest.version,
        "host": manifest.host,
        "revision": manifest.revision,
        "mail": manifest.mail,
        "octets": manifest.size,
        "items": dict(manifest.items),
        "missing": list(manifest.missing),
    }


def _restored_shape(restored: Restored) -> dict[str, object]:
    return _shape(restored.manifest) | {
        "brought_in": restored.mail,
        "there": restored.there,
        "kept": [str(path) for path in restored.kept],
        "lost_keys": list(restored.lost_keys),
    }


def _draw(console: Console, manifest: Manifest, file: Path, skipped: list[str]) -> None:
    from rich.filesize import decimal

    size = decimal(file.stat().st_size)
    held = manifest.items.get("held", 0)
    console.print(
        f"Saved in {file} ({size}): the ledger with {many(sum(manifest.items.values()), 'item')}, {held:,} held; "
        f"{many(manifest.mail)}; the keys.",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    _draw_missing(console, manifest)
    for path in skipped:
        console.print(plain(f"left out, no plain file: {path}"), style="yellow", soft_wrap=True)


def _draw_missing(console: Console, manifest: Manifest) -> None:
    if manifest.missing:
        names = ", ".join(manifest.missing[:10])
        more = f" and {len(manifest.missing) - 10} more" if len(manifest.missing) > 10 else ""
        console.print(
            plain(f"Of these open messages there is no file in the hold mailbox: {names}{more}."),
            style="bold red", soft_wrap=True,
        )  # fmt: skip


def _draw_restored(console: Console, restored: Restored) -> None:
    manifest = restored.manifest
    console.print(
        plain(
            f"The backup of {local(manifest.made)} from {manifest.host} is verified and back: the ledger with "
            f"{many(sum(manifest.items.values()), 'item')}, {many(restored.mail)}, the keys."
        ),
        style="green", soft_wrap=True,
    )  # fmt: skip
    if restored.there:
        stayed = "is" if restored.there == 1 else "are"
        console.print(f"{many(restored.there)} of it {stayed} in the hold mailbox already, and stayed.")
    for path in restored.kept:
        console.print(f"What stood there before is kept: {path}", markup=False, soft_wrap=True)
    for number in restored.lost_keys:
        text = f"The present key {number} was another than the backup's: what it sealed can't be opened any more."
        console.print(text, style="bold red")
    _draw_missing(console, manifest)
    console.print("Start groupmilter: the desk records what the ledger doesn't know, and goes on.")
