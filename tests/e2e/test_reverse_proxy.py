"""The pages for moderators behind a real nginx, with the file in deploy/nginx: TLS, the client's address, logs."""

from __future__ import annotations

import email
import email.policy
import http.client
import re
import socket
import ssl
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.certificates import Authority
from tests.support.installation import Installation, installation
from tests.support.office import COMMERCIAL, JEAN, OFFICE, identity, message
from tests.support.ports import free_port, is_free
from tests.support.service import Service

from groupmilter.moderation.item import Item, State
from groupmilter.moderation.ledger import Ledger

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "groupmilter.conf"
NAME = "groups.masociete.example"
DEADLINE = 150.0
_MAIN = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/main-error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@dataclass
class Proxied:
    """A site, and the nginx before its panel."""

    site: Installation
    folder: Path
    port: int

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """One request to nginx, as a browser would make it."""
        context = ssl.create_default_context(cafile=str(self.folder / "authority" / "ca.pem"))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)
        connection = http.client.HTTPConnection(NAME)
        connection.sock = context.wrap_socket(plain, server_hostname=NAME)
        body = urllib.parse.urlencode(form) if form else None
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        connection.request(
            method, path, body, {**kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        )
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, text


def shipped(folder: Path, port: int, panel: int) -> str:
    """The shipped file with this test's names, paths and ports; each of them has to stand there."""
    text = SHIPPED.read_text()
    certificate = Authority(folder / "authority").create().issue(NAME, f"DNS:{NAME}")
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("    listen [::]:443 ssl http2;\n", ""),
        ("server_name groups.example.org", f"server_name {NAME}"),
        ("/etc/letsencrypt/live/groups.example.org/fullchain.pem", str(certificate.certificate)),
        ("/etc/letsencrypt/live/groups.example.org/privkey.pem", str(certificate.key)),
        ("/var/log/nginx/groupmilter-error.log", f"{folder}/error.log"),
        ("http://127.0.0.1:8025", f"http://127.0.0.1:{panel}"),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture(name="proxied", scope="module")
def _proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    with Service(f"ldif:{OFFICE}", options={"panel": {"url": f"https://{NAME}"}}) as service:
        panel = urllib.parse.urlsplit(service.panel).port
        assert panel
        (folder / "site.conf").write_text(shipped(folder, port, panel))
        (folder / "nginx.conf").write_text(_MAIN.format(folder=folder))
        command = ("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"))
        with installation(service) as site, subprocess.Popen(command) as nginx:
            until(lambda: not is_free(port), "nginx")
            yield Proxied(site, folder, port)
            nginx.terminate()
            assert nginx.wait(DEADLINE) == 0


def until(question: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not question():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def linked(proxied: Proxied) -> tuple[str, str]:
    """A held message's mark, and the path of Jean's link to it."""
    mark = identity()
    assert proxied.site.send("client@outside.example", [COMMERCIAL], message(mark)).accepted

    def letters() -> list[str]:
        found = [m for m in proxied.site.sink.messages if JEAN in m.addresses and mark.encode() in m.content]
        return [written(m.content) for m in found]

    until(letters, "a letter to Jean")
    found = re.search(rf"https://{re.escape(NAME)}(/decide/\S+)", letters()[0])
    assert found, letters()[0]
    return mark, found[1]


def written(octets: bytes) -> str:
    part = email.message_from_bytes(octets, policy=email.policy.default).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def item(proxied: Proxied, mark: str) -> tuple[Item, set[str]]:
    """The item, and where the decision about it came from."""
    ledger = Ledger.open(f"sqlite:///{proxied.site.service.folder}/state.db", timeout=30.0)
    [found] = ledger.find(message_id=f"<{mark}@test.example>")
    origins = {row.origin for row in ledger.audit(item=found.name) if row.action == "approve"}
    ledger.close()
    return found, origins


def test_a_moderator_decides_through_the_proxy(proxied: Proxied) -> None:
    mark, path = linked(proxied)
    status, headers, page = proxied.ask("GET", path)
    assert status == 200
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Referrer-Policy"] == "no-referrer"
    word = re.search(r'class="show-word">([a-z]+)<', page)
    assert word, page
    form = {"decision": "approve", "word": word[1]}
    assert proxied.ask("POST", path, form, Origin="https://elsewhere.example")[0] == 403
    origin = {"Origin": f"https://{NAME}", "X_Forwarded_For": "198.51.100.7"}
    assert proxied.ask("POST", path, form, **origin)[0] == 200
    found, origins = item(proxied, mark)
    assert found.state in (State.APPROVED, State.RELEASED)
    # Here nginx itself was asked from loopback: by another proxy of this host, as far as anybody can tell.
    assert origins == {"198.51.100.7"}


def test_the_stylesheet_comes_through_and_is_kept(proxied: Proxied) -> None:
    _, path = linked(proxied)
    page = proxied.ask("GET", path)[2]
    sheet = re.search(r'href="(/static/[^"]+\.css)"', page)
    assert sheet, page
    status, headers, _ = proxied.ask("GET", sheet[1])
    assert (status, headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in headers["Cache-Control"]


def test_a_link_is_in_no_log_of_the_proxy_even_when_the_panel_is_down(proxied: Proxied) -> None:
    _, path = linked(proxied)
    assert proxied.ask("GET", path)[0] == 200
    proxied.site.service.stop()
    assert proxied.ask("GET", path)[0] == 502
    proxied.site.service.start()
    token = path.rpartition("/")[2]
    logs = [file for file in proxied.folder.iterdir() if file.suffix == ".log"]
    assert logs
    assert not [file for file in logs if token in file.read_text()]
