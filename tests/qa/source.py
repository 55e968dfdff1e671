"""The source as these tests see it: tracked files, and the package's modules as syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "milter" / "groupmilter"


@dataclass(frozen=True, eq=False)
class Module:
    """One module: its path, its room (the folder or file below the package), its tree."""

    path: Path
    room: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))


@cache
def modules(folder: Path = PACKAGE) -> tuple[Module, ...]:
    """Return all Python modules below a folder."""
    return tuple(
        Module(path, path.relative_to(folder).parts[0].removesuffix(".py"), ast.parse(path.read_bytes()))
        for path in sorted(folder.rglob("*.py"))
    )


def tracked() -> list[Path]:
    """Return the files that git tracks and that are there; all files of a source archive."""
    if not (ROOT / ".git").exists():
        return sorted(
            path for path in ROOT.rglob("*") if path.is_file() and not _made(path.relative_to(ROOT))
        )
    command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [path for name in output.split("\0") if name and (path := ROOT / name).is_file()]


def _made(path: Path) -> bool:
    """Tell whether a file is something that tools made: caches, environments, what an installation leaves."""
    return any(
        part in {"__pycache__", ".hypothesis", ".venv", "build"}
        or part.endswith((".egg-info", "_cache"))
        or part.startswith(".cov")
        for part in path.parts
    )


@cache
def imported(module: Module) -> tuple[tuple[str, int], ...]:
    """Return the top-level name of everything that a module imports, with its line."""
    return tuple(_imported(module))


def _imported(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.lineno
