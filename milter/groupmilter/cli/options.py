"""Options that several commands share, and what a command knows once they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from groupmilter.cli.terminal import Terminal

if TYPE_CHECKING:
    from groupmilter.config.reload import Configuration

FLAG = " "
"""What stands for the value of an option that takes none, in help texts."""

DEFAULT_PATH = Path("/etc/groupmilter/config.yaml")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar="GROUPMILTER_CONFIG",
        help=f"The configuration; {DEFAULT_PATH} unless given.",
        show_envvar=False,
        rich_help_panel="Common options",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", metavar=FLAG, help="Print JSON for programs.", rich_help_panel="Common options"),
]
PostfixOption = Annotated[
    Path | None,
    typer.Option(
        "--postfix-config",
        metavar="DIR",
        help="Postfix's configuration directory, for an instance other than the system's.",
    ),
]
SENDMAIL_CF = Path("/etc/mail/sendmail.cf")
SendmailOption = Annotated[
    Path | None,
    typer.Option(
        "--sendmail-cf",
        metavar="FILE",
        help=f"Sendmail's, in place of Postfix; {SENDMAIL_CF} where there is no Postfix.",
    ),
]

GroupOption = Annotated[
    str, typer.Option("--group", "-g", metavar="ADDRESS", help="Only messages to this group.")
]

_ALL = "all"
Word = TypeVar("Word", bound=StrEnum)


@dataclass(slots=True)
class Common:
    """The options before the command's name; each command's own come over them."""

    config: Path | None = None
    json: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a command.

    :param given: the configuration that was named, None where the default is meant.
    """

    given: Path | None
    terminal: Terminal

    @classmethod
    def of(cls, ctx: typer.Context, config: Path | None, *, json: bool) -> Call:
        """Return the call with the options before and after the command's name taken together."""
        common = ctx.find_root().ensure_object(Common)
        common.json = common.json or json
        return cls(config or common.config, Terminal(json=common.json))

    @property
    def path(self) -> Path:
        """The configuration file."""
        return self.given or DEFAULT_PATH

    def configuration(self) -> Configuration:
        """Return the configuration.

        :raises ConfigurationError: with everything wrong with it.
        """
        from groupmilter.config.reload import load

        return load(self.path)


def chosen(kind: type[Word], written: Iterable[str] | None, option: str) -> frozenset[Word]:
    """Return which of some words an option names, ``all`` meaning each; none where it isn't given."""
    words = {word.value: word for word in kind}
    wanted = set(written or ())
    if not wanted <= {*words, _ALL}:
        raise typer.BadParameter(f"wants {', '.join(words)} or all", param_hint=option)
    return frozenset(kind) if _ALL in wanted else frozenset(words[one] for one in wanted)
