"""The demonstration runs with what an installation has: it borrows from the tests' support, not their libraries."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from tests.qa.source import ROOT
from tests.qa.test_locks import locked

OURS = ("deploy", "tests", "groupmilter")


def names(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def found(name: str) -> Path | None:
    """Return the file of a module of ours, None where the name is no module."""
    folder = ROOT / "milter" if name.startswith("groupmilter") else ROOT
    path = folder.joinpath(*name.split("."))
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def reached(start: Path) -> tuple[set[Path], set[str]]:
    """Return our files that are imported from a folder on, and the libraries that they import."""
    waiting, seen, libraries = sorted(start.glob("*.py")), set[Path](), set[str]()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for name in names(path):
            root = name.partition(".")[0]
            file = found(name) if root in OURS else None
            if file is not None and file not in seen:
                waiting.append(file)
            elif root not in OURS and root not in sys.stdlib_module_names:
                libraries.add(root)
    return seen, libraries


def test_the_demonstration_needs_no_library_that_only_tests_have() -> None:
    files, libraries = reached(ROOT / "deploy" / "demo")
    assert ROOT / "tests" / "support" / "slapd.py" in files, "support is looked through, too"
    runtime, providers = locked("requirements.lock"), packages_distributions()
    missing = {
        name: providers.get(name)
        for name in libraries
        if not any(canonicalize_name(one) in runtime for one in providers.get(name, ()))
    }
    assert missing == {}
