"""The benchmarks' tools and arithmetic: they compile without a warning, what they count is consistent, and the
harness judges rightly. Needs gcc and libmilter-dev; no MTA and no directory run here.
"""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.benchmarks import ours, processes, targets
from tests.benchmarks.contenders import Address, Kind, Milter, start_c, start_pymilter
from tests.benchmarks.figures import Direction, Figure, Target, figure, interleaved, judge, judge_all, ratio
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.population import Population, group_address, person_address, write
from tests.benchmarks.programs import Load, Sink, ToolFailed, Tools, build, run_load
from tests.benchmarks.raw import LoadFailed, check
from tests.benchmarks.report import Report, now, write_json

from groupmilter.config.reload import load

MEMBERS = 7
GROUP = group_address(MEMBERS)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return build(tmp_path_factory.mktemp("tools"))


@pytest.fixture
def milter(tools: Tools, tmp_path: Path) -> Iterator[Milter]:
    with start_c(tools, "unix", tmp_path, [MEMBERS]) as started:
        yield started


# the tools


def test_counts_of_a_load_agree_with_each_other(tools: Tools, milter: Milter) -> None:
    told = run_load(tools, milter.address.libmilter, Load(messages=30, recipients=3, groups=(GROUP,)))
    assert told["transactions"] == 30
    assert told["modifications_per_message"] == MEMBERS + 1  # each member, and the group's deletion
    assert told["verdicts"] == {"c": 30}
    assert told["recipient_verdicts"] == {"c": 90}
    assert told["errors"] == 0
    assert told["connections_opened"] == 1
    assert 0 < told["p50_ms"] <= told["p99_ms"]


def test_a_message_without_a_group_is_not_modified(tools: Tools, milter: Milter) -> None:
    told = run_load(tools, milter.address.libmilter, Load(messages=5))
    assert told["modifications_per_message"] == 0
    assert told["verdicts"] == {"c": 5}


def test_fresh_connections_are_one_for_each_message(tools: Tools, milter: Milter) -> None:
    load = Load(connections=3, messages=12, fresh=True, groups=(GROUP,))
    told = run_load(tools, milter.address.libmilter, load)
    assert (told["transactions"], told["connections_opened"]) == (12, 12)


def test_a_load_by_time_counts_whole_messages_only(tools: Tools, milter: Milter) -> None:
    told = run_load(tools, milter.address.libmilter, Load(connections=4, seconds=0.3, groups=(GROUP,)))
    check(MEMBERS, milter.name, told)
    assert told["recipient_verdicts"]["c"] == 3 * told["transactions"]
    assert told["tps"] == pytest.approx(told["transactions"] / told["seconds"], rel=0.01)


def test_a_load_by_time_has_a_message_however_slow_the_machine_is(tools: Tools, milter: Milter) -> None:
    told = run_load(tools, milter.address.libmilter, Load(seconds=0.000_001, groups=(GROUP,)))
    check(MEMBERS, milter.name, told)


def test_several_groups_in_one_message(tools: Tools, tmp_path: Path) -> None:
    with start_c(tools, "unix", tmp_path, [2, 5]) as milter:
        load = Load(messages=1, recipients=2, groups=(group_address(2), group_address(5)))
        assert run_load(tools, milter.address.libmilter, load)["modifications_per_message"] == 9


@pytest.mark.parametrize("stalls", [False, True])
def test_trivial_milter_over_tcp(tools: Tools, tmp_path: Path, stalls: bool) -> None:
    with start_c(tools, "tcp", tmp_path, [MEMBERS], stalls) as milter:
        told = run_load(tools, milter.address.libmilter, Load(messages=3, groups=(GROUP,)))
    check(MEMBERS, milter.name, told)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_trivial_pymilter_does_the_same(tools: Tools, tmp_path: Path, kind: Kind) -> None:
    with start_pymilter(kind, tmp_path, [MEMBERS]) as milter:
        told = run_load(tools, milter.address.libmilter, Load(messages=3, groups=(GROUP,)))
    check(MEMBERS, milter.name, told)


def test_load_against_nobody_fails(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match='"errors"'):
        run_load(tools, f"unix:{tmp_path}/nobody", Load(seconds=0.05))


def test_load_refuses_bad_arguments(tools: Tools) -> None:
    for arguments in (
        ["-s", "nonsense"],
        ["-s", "unix:/x", "-c", "0"],
        ["-s", "unix:/x", "-r", "1", "-g", "a", "-g", "b"],
    ):
        done = subprocess.run([tools.load, *arguments], capture_output=True, check=False)
        assert done.returncode == 2, arguments
        assert done.stderr


def test_a_reading_that_is_no_figure_is_refused() -> None:
    good: dict[str, Any] = {
        "errors": 0,
        "transactions": 1,
        "verdicts": {"c": 1},
        "modifications_per_message": 8,
    }
    check(MEMBERS, "it", good)
    for wrong in (
        {"errors": 1},
        {"transactions": 0},
        {"verdicts": {"t": 1}},
        {"modifications_per_message": 7},
    ):
        with pytest.raises(LoadFailed):
            check(MEMBERS, "it", good | wrong)


def test_sink_counts_messages_and_recipients(tools: Tools) -> None:
    with Sink(tools) as sink:
        _send(sink.port, b"RCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\n", b"one\r\n..\r\n.not the end\r\n")
        _send(sink.port, b"RCPT TO:<a@b>\r\n", b"x" * 200_000 + b"\r\n")
        counters = sink.counters()
        assert (counters["messages"], counters["recipients"]) == (2, 3)
        assert counters["last_dot"] > 0
        sink.reset()
        assert sink.counters() == {"messages": 0, "recipients": 0, "last_dot": 0}


def _send(port: int, recipients: bytes, text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(
            b"EHLO me\r\nMAIL FROM:<>\r\n" + recipients + b"DATA\r\n" + text + b".\r\nQUIT\r\n"
        )
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.search(rb"354 .*\r\n250 .*\r\n221 ", answers)


def test_the_program_takes_the_configuration_that_it_is_started_with(tmp_path: Path) -> None:
    settings = ours.configuration(tmp_path, Address(path=tmp_path / "milter.sock"), {"workers": 2})
    loaded = load(ours.write_configuration(tmp_path, settings))
    assert loaded.site.worker_count == 2
    assert loaded.site.listen.path == tmp_path / "milter.sock"
    assert loaded.site.mirror.parent == loaded.site.control.parent == loaded.site.state.parent == tmp_path
    assert loaded.keys.current.id == 0
    assert loaded.settings.storm.rate.messages >= 1_000_000
    overrides = {"directory": {"url": "ldap://127.0.0.1:389", "base": "dc=example,dc=org"}}
    changed = ours.configuration(tmp_path, Address(port=10_000), overrides)
    assert load(ours.write_configuration(tmp_path, changed)).site.listen.port == 10_000


# where figures come from


def test_cpu_and_memory_of_a_process_tree() -> None:
    own = processes.cpu_seconds(os.getpid())
    assert own > 0
    assert processes.cpu_seconds(os.getpid()) >= own
    found = {one.pid: one for one in processes.memory(os.getpid())}
    assert 0 < found[os.getpid()].pss <= found[os.getpid()].rss <= found[os.getpid()].peak


def test_the_tree_has_the_children(milter: Milter) -> None:
    assert milter.process.pid in processes.tree(os.getpid())
    assert processes.tree(milter.process.pid) == [milter.process.pid]


def test_population_is_deterministic_and_has_the_sizes_asked_for(tmp_path: Path) -> None:
    population = Population(50, 20, (10, 50))
    for name in ("one", "two"):
        write(population, tmp_path / name)
    text = (tmp_path / "one").read_text()
    assert text == (tmp_path / "two").read_text()
    assert text.count("objectClass: inetOrgPerson") == 50
    entries = {entry.partition("\n")[0]: entry for entry in text.split("\n\n")}
    assert entries["dn: cn=members-10,ou=groups,dc=example,dc=org"].count("\nmember: ") == 10
    assert sum("objectClass: distributionGroup" in entry for entry in entries.values()) == 22
    assert f"mail: {person_address(49)}\n" in text


def test_population_refuses_more_members_than_people(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more members"):
        write(Population(5, 0, (6,)), tmp_path / "ldif")


# the arithmetic


def test_contenders_run_in_turns() -> None:
    order: list[str] = []

    def run(name: str) -> int:
        order.append(name)
        return len(order)

    samples = interleaved(3, {"a": lambda: run("a"), "b": lambda: run("b")})
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert samples == {"a": [1, 3, 5], "b": [2, 4, 6]}
    with pytest.raises(ValueError, match="round"):
        interleaved(0, {"a": lambda: run("a")})


def test_figure_is_median_and_range() -> None:
    assert figure([9.0, 1.0, 2.0], "ms") == Figure(2.0, 1.0, 9.0, 3, "ms")
    assert figure([1.0, 2.0], "ms").median == 1.5
    with pytest.raises(ValueError, match="no samples"):
        figure([], "ms")


def test_ratio_is_of_medians_of_one_unit() -> None:
    assert ratio(figure([3.0, 100.0, 4.0], "ms"), figure([2.0], "ms")) == 2.0
    with pytest.raises(ValueError, match="set against"):
        ratio(figure([1.0], "ms"), figure([1.0], "s"))
    with pytest.raises(ValueError, match="zero"):
        ratio(figure([1.0], "ms"), figure([0.0], "ms"))


@pytest.mark.parametrize(
    ("direction", "value", "met", "shortfall"),
    [
        ("at least", 0.9, True, 0),
        ("at least", 0.45, False, 50),
        ("at most", 0.9, True, 0),
        ("at most", 1.8, False, 100),
    ],
)
def test_judgement(direction: Direction, value: float, met: bool, shortfall: float) -> None:
    judgement = judge(Target("name", direction, 0.9, "wish"), value)
    assert judgement.met is met
    assert judgement.shortfall == pytest.approx(shortfall)
    assert ("missed by" in judgement.text) is not met


def test_what_was_not_measured_is_not_judged() -> None:
    wanted = (Target("a", "at least", 1, "first"), Target("b", "at least", 1, "second"))
    judged, unmeasured = judge_all(wanted, {"a": 2})
    assert [one.target.figure for one in judged] == ["a"]
    assert [one.figure for one in unmeasured] == ["b"]


def _outcome() -> Outcome:
    outcome = Outcome()
    outcome.add("raw/unix/kept/8", {"ours": [3000.0, 5000.0, 4000.0], "C milter": [8000.0]}, "transactions/s")
    outcome.compare("raw/unix/kept/8", "ours", "C milter")
    outcome.compare("raw/unix/kept/8", "ours", "nobody")
    return outcome


def test_outcome_names_are_those_of_the_targets() -> None:
    values = _outcome().values
    assert values["raw/unix/kept/8/ours"] == 4000
    assert values["raw/unix/kept/8/ours:C milter"] == 0.5
    assert {"raw/unix/kept/8/ours", "raw/unix/kept/8/ours:C milter"} <= {
        one.figure for one in targets.TARGETS
    }
    assert not any("nobody" in name for name in values)


def test_report_sets_targets_beside_figures(tmp_path: Path) -> None:
    report = Report(now(), "groupmilter", False, ("raw",), _outcome())
    written = json.loads(write_json(report, tmp_path / "results").read_text())
    judged = {one["target"]["figure"]: one for one in written["targets"]}
    assert judged["raw/unix/kept/8/ours"]["met"] is False
    assert judged["raw/unix/kept/8/ours"]["shortfall"] == pytest.approx(20)
    assert judged["raw/unix/kept/8/ours:C milter"]["met"] is True
    assert len(judged) + len(written["targets_not_measured"]) == len(targets.TARGETS)


@pytest.mark.parametrize(("who", "quick"), [("stand-in (trivial pymilter)", False), ("groupmilter", True)])
def test_nothing_is_judged_on_a_stand_in_or_a_smoke_run(who: str, quick: bool) -> None:
    judged, unmeasured = Report(now(), who, quick, ("raw",), _outcome()).judged
    assert judged == []
    assert len(unmeasured) == len(targets.TARGETS)
