"""The systemd units: alike where they must be, and correct as far as systemd-analyze can tell without a systemd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from groupmilter.bootstrap.serving import ROLES

_UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
_ROLES = ("milter", "directory", "desk", "panel")
_SERVICES = ("groupmilter.service", *(f"groupmilter-{role}.service" for role in _ROLES))
_OWN = {"ExecStart", "ExecReload"}

systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze comes with systemd, which a container may lack",
)


def _settings(name: str) -> list[str]:
    """Return the assignments of the [Service] section."""
    section = (_UNITS / name).read_text().partition("[Service]")[2].partition("[Install]")[0]
    lines = [line for line in section.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if line.partition("=")[0] not in _OWN]


def _copied(folder: Path) -> list[str]:
    """Copy the units, with a program that is there in place of ours."""
    for unit in (*_SERVICES, "groupmilter.socket"):
        (folder / unit).write_text((_UNITS / unit).read_text().replace("=groupmilter ", "=/bin/true "))
    return [str(folder / unit) for unit in (*_SERVICES, "groupmilter.socket")]


def test_the_units_of_single_roles_are_protected_like_the_whole() -> None:
    whole = _settings("groupmilter.service")
    socket = "ReadWritePaths=-/var/spool/postfix/groupmilter"
    assert socket in whole
    for role in _ROLES:
        # Postfix connects to the milter, and asks the desk about log-ins.
        needed = [line for line in whole if line != socket or role in ("milter", "desk")]
        assert _settings(f"groupmilter-{role}.service") == needed


def test_each_role_has_a_unit_that_excludes_the_whole() -> None:
    assert _ROLES == ROLES
    whole = (_UNITS / "groupmilter.service").read_text()
    for role in _ROLES:
        text = (_UNITS / f"groupmilter-{role}.service").read_text()
        assert f"\nExecStart=groupmilter serve {role}\n" in text
        assert "\nConflicts=groupmilter.service\n" in text
        assert f"groupmilter-{role}.service" in whole.partition("Conflicts=")[2].partition("\n")[0]


def test_only_the_supervisor_is_told_to_stop() -> None:
    assert "KillMode=mixed" in _settings("groupmilter.service")


@systemd_analyze
def test_the_units_are_understood(tmp_path: Path) -> None:
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *_copied(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@systemd_analyze
@pytest.mark.parametrize("unit", _SERVICES)
def test_the_units_leave_little_exposed(tmp_path: Path, unit: str) -> None:
    _copied(tmp_path)
    subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=yes",
            "--threshold=20",
            "--no-pager",
            str(tmp_path / unit),
        ],
        capture_output=True,
        check=True,
    )
