"""The release listener as `groupmilter postfix` prints it: who gets in, and that main.cf leaves released mail alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.certificates import Authority
from tests.support.installation import Installation, installation, recipients
from tests.support.office import BOB, COMMERCIAL, JEAN, OFFICE, PIERRE, identity
from tests.support.service import Service
from tests.support.serving import Serving
from tests.support.sink import SunkMessage
from tests.support.smtp_client import SmtpClient

from groupmilter.config.keys import create_secret
from groupmilter.moderation.item import DESK, Event, State
from groupmilter.moderation.ledger import Ledger

DEADLINE = 150.0
SENDER = "client@outside.example"
ODD = (
    b"from: Bare Name\r\n"
    b"SUBJECT:odd   spacing\r\n\tfolded\r\n"
    b"X-Mark: %s\r\n"
    b"\r\n"
    b"no Date, no To, no Message-ID\r\n"
)


def hostile(folder: Path) -> dict[str, str]:
    """What administrators set in main.cf for good reasons of their own, and what would spoil a release."""
    certificate = Authority(folder).create().issue("mx.masociete.example")
    (folder / "header_checks").write_text("/^X-Mark:/ PREPEND X-Checked: once\n")
    return {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": str(certificate.certificate),
        "smtpd_tls_key_file": str(certificate.key),
        "smtpd_tls_auth_only": "yes",
        "smtpd_sasl_authenticated_header": "yes",
        "smtpd_client_restrictions": "check_client_access inline:{127.0.0.1=REJECT}",
        "smtpd_helo_restrictions": "check_helo_access inline:{localhost=REJECT}",
        "smtpd_client_message_rate_limit": "1",
        "smtpd_client_event_limit_exceptions": "",
        "local_header_rewrite_clients": "permit_sasl_authenticated",
        "smtpd_milter_maps": "inline:{127.0.0.1=DISABLE}",
        "smtpd_discard_ehlo_keyword_address_maps": "inline:{127.0.0.1=dsn}",
        "header_checks": f"regexp:{folder}/header_checks",
    }


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("hostile")
    with Service(f"ldif:{OFFICE}") as service, installation(service, main=hostile(folder)) as site:
        yield site


def until(site: Installation, question: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not question():
        assert time.monotonic() < deadline, (
            f"{what}\n{site.service.log()[-3000:]}\n{site.postfix.log()[-3000:]}"
        )
        time.sleep(0.05)


def copies(site: Installation, mark: str) -> list[SunkMessage]:
    """What members got; letters to moderators, which quote it, have a null return path."""
    return [message for message in site.delivered(mark) if not message.told]


def wait_for_both(site: Installation, mark: str) -> None:
    until(site, lambda: len(recipients(copies(site, mark))) == 2, "both copies")


def held_and_approved(site: Installation, client: str) -> str:
    """A message that was held, and approved by command as it were; its mark."""
    mark = identity()
    ledger = Ledger.open(f"sqlite:///{site.service.folder}/state.db", timeout=30.0)
    before = {item.name for item in ledger.items({State.HELD}, limit=1000)}
    assert site.send(SENDER, [COMMERCIAL], ODD % mark.encode(), client=client).accepted
    until(site, lambda: len(ledger.items({State.HELD}, limit=1000)) > len(before), "a held message")
    [item] = [item for item in ledger.items({State.HELD}, limit=1000) if item.name not in before]
    assert ledger.change(item.id, Event.APPROVE, DESK, int(time.time())).happened
    ledger.close()
    return mark


def test_released_mail_is_as_it_was_sent_whatever_main_cf_says(site: Installation) -> None:
    # Twice: the second one would meet the rate limit.
    for client in ("203.0.113.9", "203.0.113.10"):
        mark = held_and_approved(site, client)
        wait_for_both(site, mark)
        assert recipients(copies(site, mark)) == [BOB, PIERRE]
        for copy in copies(site, mark):
            lines = copy.content.split(b"\r\n")
            own = next(n for n, line in enumerate(lines) if line.lower() == b"from: bare name")
            assert b"\r\n".join(lines[own:]).startswith((ODD % mark.encode()).partition(b"X-Mark")[0])
            assert copy.content.count(b"X-Checked: once") == 1
            assert copy.content.endswith(b"\r\n\r\nno Date, no To, no Message-ID\r\n")
            assert not [line for line in lines if line.lower().startswith((b"date:", b"message-id:", b"to:"))]
            assert b"Authenticated sender" not in copy.content


def test_who_does_not_know_the_password_gets_nothing_in(site: Installation) -> None:
    login, secret = next(iter(site.service.release_login.items()))
    with SmtpClient(site.service.release_port) as session:
        assert "AUTH PLAIN" in str(session.ehlo())
        assert session.mail(SENDER).code == 250
        assert session.rcpt(JEAN).code == 554
        session.rset()
        assert session.login(login, "wrong").code == 535
        assert session.login("jean", secret).code == 535
        assert session.mail(SENDER).code == 250
        assert session.rcpt(JEAN).code == 554


def test_a_new_password_needs_no_restart_and_nothing_in_postfix(site: Installation) -> None:
    secret = site.service.folder / "release.secret"
    before = next(iter(site.service.release_login.items()))
    secret.unlink()
    create_secret(secret)
    with SmtpClient(site.service.release_port) as session:
        session.ehlo()
        assert session.login(*before).code == 535
        assert session.login(*next(iter(site.service.release_login.items()))).code == 235
    mark = held_and_approved(site, "203.0.113.11")
    wait_for_both(site, mark)


def checked(site: Installation) -> dict[str, str]:
    """What `groupmilter check` says of moderation, by level and text."""
    where = ("--postfix-config", str(site.postfix.config_directory))
    command = Serving(site.service.folder, "", site.service.control)
    found = json.loads(command.run("--json", "check", "--no-directory", *where).stdout)["checks"]
    return {one["text"]: one["level"] for one in found if one["area"] == "moderation"}


def test_check_tries_the_log_in(site: Installation) -> None:
    assert checked(site)["the release listener takes our log-in."] == "ok"
    site.postfix.stop()
    [refused] = [text for text, level in checked(site).items() if level == "error"]
    assert "Connection refused" in refused
    site.postfix.start()


def test_while_the_desk_is_down_a_login_is_put_off_and_works_when_it_is_back(site: Installation) -> None:
    login, secret = next(iter(site.service.release_login.items()))
    with SmtpClient(site.service.release_port) as session:
        session.ehlo()
        assert session.login(login, secret).code == 235
        session.quit()
    site.service.stop()
    with SmtpClient(site.service.release_port) as session:
        session.ehlo()
        assert session.login(login, secret).code == 454
    site.service.start()
    mark = held_and_approved(site, "203.0.113.12")
    wait_for_both(site, mark)
