"""TLS client certificates and logins as Postfix itself tells of them: who is trusted, and who only says the same."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.certificates import Authority, Certificate, client_context
from tests.support.installation import Installation, installation
from tests.support.office import OFFICE
from tests.support.service import Service
from tests.support.smtp_client import SmtpClient, Transaction

NAME = "laptop.masociete.example"
JEAN = "jean@masociete.example"
CONTACT = "contact@masociete.example"
MESSAGE = f"From: {JEAN}\r\nTo: {CONTACT}\r\nSubject: hello\r\n\r\nHello.\r\n".encode()
OURS, THEIRS = "Masociete CA", "Another CA"
LOGINS = {"jean": "secret", "jean@masociete.example": "secret", "Jean": "secret", "nobody-of-ours": "secret"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), OURS).create()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that Postfix trusts, too."""
    return Authority(tmp_path_factory.mktemp("theirs"), THEIRS).create()


@pytest.fixture(scope="module")
def site(
    authority: Authority, other: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    server = authority.issue("mx.masociete.example")
    trusted = tmp_path_factory.mktemp("trusted") / "both.pem"
    trusted.write_bytes(authority.certificate.read_bytes() + other.certificate.read_bytes())
    tls = {
        "smtpd_tls_security_level": "may", "smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": str(trusted),
        "smtpd_tls_cert_file": str(server.certificate), "smtpd_tls_key_file": str(server.key),
    }  # fmt: skip
    known = {"certificates": [{"subject": NAME, "issuer": OURS, "login": "jean"}]}
    with (
        Service(f"ldif:{OFFICE}", options=known, desk=False) as service,
        installation(service, main=tls, logins=LOGINS) as whole,
    ):
        yield whole


def sent(site: Installation, tls: ssl.SSLContext | None) -> Transaction:
    return site.send(JEAN, [CONTACT], MESSAGE, tls=tls)


def refused(site: Installation, certificate: Certificate) -> bool:
    done = sent(site, client_context(certificate))
    assert done.end is None
    return [str(reply)[:9] for reply in done.recipients] == ["550 5.7.1"]


def test_a_trusted_certificate_that_is_known_is_its_person(site: Installation, authority: Authority) -> None:
    assert sent(site, client_context(authority.issue(NAME))).accepted


def test_a_trusted_one_that_nobody_listed_is_nobody(site: Installation, authority: Authority) -> None:
    assert refused(site, authority.issue("other.masociete.example"))


def test_the_same_name_from_another_authority_that_is_trusted_is_nobody(
    site: Installation, other: Authority
) -> None:
    assert refused(site, other.issue(NAME))


def test_the_same_names_from_an_authority_that_is_not_trusted_are_nobody(
    site: Installation, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, OURS).create()
    assert refused(site, stranger.issue(NAME))


def test_a_certificate_whose_time_is_over_is_nobody(site: Installation, authority: Authority) -> None:
    assert refused(site, authority.issue(NAME, days=-1))


def test_without_a_certificate_or_without_tls_nobody_is_proven(site: Installation) -> None:
    for context in (client_context(), None):
        done = sent(site, context)
        assert [str(reply)[:9] for reply in done.recipients] == ["550 5.7.1"]


def test_a_certificate_is_one_connections(site: Installation, authority: Authority) -> None:
    """Before STARTTLS it isn't known yet, after RSET and a further EHLO it still is, in the next connection no more."""
    with SmtpClient(site.postfix.ports.mx) as session:
        session.ehlo()
        assert not session.transaction(JEAN, [CONTACT], MESSAGE).accepted
        session.starttls(client_context(authority.issue(NAME)))
        session.ehlo()
        assert session.transaction(JEAN, [CONTACT], MESSAGE).accepted
        session.rset()
        session.ehlo()
        assert session.transaction(JEAN, [CONTACT], MESSAGE).accepted
    with SmtpClient(site.postfix.ports.mx) as session:
        session.ehlo()
        assert not session.transaction(JEAN, [CONTACT], MESSAGE).accepted


def logged_in(site: Installation, login: str, *, sender: str = JEAN) -> Transaction:
    with SmtpClient(site.postfix.ports.submission) as session:
        session.ehlo()
        assert session.login(login, "secret").code == 235
        return session.transaction(sender, [CONTACT], MESSAGE.replace(JEAN.encode(), sender.encode(), 1))


@pytest.mark.parametrize("login", ["jean", "Jean", "jean@masociete.example"])
def test_a_login_over_sasl_is_its_person_with_and_without_realm(site: Installation, login: str) -> None:
    assert logged_in(site, login).accepted


def test_a_login_over_sasl_that_is_nobodys_is_authenticated_under_its_own_name(site: Installation) -> None:
    assert logged_in(site, "nobody-of-ours", sender="nobody-of-ours@masociete.example").accepted
    assert str(logged_in(site, "nobody-of-ours").end).startswith("550 5.7.1")
