"""The command line as a whole: its commands, the options before them, and the one guard around them all.

A foreseen failure is a sentence and an exit code (`failures`); what nobody foresaw is a trace and exit code 70.
"""

from __future__ import annotations

import inspect
import re
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from groupmilter.cli import (
    audit,
    bounces,
    control,
    directory,
    group,
    held,
    keys,
    postfix,
    requests,
    sendmail,
    token,
)
from groupmilter.cli.backup import backup, restore
from groupmilter.cli.cases import play
from groupmilter.cli.check import check
from groupmilter.cli.deliver import deliver
from groupmilter.cli.exits import Exit
from groupmilter.cli.expand import expand
from groupmilter.cli.explain import explain
from groupmilter.cli.options import FLAG, Common, ConfigOption, JsonOption
from groupmilter.cli.serve import serve
from groupmilter.cli.whereabouts import trace

_EPILOG = "GROUPMILTER_CONFIG names the configuration, too. Exit codes: man groupmilter."
_TYPERS_OWN = frozenset({"help", "install_completion", "show_completion"})


class Guarded(TyperGroup):
    """A group of commands that never shows a trace for a failure that was foreseen."""

    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own signature
        """Return the options before the commands; those of Typer's own take no value, and say so."""
        found = super().get_params(ctx)
        for option in found:
            if option.name in _TYPERS_OWN:
                option.metavar = FLAG
        return found

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - Typer's own signature
        """Return a command, whose ``--help`` takes no value and says so, those below it too."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            _plain_help(found, ctx)
        return found

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own signature
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, KeyboardInterrupt):
            raise
        except BrokenPipeError:
            raise typer.Exit(0) from None
        except Exception as error:
            code = _failed(error, json=ctx.ensure_object(Common).json)
            if code is None:
                raise
            raise typer.Exit(code) from error


def _plain_help(command: Any, above: Any) -> None:  # noqa: ANN401 - Typer has no public name for them
    own = typer.Context(command, parent=above)
    command.get_help_option(own).metavar = FLAG
    command.help = _reflowed(command.help or "")
    for argument in command.params:
        if argument.param_type_name == "argument":
            # Python's names of types tell an administrator nothing.
            argument.display_type_rich = _nothing
    for each in getattr(command, "commands", {}).values():
        _plain_help(each, own)


def _nothing(ctx: object) -> None:  # noqa: ARG001 - Typer's own signature
    return None


def _reflowed(text: str) -> str:
    """Return a help text whose paragraphs break where the terminal ends, not where the source does.

    What stands below a colon is an example, in a line of its own.
    """
    return re.sub(r"(?<![:\n])\n(?!\n)", " ", inspect.cleandoc(text))


def _failed(error: Exception, *, json: bool) -> int | None:
    """Say what failed; return the exit code, None where the command line itself is at fault."""
    from groupmilter.cli.failures import foreseen, say

    if hasattr(error, "format_message"):
        return None
    failure = foreseen(error)
    if failure is None:
        traceback.print_exception(error)
        return Exit.SURPRISE
    say(failure, json=json)
    return failure.code


app = typer.Typer(
    name="groupmilter",
    cls=Guarded,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from groupmilter import __version__

        typer.echo(f"groupmilter {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    config: ConfigOption = None,
    json: JsonOption = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", metavar=FLAG, callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Distribution groups for Postfix and Sendmail, straight from the directory."""
    ctx.obj = Common(config, json)


_RUN, _ASK, _MODERATE = "Running", "What would happen, and why", "Held mail, and what became of it"
_ADMINISTER = "Looking after it"
app.command(rich_help_panel=_RUN)(serve)
app.command(rich_help_panel=_RUN)(control.status)
app.command(rich_help_panel=_RUN)(control.reload)
app.command(rich_help_panel=_RUN)(check)
app.command(rich_help_panel=_RUN)(postfix.postfix)
app.command(rich_help_panel=_RUN)(sendmail.sendmail)
app.command(rich_help_panel=_RUN)(deliver)
app.command(rich_help_panel=_ASK)(explain)
app.command(rich_help_panel=_ASK)(expand)
app.command("test", rich_help_panel=_ASK)(play)
app.add_typer(held.app, name="held", rich_help_panel=_MODERATE)
app.add_typer(bounces.app, name="bounces", rich_help_panel=_MODERATE)
app.add_typer(requests.app, name="requests", rich_help_panel=_MODERATE)
app.add_typer(audit.app, name="audit", rich_help_panel=_MODERATE)
app.command(rich_help_panel=_MODERATE)(trace)
app.add_typer(keys.app, name="keys", rich_help_panel=_ADMINISTER)
app.add_typer(token.app, name="token", rich_help_panel=_ADMINISTER)
app.command(rich_help_panel=_ADMINISTER)(backup)
app.command(rich_help_panel=_ADMINISTER)(restore)
app.add_typer(directory.app, name="directory", rich_help_panel=_ADMINISTER)
app.add_typer(group.app, name="group", rich_help_panel=_ADMINISTER)
