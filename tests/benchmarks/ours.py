"""The one place where the benchmarks start the program itself: its configuration, `serve`, its synchroniser.

`Unavailable` says why a part of the program cannot be measured; the harness then reports the figure as not
measured, and everything else still runs. `MilterFailed` when the program is there and doesn't come up.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from tests.benchmarks.contenders import Address, Kind, Milter, MilterFailed, address, launch, start_pymilter
from tests.benchmarks.population import DOMAIN, SUFFIX, group_address, person_address
from tests.benchmarks.programs import Load, Tools, run_load

from groupmilter.directory.snapshot import Reader

ROOT = Path(__file__).resolve().parents[2]
LOADED_DEADLINE = 300.0
LOOKUPS = 400
MESSAGE_SIZE_LIMIT = 50_000_000
"""As the benchmarks' Postfix has it."""

# The storm guard stays in the chain and counts, but never strikes: a benchmark is a storm. Nor does it matter that all
# its messages are one.
_NEVER = {"messages": 1_000_000, "per": "1m"}
POLICY = {"storm": {"messages": dict(_NEVER), "replies": dict(_NEVER)}, "replay": {"then": "accept"}}

Starter = Callable[[Kind, Path, Path, Sequence[int]], Milter]
"""Starts ours: socket kind, working directory, LDIF file, sizes of the groups that will be written to."""


class Unavailable(RuntimeError):
    """The program (or this part of it) isn't there."""


def environment() -> dict[str, str]:
    """The environment in which `python -m groupmilter` is this checkout's program."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "milter")}


def command(*arguments: str) -> list[str]:
    """A groupmilter command line."""
    return [sys.executable, "-m", "groupmilter", *arguments]


def available() -> bool:
    """Whether the program can serve."""
    return (
        subprocess.run(
            command("serve", "--help"), env=environment(), capture_output=True, check=False
        ).returncode
        == 0
    )


def configuration(workdir: Path, listen: Address, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A whole configuration for a private instance; top-level keys of `overrides` replace ours."""
    return {
        "listen": listen.libmilter,
        "socket": {"group": "", "mode": "0666"},
        "workers": "auto",
        "directory": {"url": "ldif:/nonexistent", "base": SUFFIX, "profile": "native"},
        "service": {
            "domain": f"groups.{DOMAIN}",
            "key_file": str(workdir / "ticket.key"),
            "release": {
                "secret_file": str(workdir / "release.secret"),
                "socket": str(workdir / "release.sock"),
            },
        },
        "hold_mailbox": f"maildir:{workdir}/hold",
        "state": f"sqlite:///{workdir}/state.db",
        "mirror": str(workdir / "mirror.db"),
        "map": {"type": "hash", "path": str(workdir / "groups")},
        "control": str(workdir / "control.sock"),
        "authentication": {"servers": "127.0.0.1:9"},
        "policies": [str(workdir / "policy.yaml")],
        "mta": {"message_size_limit": MESSAGE_SIZE_LIMIT},
        "log": {"level": "info", "format": "json"},
        **overrides,
    }


def write_configuration(workdir: Path, settings: Mapping[str, Any]) -> Path:
    """Write the configuration file, with the key file and the policy that it names."""
    key, file = workdir / "ticket.key", workdir / "config.yaml"
    key.write_text(f"0 {secrets.token_hex(32)}\n")
    key.chmod(0o600)
    (workdir / "policy.yaml").write_text(yaml.safe_dump(POLICY), "utf-8")
    file.write_text(yaml.safe_dump(dict(settings)), "utf-8")
    return file


def start_ours(workdir: Path, config_overrides: Mapping[str, Any], kind: Kind = "unix") -> Milter:
    """Start `groupmilter serve` with a configuration of its own; it answers when this returns."""
    if not available():
        raise Unavailable("groupmilter serve doesn't run")
    where = address(kind, workdir)
    file = write_configuration(workdir, configuration(workdir, where, config_overrides))
    return launch("ours", where, workdir, command("serve", "--config", str(file)), environment()).wait_ready()


def starter(tools: Tools) -> Starter:
    """Starts ours on an LDIF file, and waits until all the groups to be written to expand."""

    def start(kind: Kind, workdir: Path, ldif: Path, sizes: Sequence[int]) -> Milter:
        milter = start_ours(
            workdir, {"directory": {"url": f"ldif:{ldif}", "base": SUFFIX, "profile": "native"}}, kind
        )
        for size in sizes:
            wait_expanding(tools, milter, group_address(size), size)
        return milter

    return start


def stand_in(_tools: Tools) -> Starter:
    """The trivial pymilter under our name, to try the harness without the program."""

    def start(kind: Kind, workdir: Path, _ldif: Path, sizes: Sequence[int]) -> Milter:
        milter = start_pymilter(kind, workdir, sizes)
        milter.name = "ours"
        return milter

    return start


def changes(tools: Tools, milter: Milter, group: str) -> float:
    """How many changes the milter makes to one message to the group alone."""
    told = run_load(tools, milter.address.libmilter, Load(messages=1, recipients=1, groups=(group,)))
    return float(told["modifications_per_message"])


def wait_expanding(tools: Tools, milter: Milter, group: str, members: int) -> None:
    """Return once a message to the group gets all its members: one change for each, one for the group itself."""
    deadline = time.monotonic() + LOADED_DEADLINE
    while changes(tools, milter, group) < members + 1:
        if time.monotonic() > deadline:
            milter.stop()
            log = milter.log.read_text(errors="replace")[-2000:]
            raise MilterFailed(f"{milter.name} doesn't expand {group} to {members} members: {log}")
        time.sleep(0.05)


def load_directory(workdir: Path, directory: Mapping[str, Any]) -> tuple[float, float]:
    """First load by `groupmilter directory sync`: seconds, and peak memory of the process in MB."""
    settings = configuration(workdir, address("unix", workdir), {"directory": dict(directory)})
    file = write_configuration(workdir, settings)
    started = time.monotonic()
    process = subprocess.Popen(
        command("directory", "sync", "--config", str(file)),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=(workdir / "sync.log").open("wb"),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Unavailable(f"groupmilter directory sync: {(workdir / 'sync.log').read_text()[-300:]}")
    return time.monotonic() - started, usage.ru_maxrss / 1024  # getrusage(2): kilobytes


def lookup_microseconds(workdir: Path) -> float:
    """The mean cost of one mirror lookup in the mirror that `workdir` has: each a snapshot, half of them a miss."""
    reader = Reader(workdir / "mirror.db", max_age=3600.0)
    asked = [address for n in range(LOOKUPS // 2) for address in (person_address(n), f"nobody{n}@{DOMAIN}")]
    started = time.monotonic()
    found = sum(_known(reader, address) for address in asked)
    spent = time.monotonic() - started
    reader.close()
    if found != LOOKUPS // 2:
        raise Unavailable(f"the mirror knows {found} of {LOOKUPS // 2} people")
    return 1e6 * spent / LOOKUPS


def _known(reader: Reader, address: str) -> bool:
    with reader.snapshot(time.time()) as directory:
        return directory.find(address) is not None
