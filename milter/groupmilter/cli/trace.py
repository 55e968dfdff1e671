"""A decision's trace as a table: which rule was asked for which group, what it answered, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from groupmilter.policy.case import Answer, Step

if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {Answer.HIT: "bold red", Answer.MISS: "dim", Answer.PENDING: "yellow"}
_WORDS = {Answer.HIT: "hit", Answer.MISS: "missed", Answer.PENDING: "not evaluated"}


def trace_table(trace: Sequence[Step], chain: Iterable[str] = ()) -> Table:
    """Return the trace.

    :param chain: all rules; those that were never reached are named last.
    """
    from rich.text import Text

    from groupmilter.cli.terminal import plain, table

    several = len({step.group for step in trace}) > 1
    rows = table(*(("Group",) if several else ()), "Rule", "Answer", "Because")
    last = ""
    for step in trace:
        name = step.group if step.group != last else ""
        last = step.group
        answer = Text(_WORDS[step.answer], _STYLES[step.answer])
        rows.add_row(*((plain(name),) if several else ()), step.rule, answer, plain(step.because))
    asked = {step.rule for step in trace if step.group == last}
    for rule in chain:
        if rule not in asked:
            rows.add_row(*(("",) if several else ()), Text(rule, "dim"), Text("not reached", "dim"), "")
    return rows
