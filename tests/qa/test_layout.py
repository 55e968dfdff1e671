"""The shape of the house: where things may be imported, how long they may get, what may not stand in the files."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

import pytest
from tests.qa.source import PACKAGE, ROOT, imported, modules, tracked

# Which rooms may import which library; a library that isn't here is used nowhere.
ALLOWED = {
    "idna": {"mail"},
    "dns": {"authentication"},
    "dkim": {"authentication"},
    "spf": {"authentication"},
    "authres": {"authentication"},
    "publicsuffixlist": {"authentication"},
    "ldap3": {"directory"},
    "pyasn1": {"directory"},
    "milter": {"mta"},
    "yaml": {"config"},
    "pydantic": {"config", "rehearsal", "panel"},
    "pydantic_core": {"config"},
    "structlog": {"mta", "enrolment", "moderation", "supervision", "log", "bootstrap", "cli"},
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
    "sqlite3": {"directory", "moderation", "mta"},
    "sqlalchemy": {"moderation"},
    "alembic": {"moderation"},
    "watchfiles": {"moderation"},
    "flufl": {"moderation"},
    "nh3": {"moderation"},
    "babel": {"language"},
    "fastapi": {"panel"},
    "starlette": {"panel"},
    "uvicorn": {"panel"},
    "jinja2": {"panel", "moderation"},
    "markupsafe": {"panel"},
}
ONE_FILE = {
    "yaml": "milter/groupmilter/config/load.py",
    "flufl": "milter/groupmilter/moderation/guessing.py",
    "nh3": "milter/groupmilter/moderation/safe_html.py",
    "dns": "milter/groupmilter/authentication/resolver.py",
    "dkim": "milter/groupmilter/authentication/dkim.py",
    "spf": "milter/groupmilter/authentication/spf.py",
    "authres": "milter/groupmilter/authentication/results.py",
    "publicsuffixlist": "milter/groupmilter/authentication/alignment.py",
}
MAX_FUNCTION = 40
MAX_FILE = 400
WORKPLACE = re.compile(
    r"(?<!\w)/(?:home|Users|work)/\w|python[h]osted|pypi\.(?:org|io)|/simple/\w|(?<!\.)\.\./shared"
)
FORBIDDEN_NAMES = re.compile(
    r"(^|_|(?<=[a-z]))(manager|helpers?|utils?|processor)($|_|(?=[A-Z]))", re.IGNORECASE
)
Function = ast.FunctionDef | ast.AsyncFunctionDef
BINARY = {".png", ".gz", ".der"}


def test_the_source_root_is_no_package() -> None:
    # pymilter installs an extension module called milter; a package of that name would hide it.
    assert not (ROOT / "milter" / "__init__.py").exists()
    assert PACKAGE.is_dir()


def test_each_library_is_imported_only_where_the_architecture_says() -> None:
    wrong = []
    for module in modules():
        for name, line in imported(module):
            if name in ALLOWED and module.room in ALLOWED[name]:
                continue
            if name in ALLOWED or (
                name not in sys.stdlib_module_names and name not in {"groupmilter", "__future__"}
            ):
                wrong.append(f"{module.name}:{line} imports {name}")
    assert wrong == []


@pytest.mark.parametrize(("name", "file"), ONE_FILE.items())
def test_some_libraries_have_one_importer(name: str, file: str) -> None:
    assert {module.name for module in modules() if name in dict(imported(module))} == {file}


def test_functions_stay_short() -> None:
    long = [
        f"{module.name}:{node.lineno} {node.name} has {length} lines"
        for module in [*modules(), *modules(ROOT / "tests")]
        for node in ast.walk(module.tree)
        if isinstance(node, Function) and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION
    ]
    assert long == []


def test_files_stay_short() -> None:
    long = [
        f"{module.name} has {length} lines"
        for module in [*modules(), *modules(ROOT / "tests")]
        if (length := len(module.path.read_text().splitlines())) > MAX_FILE
    ]
    assert long == []


def public(node: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | Function]:
    for child in node.body:
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


def test_everything_public_has_a_docstring() -> None:
    silent = [f"{module.name}:1" for module in modules() if not ast.get_docstring(module.tree)]
    silent += [
        f"{module.name}:{node.lineno} {node.name}"
        for module in modules()
        for node in public(module.tree)
        if not ast.get_docstring(node)
    ]
    assert silent == []


def test_nothing_hangs_on_a_statement_that_python_can_leave_out() -> None:
    found = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assert)
    ]
    assert found == [], "python -O skips assert"


def test_names_say_what_things_are() -> None:
    found = [
        f"{module.name}: {name}"
        for module in modules()
        for name in [
            module.path.stem,
            *(n.name for n in ast.walk(module.tree) if isinstance(n, Function | ast.ClassDef)),
        ]
        if FORBIDDEN_NAMES.search(name)
    ]
    assert found == []


def test_nothing_of_the_workplace_stands_in_tracked_files() -> None:
    found = []
    for path in tracked():
        name = str(path.relative_to(ROOT))
        if path.suffix in BINARY or name in {"LICENSE", "tests/qa/test_conformance.py"}:
            continue
        # The conformance copy is kept octet for octet and names its own origin.
        if name == "tests/cases/conformance/README.md":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if WORKPLACE.search(line):
                found.append(f"{name}:{number}: {line.strip()[:80]}")
    assert found == []


def test_no_mark_of_an_unfinished_merge_stands_in_tracked_files() -> None:
    mark = re.compile(r"^(?:<{7} |>{7} )", re.MULTILINE)
    found = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix not in BINARY and mark.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
