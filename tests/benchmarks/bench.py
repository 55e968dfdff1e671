"""What every benchmark is given: the tools, a working directory, who "ours" is, and how thorough to be."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.ours import Starter
from tests.benchmarks.programs import Tools


@dataclass(frozen=True, slots=True)
class Bench:
    """`start_ours` is None while the program cannot serve; `quick` is a smoke run whose figures mean little."""

    tools: Tools
    workdir: Path
    start_ours: Starter | None
    quick: bool = False

    def directory(self) -> Path:
        """A new directory that Postfix's processes may enter."""
        path = Path(tempfile.mkdtemp(dir=self.workdir))
        path.chmod(0o755)
        return path

    def tell(self, text: str) -> None:
        """Say on standard error what is being measured."""
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()
