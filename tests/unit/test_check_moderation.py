"""What `check` says of moderation: the two services of master.cf, the rights to the hold mailbox, our log-in."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.ports import free_port

from groupmilter.cli.advice import Advice, Level
from groupmilter.cli.check_moderation import approvals, links, release_login, rights, service_owner
from groupmilter.cli.postfix_installed import Installed, Service
from groupmilter.cli.postfix_moderation import advise_moderation
from groupmilter.cli.postfix_wanted import Owner, master_entries
from groupmilter.config.keys import create_secret
from groupmilter.config.load import read_document
from groupmilter.config.model import Site
from groupmilter.config.reload import Configuration, load
from groupmilter.config.validation import validate

OWNER = Owner(107, 115)
MAIN = {
    "queue_directory": "/var/spool/postfix",
    "smtpd_discard_ehlo_keywords": "silent-discard, dsn",
    "smtpd_tls_security_level": "may",
    "smtpd_tls_auth_only": "yes",
    "local_header_rewrite_clients": "permit_inet_interfaces",
    "header_checks": "regexp:/etc/postfix/header_checks",
    "content_filter": "smtp-amavis:[127.0.0.1]:10024",
}
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def site(more: str = "") -> Site:
    text = "directory: {url: 'ldap://127.0.0.1', base: 'dc=example,dc=org'}\n"
    return validate(
        Site,
        read_document(f"{text}service: {{domain: groups.example.org}}\n{more}", "config.yaml"),
        Path("/"),
    )


def printed() -> tuple[Service, Service]:
    """The two services as `groupmilter postfix` prints them."""
    hold, release, _ = master_entries(site(), Installed({}), OWNER)
    options = [dict(o.split("=", 1) for o in entry.options) for entry in (hold, release)]
    return (
        Service("groupmilter-hold", "unix", "virtual", options[0]),
        Service("127.0.0.1:10027", "inet", "smtpd", options[1]),
    )


HOLD, RELEASE = printed()
CLEANUP = Service("groupmilter-cleanup", "unix", "cleanup")


def advice(*services: Service, owner: Owner | None = OWNER, cleanup: bool = True) -> dict[str, Advice]:
    there = Installed(MAIN, {}, (*services, *((CLEANUP,) if cleanup else ())))
    return {one.subject: one for one in advise_moderation(site(), there, owner)}


def altered(**overrides: str) -> Advice:
    """What is said of the release listener with other options; an empty one is left out."""
    options = {name: v for name, v in {**RELEASE.overrides, **overrides}.items() if v != "(left out)"}
    [found] = advice(HOLD, replace(RELEASE, overrides=options)).values()
    return found


def test_what_is_printed_stands_up_to_any_main_cf() -> None:
    assert advice(HOLD, RELEASE) == {}


@pytest.mark.parametrize(
    ("name", "value", "level", "part"),
    [
        ("smtpd_sasl_auth_enable", "no", Level.ERROR, "asks for no log-in"),
        ("smtpd_sasl_auth_enable", "(left out)", Level.ERROR, "asks for no log-in"),
        ("smtpd_sasl_type", "cyrus", Level.WARNING, "asks cyrus (groupmilter/release.sock)"),
        ("smtpd_sasl_path", "private/auth", Level.WARNING, "asks dovecot (private/auth)"),
        ("smtpd_sasl_path", "(left out)", Level.WARNING, "no path"),
        ("smtpd_tls_security_level", "encrypt", Level.ERROR, "inside TLS only"),
        ("smtpd_discard_ehlo_keywords", "(left out)", Level.ERROR, "hides DSN"),
        ("local_header_rewrite_clients", "(left out)", Level.WARNING, "no longer holds"),
        ("receive_override_options", "(left out)", Level.WARNING, "meets header_checks a second time"),
        ("content_filter", "(left out)", Level.WARNING, "content_filter a second time"),
    ],
)
def test_an_option_of_the_release_listener(name: str, value: str, level: Level, part: str) -> None:
    found = altered(**{name: value})
    assert found.level is level
    assert part in found.text


OURS = str(RELEASE.overrides["smtpd_milters"])


@pytest.mark.parametrize("before", ["inet:localhost:8891", "{ inet:localhost:8891, default_action=accept }"])
def test_a_signer_before_ours_on_the_release_listener_would_have_every_release_refused(before: str) -> None:
    found = altered(smtpd_milters=f"{before}, {OURS}")
    assert found.level is Level.ERROR
    assert "inet:localhost:8891 stands before groupmilter" in found.text
    assert found.fix.endswith(f"smtpd_milters={OURS},inet:localhost:8891")


def test_a_signer_behind_ours_there_signs_the_letters() -> None:
    options = {**RELEASE.overrides, "smtpd_milters": f"{OURS}, inet:localhost:8891"}
    assert advice(HOLD, replace(RELEASE, overrides=options)) == {}


def test_a_cleanup_service_that_is_not_there() -> None:
    [found] = advice(HOLD, RELEASE, cleanup=False).values()
    assert found.level is Level.ERROR
    assert "hands mail to groupmilter-cleanup, which is no service" in found.text


def test_tls_for_logins_only() -> None:
    found = altered(smtpd_tls_security_level="(left out)", smtpd_tls_auth_only="(left out)")
    assert "inside TLS only" in found.text


@pytest.mark.parametrize(
    "path", ["/var/spool/postfix/groupmilter/release.sock", "unix:groupmilter/release.sock"]
)
def test_our_socket_may_be_spelt_otherwise(path: str) -> None:
    options = {**RELEASE.overrides, "smtpd_sasl_path": path}
    assert advice(HOLD, replace(RELEASE, overrides=options)) == {}


def test_where_the_release_listener_is() -> None:
    assert "can't come back" in advice(HOLD)["release listener"].text
    assert "from outside" in advice(HOLD, replace(RELEASE, name="10027"))["master.cf 10027"].text
    elsewhere = advice(HOLD, replace(RELEASE, name="127.0.0.1:10099"))["master.cf 127.0.0.1:10099"]
    assert "to port 10027, where nobody listens" in elsewhere.text


def test_who_writes_the_hold_mailbox() -> None:
    assert "stays in Postfix's queue" in advice(RELEASE)["master.cf groupmilter-hold"].text
    other = advice(HOLD, RELEASE, owner=Owner(300, 300))["master.cf groupmilter-hold"]
    assert "as user 107, while groupmilter runs as user 300" in other.text
    assert "static:300" in other.fix
    assert advice(HOLD, RELEASE, owner=None) == {}


# the files


def house(folder: Path, uid: int) -> Site:
    """A configuration whose state lies in a folder of this user."""
    state = folder / "state"
    state.mkdir()
    os.chown(state, uid, uid)
    return site(
        f"state: sqlite:///{state}/state.db\nmirror: {state}/mirror.db\nhold_mailbox: maildir:{state}/hold\n"
    )


def mailbox(path: Path, uid: int) -> None:
    for folder in (path, path / ".Held", path / ".Approved"):
        for part in ("", "new", "cur", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            os.chown(folder / part, uid, uid)


def found(at: Site) -> list[Advice]:
    return [one for one in rights(at) if one.level is not Level.OK]


@AS_ROOT
def test_a_mailbox_of_the_services_own_user_is_right(tmp_path: Path) -> None:
    at = house(tmp_path, 65534)
    assert found(at) == []
    mailbox(at.hold_mailbox, 65534)
    assert found(at) == []
    assert [one.level for one in rights(at)] == [Level.OK]


@AS_ROOT
@pytest.mark.parametrize("part", [".", "new", "cur", ".Held", ".Approved/cur"])
def test_a_folder_of_another_user_is_named(tmp_path: Path, part: str) -> None:
    at = house(tmp_path, 65534)
    mailbox(at.hold_mailbox, 65534)
    os.chown(at.hold_mailbox / part, 1, 1)
    [wrong] = found(at)
    assert wrong.level is Level.ERROR
    assert f"{at.hold_mailbox / part} belongs to daemon, while groupmilter runs as nobody" in wrong.text
    assert wrong.fix.startswith("chown -R 65534:")


@AS_ROOT
def test_a_file_that_a_command_of_root_left_is_named(tmp_path: Path) -> None:
    at = house(tmp_path, 65534)
    at.state.touch()
    [wrong] = found(at)
    assert (wrong.subject, wrong.level) == (str(at.state), Level.ERROR)
    assert "belongs to root" in wrong.text


@AS_ROOT
def test_a_desk_of_root_may_move_anything(tmp_path: Path) -> None:
    at = house(tmp_path, 0)
    mailbox(at.hold_mailbox, 65534)
    assert service_owner(at) is None
    assert list(rights(at)) == []


# links


@pytest.mark.parametrize(
    ("panel", "part"),
    [
        ("", "letters to moderators hold no link"),
        ("panel: {url: 'http://groups.example.org'}", "without TLS"),
        ("panel: {url: 'http://127.0.0.1:8025'}", ""),
        ("panel: {url: 'https://groups.example.org/'}", ""),
    ],
)
def test_what_a_link_needs(tmp_path: Path, panel: str, part: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "directory: {url: 'ldap://127.0.0.1', base: 'dc=example,dc=org'}\n"
        f"service: {{domain: groups.example.org, key_file: {tmp_path}/key}}\n{panel}\n"
    )
    told = [one.text for one in links(load(file))]
    assert len(told) == bool(part)
    assert part in "".join(told)


# approvals


def test_who_wants_more_approvals_than_can_be_given_is_named(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "ldap_schema" / "openldap" / "sample.ldif"
    one = sample.read_text(encoding="utf-8").replace("dgApprovalsNeeded: 2", "dgApprovalsNeeded: 1")
    (tmp_path / "one.ldif").write_text(one, encoding="utf-8")
    told = {}
    for name, source in (("sample", sample), ("one", tmp_path / "one.ldif")):
        file = tmp_path / f"{name}.yaml"
        file.write_text(
            f"directory: {{url: 'ldif:{source}', base: 'dc=masociete,dc=example'}}\n"
            f"service: {{domain: groups.masociete.example, key_file: {tmp_path}/key}}\n"
            f"mirror: {tmp_path}/{name}.db\n"
        )
        told[name] = list(approvals(load(file)))
    assert told["one"] == []
    [advice] = told["sample"]
    assert advice.level is Level.WARNING
    assert "crise@masociete.example (1 of 2): " in advice.text


# the log-in


@pytest.fixture(name="configured")
def _configured(tmp_path: Path) -> Configuration:
    file = tmp_path / "config.yaml"
    file.write_text(
        "directory: {url: 'ldap://127.0.0.1', base: 'dc=example,dc=org'}\n"
        f"service: {{domain: groups.example.org, key_file: {tmp_path}/key, release: {{port: {free_port()}, "
        f"secret_file: {tmp_path}/secret, socket: {tmp_path}/release.sock}}}}\n"
        f"mirror: {tmp_path}/mirror.db\nstate: sqlite:///{tmp_path}/state.db\n"
    )
    return load(file)


def said(configuration: Configuration) -> Advice:
    [found] = release_login(configuration)
    return found


@contextmanager
def desk(configuration: Configuration) -> Iterator[None]:
    """Somebody who listens where a desk does; the listener's own words come from elsewhere."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(configuration.site.release_socket))
        listening.listen()
        yield


@contextmanager
def listener(configuration: Configuration, *replies: bytes) -> Iterator[None]:
    """A server on the release listener's port that says these things, one after each line of ours."""
    with socket.create_server(("127.0.0.1", configuration.site.service.release.port)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as lines:
                for reply in replies:
                    connection.sendall(reply + b"\r\n")
                    lines.readline()

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(150.0)


def test_without_a_password_or_a_desk_nothing_is_tried(configured: Configuration) -> None:
    assert "makes one at its first start" in said(configured).text
    create_secret(configured.site.service.release.secret_file)
    idle = said(configured)
    assert idle.level is Level.WARNING
    assert "no desk answers Postfix" in idle.text
    assert "No such file" in idle.text


def test_a_password_file_that_is_too_open(configured: Configuration) -> None:
    create_secret(configured.site.service.release.secret_file)
    configured.site.service.release.secret_file.chmod(0o644)
    wrong = said(configured)
    assert wrong.level is Level.ERROR
    assert "its mode 0644 is too open" in wrong.text


def test_nobody_on_the_port(configured: Configuration) -> None:
    create_secret(configured.site.service.release.secret_file)
    with desk(configured):
        wrong = said(configured)
    assert wrong.level is Level.ERROR
    assert "Connection refused" in wrong.text
    assert "approved mail can't come back" in wrong.text


@pytest.mark.parametrize(
    ("replies", "level", "part"),
    [
        ((b"220 mx", b"250-mx\r\n250 AUTH PLAIN", b"235 ok", b"221 bye"), Level.OK, "takes our log-in"),
        ((b"220 mx", b"250 mx", b"221 bye"), Level.ERROR, "AUTH extension not supported"),
        ((b"220 mx", b"250-mx\r\n250 AUTH PLAIN", b"535 no"), Level.ERROR, "refuses our credential: 535"),
        ((b"220 mx", b"250-mx\r\n250 AUTH PLAIN", b"454 later"), Level.ERROR, "refuses our credential: 454"),
        ((b"554 closed",), Level.ERROR, "554"),
    ],
)
def test_what_the_listener_answers(
    configured: Configuration, replies: tuple[bytes, ...], level: Level, part: str
) -> None:
    create_secret(configured.site.service.release.secret_file)
    with desk(configured), listener(configured, *replies):
        told = said(configured)
    assert told.level is level
    assert part in told.text
