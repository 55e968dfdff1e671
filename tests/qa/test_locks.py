"""The locks: every requirement of setup.cfg is in them in a version that satisfies it, with hashes and nothing else."""

from __future__ import annotations

import configparser
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.qa.source import ROOT

PIN = re.compile(r"([A-Za-z0-9._-]+)==([^ \\;]+)")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def locked(name: str) -> dict[str, str]:
    """Return canonical names and versions of a lock."""
    text = (ROOT / name).read_text()
    return {canonicalize_name(m[1]): m[2] for line in text.splitlines() if (m := PIN.match(line))}


def wanted(section: str, option: str) -> list[Requirement]:
    """Return the requirements that an option of setup.cfg lists."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return [Requirement(line) for line in setup[section][option].splitlines() if line.strip()]


RUNTIME = wanted("options", "install_requires")
TEST = wanted("options.extras_require", "test")
BUILD = [Requirement(line) for line in (ROOT / "requirements-build.in").read_text().splitlines()]


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements.lock", RUNTIME),
        ("requirements-test.lock", [*RUNTIME, *TEST]),
        ("requirements-build.lock", BUILD),
    ],
)
def test_each_requirement_is_locked_and_satisfied(lock: str, requirements: list[Requirement]) -> None:
    pins = locked(lock)
    for requirement in requirements:
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is missing"
        assert requirement.specifier.contains(version), f"{requirement}, locked {version}"


def test_the_tests_run_with_what_is_shipped() -> None:
    assert locked("requirements.lock").items() <= locked("requirements-test.lock").items()


def test_what_needs_building_has_its_needs_in_the_build_lock() -> None:
    assert {"setuptools", "wheel"} <= locked("requirements-build.lock").keys()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock", "requirements-build.lock"])
def test_a_lock_holds_pins_with_hashes_and_comments_only(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if PIN.match(line):
            assert HASH.fullmatch(after), f"{line} has no hash"
        else:
            assert not line or line.lstrip().startswith("#") or HASH.fullmatch(line), line
