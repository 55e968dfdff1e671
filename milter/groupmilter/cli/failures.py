"""What a command says when it fails in a way that was foreseen: sentences and an exit code, never a trace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from groupmilter.cli.exits import Exit
from groupmilter.cli.terminal import console, json_text, printable


class CommandFailed(Exception):
    """A command can't do what was asked; carries its exit code and the sentences for the administrator."""

    def __init__(self, code: Exit, *sentences: str) -> None:
        super().__init__("; ".join(sentences))
        self.code = code
        self.sentences = sentences


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as it is shown."""

    code: Exit
    errors: tuple[dict[str, object], ...]


def foreseen(error: Exception) -> Failure | None:
    """Return what to say of an error, None where nobody foresaw it."""
    from groupmilter.config.load import ConfigurationError
    from groupmilter.directory.addressmap import MapError
    from groupmilter.directory.ldap_settings import ReadFailed
    from groupmilter.directory.ldif import LdifError
    from groupmilter.directory.mirror import MirrorError
    from groupmilter.directory.side_store import SideStoreUnavailable
    from groupmilter.directory.synchroniser_settings import LostTooMuch
    from groupmilter.groups.directory import DirectoryUnknown
    from groupmilter.supervision.control import ControlError

    if isinstance(error, ConfigurationError):
        errors = ({"file": e.file, "line": e.line, "path": e.path, "text": e.text} for e in error.errors)
        return Failure(Exit.CONFIGURATION, tuple(errors))
    if isinstance(error, CommandFailed):
        return Failure(error.code, tuple({"text": text} for text in error.sentences))
    if (wishes := _bad_wishes(error)) is not None:
        return wishes
    kinds: tuple[tuple[type[Exception], Exit], ...] = (
        *_of_others(),
        (ReadFailed, Exit.DIRECTORY),
        (LdifError, Exit.DIRECTORY),
        (LostTooMuch, Exit.DIRECTORY),
        (SideStoreUnavailable, Exit.STATE),
        (DirectoryUnknown, Exit.MIRROR),
        (MirrorError, Exit.MIRROR),
        (MapError, Exit.POSTFIX),
        (ControlError, Exit.NOT_RUNNING),
        (PermissionError, Exit.CONFIGURATION),
        (OSError, Exit.CONFIGURATION),
    )
    for kind, code in kinds:
        if isinstance(error, kind):
            return Failure(code, ({"text": _text(error)},))
    return None


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _bad_wishes(error: Exception) -> Failure | None:
    """Return everything that can't be had of what was wanted in a group."""
    service = sys.modules.get("groupmilter.membership.service")
    if service is None or not isinstance(error, service.BadWishes):
        return None
    return Failure(Exit.FINDING, tuple({"field": e.field, "text": str(e)} for e in error.problems))


def _of_others() -> Iterator[tuple[type[Exception], Exit]]:
    """Yield the failures of what is slow to import; what was never imported can't have failed."""
    for module, name, code in (
        ("moderation.database", "LedgerUnavailable", Exit.STATE),
        ("moderation.archive", "BadArchive", Exit.STATE),
        ("moderation.restoring", "InTheWay", Exit.IN_THE_WAY),
        ("membership.service", "NoSuchGroup", Exit.FINDING),
        ("moderation.entitlement", "Undecided", Exit.FINDING),
        ("directory.change", "WriteRefused", Exit.DIRECTORY),
        ("directory.writer", "DirectoryUnavailable", Exit.DIRECTORY),
        ("config.rotation", "KeysFull", Exit.IN_THE_WAY),
        ("config.rotation", "KeysBusy", Exit.IN_THE_WAY),
    ):
        loaded = sys.modules.get(f"groupmilter.{module}")
        if loaded is not None:
            yield getattr(loaded, name), code


def say(failure: Failure, *, json: bool) -> None:
    """Print a failure: for people on standard error, for programs as JSON on standard output."""
    if json:
        shape = {"exit": int(failure.code), "errors": failure.errors}
        sys.stdout.write(json_text(shape, indent=2) + "\n")
        return

    out = console(error=True)
    for error in failure.errors:
        place = ":".join(str(error[key]) for key in ("file", "line") if error.get(key))
        words = (place, str(error.get("path", "")), str(error["text"]))
        out.print(
            printable("groupmilter: " + ": ".join(word for word in words if word)),
            style="red",
            markup=False,
            soft_wrap=True,
        )
    if failure.code is Exit.CONFIGURATION and len(failure.errors) > 1:
        out.print(f"groupmilter: {len(failure.errors)} errors", style="red")
