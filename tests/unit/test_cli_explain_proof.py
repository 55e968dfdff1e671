"""``explain`` with a message: proof is looked up in a real DNS server as the milter does, and its source shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.dns import Dns
from tests.support.signing import Signer
from typer.testing import CliRunner

from groupmilter.cli.app import app

HOUSE = Path(__file__).parents[1] / "cases" / "house.ldif"
MESSAGE = (
    b"From: Paul <paul@partner.example>\r\nTo: partners@masociete.example\r\nSubject: Roof\r\n"
    b"Date: Thu, 26 Nov 2026 10:00:00 +0000\r\nX:  folded\r\n\tand so on \r\n\r\nIt leaks.\r\n\r\n"
)
Explain = Callable[..., str]


@pytest.fixture
def dns() -> Iterator[Dns]:
    with Dns() as running:
        yield running


@pytest.fixture
def explain(tmp_path: Path, dns: Dns, monkeypatch: pytest.MonkeyPatch) -> Explain:
    monkeypatch.setenv("COLUMNS", "200")
    config = tmp_path / "config.yaml"
    config.write_text(
        f"control: {tmp_path}/control.sock\n"
        f'directory: {{url: "ldif:{HOUSE}", base: "dc=masociete,dc=example"}}\n'
        f"service: {{domain: groups.masociete.example, key_file: {tmp_path}/ticket.key}}\n"
        f"mirror: {tmp_path}/mirror.db\nstate: sqlite:///{tmp_path}/state.db\n"
        f'authentication: {{servers: "{dns.host}:{dns.port}"}}\n'
    )

    def run(message: bytes, *options: str, to: str = "partners@masociete.example") -> str:
        file = tmp_path / "message.eml"
        file.write_bytes(message.replace(b"\r\n", b"\n"))
        asked = ("explain", "--message", str(file), "--from", "paul@partner.example", "--to", to)
        result = CliRunner().invoke(app, ["--config", str(config), *asked, *options])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def shape(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("canonicalization", ["simple/simple", "relaxed/relaxed"])
def test_a_signature_is_verified(dns: Dns, explain: Explain, canonicalization: str) -> None:
    signer = Signer(domain=b"partner.example")
    signer.publish(dns)
    signed = signer.craft(MESSAGE, {"c": canonicalization, "h": "from:to:subject:x"})
    said = shape(explain(signed, "--json"))
    assert said["identity"]["strength"] == "dmarc"
    assert "DKIM d=partner.example s=test holds" in said["identity"]["because"]
    assert said["recipients"][0]["verdict"] == "expand"
    words = explain(signed)
    assert "proven by an aligned DKIM signature" in words
    assert "strength dmarc: DKIM d=partner.example s=test holds" in words


def test_spf_is_asked_about_the_client(dns: Dns, explain: Explain) -> None:
    dns.txt("partner.example", "v=spf1 ip4:192.0.2.7 -all")
    assert "strength dmarc: no DKIM signature of the author's" in explain(MESSAGE, "--client", "192.0.2.7")
    other = shape(explain(MESSAGE, "--client", "192.0.2.8", "--json"))
    assert other["recipients"][0]["reply"].startswith("550 5.7.1")
    assert "SPF of partner.example: result fail" in other["identity"]["because"]


def test_what_dns_cannot_tell_is_deferred(dns: Dns, explain: Explain) -> None:
    dns.fails()
    said = shape(explain(Signer(domain=b"partner.example").craft(MESSAGE), "--json"))
    assert said["recipients"][0]["verdict"] == "defer"
    assert said["recipients"][0]["reply"].startswith("451 4.4.3")
    assert "not known" in said["identity"]["because"]


def test_dns_is_not_asked_where_nothing_hangs_on_it_or_a_proof_is_supposed(
    dns: Dns, explain: Explain
) -> None:
    words = explain(MESSAGE, to="open@masociete.example")
    assert "nothing hangs on a proof by DKIM or SPF, so none was looked for" in words
    for supposed in (("--dkim", "partner.example"), ("--spf", "partner.example")):
        assert "strength dmarc: supposed" in explain(MESSAGE, *supposed)
    explain(MESSAGE, "--author", "paul@partner.example")
    assert dns.questions == ()
