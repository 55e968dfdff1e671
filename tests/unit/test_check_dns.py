"""``check`` and DNS: who answers, who doesn't, and hosts that bring mail from outside without being named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.dns import Dns, Trouble
from typer.testing import CliRunner

from groupmilter.cli.app import app

HOUSE = Path(__file__).parents[1] / "cases" / "house.ldif"
Check = Callable[..., list[dict[str, str]]]


@pytest.fixture
def dns() -> Iterator[Dns]:
    with Dns() as running:
        yield running


@pytest.fixture
def check(tmp_path: Path, dns: Dns) -> Check:
    def run(
        more: str = "",
        options: tuple[str, ...] = (),
        servers: tuple[Dns, ...] = (dns,),
        timeout: str = "15s",
    ) -> list[dict[str, str]]:
        config = tmp_path / "config.yaml"
        asked = ", ".join(f'"{server.host}:{server.port}"' for server in servers)
        config.write_text(
            f'directory: {{url: "ldif:{HOUSE}", base: "dc=masociete,dc=example"}}\n'
            f"service: {{domain: groups.masociete.example, key_file: {tmp_path}/ticket.key}}\n"
            f"mirror: {tmp_path}/mirror.db\nstate: sqlite:///{tmp_path}/state.db\n"
            f"hold_mailbox: maildir:{tmp_path}/hold\nown_domains: [masociete.example]\n"
            f"authentication: {{servers: [{asked}], timeout: {timeout}}}\n{more}"
        )
        called = ("check", "--no-postfix", "--config", str(config), "--json", *options)
        shown: dict[str, Any] = json.loads(CliRunner().invoke(app, called).stdout)
        return [one for one in shown["checks"] if one["area"] == "dns"]

    return run


def test_a_server_that_answers(dns: Dns, check: Check) -> None:
    (found,) = check()
    assert (found["level"], found["subject"]) == ("ok", f"127.0.0.1 port {dns.port}")


@pytest.mark.parametrize(
    ("trouble", "timeout"), [(Trouble(silent=True), "7s"), (Trouble(rcode="SERVFAIL"), "15s")]
)
def test_a_server_that_does_not(dns: Dns, check: Check, trouble: Trouble, timeout: str) -> None:
    """The one beside it has the same time, of the 15 s for both."""
    with Dns() as other:
        dns.trouble("", trouble)
        bad, good = check(servers=(dns, other), timeout=timeout)
    assert (bad["level"], bad["subject"]) == ("warning", f"127.0.0.1 port {dns.port}")
    assert "451 4.4.3" in bad["text"]
    assert (good["level"], good["subject"]) == ("ok", f"127.0.0.1 port {other.port}")


def test_another_host_that_takes_our_mail_should_be_a_trusted_relay(dns: Dns, check: Check) -> None:
    dns.mx("masociete.example", "mx.masociete.example")
    dns.mx("masociete.example", "here.masociete.example", 20)
    dns.address("here.masociete.example", "127.0.0.1")
    dns.address("mx.masociete.example", "192.0.2.25", "2001:db8::25")
    _, hint = check()
    assert (hint["level"], hint["subject"]) == ("hint", "192.0.2.25, 2001:db8::25")
    assert hint["fix"] == "trusted_relays: [{net: 192.0.2.25, authserv_id: mx.masociete.example}]"
    named = "trusted_relays: [{net: 192.0.2.25, authserv_id: mx}, {net: '2001:db8::/64', authserv_id: mx}]\n"
    assert [one["level"] for one in check(named)] == ["ok"]
    half = "trusted_relays: [{net: 192.0.2.25, authserv_id: mx}]\n"
    assert [one["subject"] for one in check(half)][1:] == ["2001:db8::25"]


def test_nobody_is_asked_who_should_not_be(dns: Dns, check: Check) -> None:
    assert check(options=("--no-dns",)) == []
    assert dns.questions == ()
