"""The wheel holds what an installation needs beside the code: policies, schema, profiles, the licence."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from tests.qa.source import ROOT, tracked

SHIPPED = ("policies/", "ldap_schema/openldap/", "ldap_schema/profiles/")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for path in tracked():
        target = tree / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tree / "dist"),
        str(tree),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next((tree / "dist").glob("*.whl"))


def test_all_shipped_files_and_modules_are_in_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tree = [path.relative_to(ROOT).as_posix() for path in tracked()]
    share = {name.partition("share/groupmilter/")[2] for name in names}
    assert {name for name in tree if name.startswith(SHIPPED) and name.endswith(".yaml")} <= share
    assert {name for name in tree if name.startswith("ldap_schema/openldap/")} <= share
    code = {name.removeprefix("milter/") for name in tree if name.startswith("milter/")}
    assert code <= set(names)
    assert any(name.endswith("LICENSE") for name in names)


def test_the_installed_code_finds_its_policies(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    subprocess.run(command, check=True, capture_output=True)
    asked = "from groupmilter.config.resources import Kind, resource; print(resource(Kind.POLICIES, 'default.yaml'))"
    found = subprocess.run([python, "-I", "-c", asked], check=True, capture_output=True, text=True).stdout
    assert Path(found.strip()).is_relative_to(tmp_path / "venv" / "share" / "groupmilter")
