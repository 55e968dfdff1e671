"""``test``: case files of a policy (specification 5.4), played to the collector that live mail goes through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from groupmilter.rehearsal.case import Difference, Outcome, Result
    from groupmilter.rehearsal.stage import Base


def play(
    ctx: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Case files, in YAML; one document a case.")
    ],
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", metavar=FLAG, help="Name the cases that hold, too.")
    ] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Play case files and compare what becomes of each recipient with what was expected.

    Without --config the shipped policy applies, and each case names its own directory (an LDIF file). With it,
    cases that don't name a directory, policies or networks are played with the configured ones.
    """
    from groupmilter.rehearsal.cases import read_files
    from groupmilter.rehearsal.run import rehearse
    from groupmilter.rehearsal.stage import Stage

    call = Call.of(ctx, config, json=json)
    cases = read_files(files)
    with _base(call) as base, Stage(base) as stage:
        results = [rehearse(case, stage.site(case)) for case in cases]
    failed = [result for result in results if not result.holds]
    shape = {
        "cases": len(results),
        "failed": len(failed),
        "results": [_shape(result) for result in results],
    }
    call.terminal.show(shape, lambda console: _draw(console, results, verbose=verbose))
    raise typer.Exit(Exit.FINDING if failed else Exit.OK)


@contextmanager
def _base(call: Call) -> Iterator[Base]:
    """Give what cases are played with where they say nothing else."""
    from groupmilter.rehearsal.stage import Base

    if call.given is None:
        yield Base()
        return
    from groupmilter.cli.looking import opened

    configuration = call.configuration()
    with opened(configuration) as view:
        yield Base(configuration.settings, view.site)


def _shape(result: Result) -> dict[str, object]:
    return {
        "name": result.case.name,
        "file": str(result.case.file),
        "line": result.case.line,
        "holds": result.holds,
        "differences": [_difference(difference) for difference in result.differences],
    }


def _difference(difference: Difference) -> dict[str, object]:
    from groupmilter.policy.explain import steps

    return {
        "message": difference.message + 1,
        "recipient": difference.observed.recipient,
        "expected": lines(difference.expected),
        "observed": lines(difference.observed.outcome),
        "trace": steps(difference.observed.verdict.trace),
    }


def lines(outcome: Outcome) -> list[str]:
    """Return an outcome as lines in the words of a case file, so that two of them compare at a glance."""
    when = f" at {outcome.at}" if outcome.at else ""
    if outcome.passed:
        return ["pass: true"]
    if outcome.refuse or outcome.defer:
        return [f"refuse: {outcome.refuse}{when}" if outcome.refuse else f"defer: {outcome.defer}{when}"]
    found = [f"deliver: {address}" for address in sorted(outcome.deliver)]
    found += [f"hold: {group}" for group in sorted(outcome.hold)]
    found += [f"notify: {outcome.notify}"] if outcome.notify else []
    return found or ["deliver: nobody"]


def _draw(console: Console, results: Sequence[Result], *, verbose: bool) -> None:
    for result in results:
        if not result.holds:
            _draw_failed(console, result)
        elif verbose:
            console.print(f"[green]holds[/]  {_place(result)}", result.case.name, markup=True)
    failed = sum(not result.holds for result in results)
    cases = f"{len(results)} case{'s' if len(results) != 1 else ''}"
    if failed:
        console.print(f"[bold red]{failed} of {cases} failed.[/]")
    else:
        console.print(f"[green]{cases}, all hold.[/]" if len(results) > 1 else "[green]The case holds.[/]")


def _place(result: Result) -> str:
    return f"{result.case.file}:{result.case.line}"


def _draw_failed(console: Console, result: Result) -> None:
    from groupmilter.cli.trace import trace_table

    console.print(f"[bold red]failed[/] {_place(result)}")
    console.print(f"       {result.case.name}", markup=False, style="bold")
    for difference in result.differences:
        number = f" (message {difference.message + 1})" if len(result.case.messages) > 1 else ""
        console.print(f"       to {difference.observed.recipient}{number}", markup=False)
        console.print(_side_by_side(difference))
        if difference.observed.verdict.trace:
            console.print(trace_table(difference.observed.verdict.trace))


def _side_by_side(difference: Difference) -> Table:
    from rich.text import Text

    from groupmilter.cli.terminal import table

    expected, observed = lines(difference.expected), lines(difference.observed.outcome)
    rows = table("expected", "observed")
    both = [line for line in expected if line in observed]
    left = [line for line in expected if line not in both]
    right = [line for line in observed if line not in both]
    for line in both:
        rows.add_row(Text(line, "dim"), Text(line, "dim"))
    for index in range(max(len(left), len(right))):
        cells = ("".join(side[index : index + 1]) for side in (left, right))
        rows.add_row(*(Text(cell, style) for cell, style in zip(cells, ("green", "red"), strict=True)))
    return rows
