"""Every page, form and command has its twin in the API, or a reason why there is none (specification 4.2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer
from tests.panel.api_document import document
from tests.panel.twins import COMMANDS, PAGES, Twin, Without

from groupmilter.cli.app import app
from groupmilter.panel.screens import ROUTES

OPERATIONS = {call["operationId"]: call for calls in document()["paths"].values() for call in calls.values()}
OF_THE_SERVER = frozenset({
    "serve", "reload", "check", "postfix", "sendmail", "deliver", "test", "backup", "restore", "expand",
    "keys list", "keys rotate", "keys drop", "directory fields", "directory status", "directory sync",
})  # fmt: skip
"""Commands for whoever runs the server: processes, files, keys, and questions to the installation."""

TWINS = {**PAGES, **COMMANDS}


def commands(group: object, before: str = "") -> Iterator[str]:
    """Every command, by its words."""
    for name, command in getattr(group, "commands", {}).items():
        inner = list(commands(command, f"{before}{name} "))
        # One that does something by itself, too, is a command beside those below it.
        yield from [f"{before}{name}", *inner] if not inner or command.invoke_without_command else inner


def test_every_page_and_form_is_in_the_table() -> None:
    assert {f"{route.method} {route.path}" for route in ROUTES} == PAGES.keys()


def test_every_command_is_in_the_table_or_the_servers() -> None:
    assert set(commands(typer.main.get_command(app))) - OF_THE_SERVER == COMMANDS.keys()


@pytest.mark.parametrize("what", TWINS)
def test_its_twin_is_there_or_the_reason_why_not(what: str) -> None:
    there = TWINS[what]
    if isinstance(there, Without):
        assert len(there.reason) > 20
        return
    assert there.calls
    assert set(there.calls) <= OPERATIONS.keys()


@pytest.mark.parametrize("what", [what for what in PAGES if what.startswith("POST ")])
def test_what_a_form_writes_a_call_writes(what: str) -> None:
    there = PAGES[what]
    looking = {calls["get"]["operationId"] for calls in document()["paths"].values() if "get" in calls}
    assert not isinstance(there, Twin) or looking.isdisjoint(there.calls)


def test_every_call_is_the_twin_of_something() -> None:
    named = {call for there in TWINS.values() if isinstance(there, Twin) for call in there.calls}
    assert OPERATIONS.keys() - named == {"getOpenApi"}
