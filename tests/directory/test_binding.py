"""Log-ins at a real slapd with a password policy: who is who, what a policy says, what is never asked, TLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.directory.writing import PEOPLE, SUFFIX, native
from tests.support.fake_ldap import FakeLdap, page_end
from tests.support.slapd import Slapd
from tests.support.slapd_configuration import Settings

from groupmilter.directory.binding import Binding, Outcome
from groupmilter.directory.ldap_settings import LdapSettings
from groupmilter.groups.directory import DirectoryUnknown

OWN = "masociete.example"
POLICIES = f"""\
dn: cn=default,{SUFFIX}
objectClass: applicationProcess
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdMustChange: TRUE
pwdLockout: TRUE
pwdMaxFailure: 4
pwdLockoutDuration: 900
pwdFailureCountInterval: 0

dn: cn=short,{SUFFIX}
objectClass: applicationProcess
objectClass: pwdPolicy
cn: short
pwdAttribute: userPassword
pwdMaxAge: 1
"""
OVERLAY = f"""\
dn: olcOverlay=ppolicy,olcDatabase={{1}}mdb,cn=config
objectClass: olcOverlayConfig
objectClass: olcPPolicyConfig
olcOverlay: ppolicy
olcPPolicyDefault: cn=default,{SUFFIX}
olcPPolicyUseLockout: TRUE
"""
READER = (f"cn=reader,{SUFFIX}", "reader")


def person(uid: str, *lines: str) -> str:
    more = "".join(f"{line}\n" for line in lines)
    return (
        f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
        f"mail: {uid}.long@{OWN}\nuserPassword: {uid}-secret\n{more}\n"
    )


@pytest.fixture(scope="module")
def slapd(openldap_files: Path) -> Iterator[Slapd]:
    """A slapd that wants TLS for passwords, with the overlay that looks after them."""
    settings = Settings(
        modules=("back_mdb", "syncprov", "ppolicy"), extra=OVERLAY, tls=True, require_tls=True
    )
    with Slapd(settings, [openldap_files / "sample.ldif"]) as server:
        server.add(POLICIES)
        server.reader(*("reader", "reader"))
        server.add(
            person("anna")
            + person("twin", "uid: shared")
            + person("other-twin", "uid: shared")
            + person("aged", f"pwdPolicySubentry: cn=short,{SUFFIX}")
            + person("renewed")
            + person("locked", "pwdAccountLockedTime: 000001010000Z")
            + person("odd*(one)")
            + person("tried")
            + person("poor").replace("userPassword", "description")
        )
        yield server


def binding(slapd: Slapd, url: str = "", **changes: object) -> Binding:
    reading = LdapSettings(
        (url or slapd.tls_uri,), SUFFIX, *READER, ca_file=slapd.ca_file, start_tls=True, connect_timeout=150.0
    )
    changed = replace(reading, **changes)  # type: ignore[arg-type]
    return Binding(changed, native(), frozenset({OWN}), frozenset({OWN}))


@pytest.mark.parametrize(
    "login", ["anna", " ANNA ", f"anna@{OWN}", f"Anna.Long@{OWN}", "odd*(one)"], ids=lambda login: login
)
def test_a_person_comes_in_by_name_or_address(slapd: Slapd, login: str) -> None:
    uid = "anna" if "nna" in login.lower() else login
    proven = binding(slapd).attempt(login, f"{uid}-secret")
    assert (proven.outcome, proven.dn) == (Outcome.PROVEN, f"uid={uid},{PEOPLE}")
    assert proven.uuid in slapd.search(SUFFIX, "(objectClass=inetOrgPerson)", "entryUUID")


@pytest.mark.parametrize(
    ("login", "password"),
    [("anna", "wrong"), ("nobody-here", "x"), ("shared", "twin-secret"), ("*", "anna-secret"),
     ("poor", "poor-secret"), ("contact", "x"), ("anna\0", "anna-secret"), ("anna@elsewhere.example", "anna-secret")],
)  # fmt: skip
def test_nobody_and_a_wrong_password_are_the_same(slapd: Slapd, login: str, password: str) -> None:
    assert binding(slapd).attempt(login, password).outcome is Outcome.WRONG


def test_a_lock_set_by_hand_or_by_the_server_keeps_out(slapd: Slapd) -> None:
    assert binding(slapd).attempt("locked", "locked-secret").outcome is Outcome.WRONG
    for _ in range(4):
        binding(slapd).attempt("tried", "wrong")
    assert binding(slapd).attempt("tried", "tried-secret").outcome is Outcome.WRONG


def test_a_password_that_has_expired_is_told_apart_and_only_to_who_knows_it(slapd: Slapd) -> None:
    slapd.replace(f"uid=aged,{PEOPLE}", userPassword="aged-secret", bind=None)
    known = binding(slapd)

    def expired() -> bool:
        return known.attempt("aged", "aged-secret").outcome is Outcome.EXPIRED

    while not expired():
        pass
    assert known.attempt("aged", "wrong").outcome is Outcome.WRONG


def test_a_password_that_somebody_else_has_set_must_be_changed_first(slapd: Slapd) -> None:
    slapd.replace(f"uid=renewed,{PEOPLE}", userPassword="given", bind=None)
    assert binding(slapd).attempt("renewed", "given").outcome is Outcome.MUST_CHANGE
    assert binding(slapd).attempt("renewed", "wrong").outcome is Outcome.WRONG


def test_an_empty_password_or_name_asks_no_server() -> None:
    nowhere = Binding(LdapSettings(("ldap://127.0.0.1:1",), SUFFIX), native())
    for login, password in (
        ("anna", ""),
        (" ", "x"),
        ("a" * 2000, "x"),
        ("anna", "\ud800"),
        ("anna", "x\0y"),
    ):
        assert nowhere.attempt(login, password).outcome is Outcome.WRONG
    with pytest.raises(DirectoryUnknown):
        nowhere.attempt("anna", "x")


def test_starttls_is_used_and_a_foreign_certificate_ends_it(slapd: Slapd) -> None:
    assert binding(slapd, slapd.uri).attempt("anna", "anna-secret").outcome is Outcome.PROVEN
    with pytest.raises(DirectoryUnknown):
        binding(slapd, slapd.uri, ca_file=None).attempt("anna", "anna-secret")
    with pytest.raises(DirectoryUnknown, match="13"):
        binding(slapd, slapd.uri, start_tls=False).attempt("anna", "anna-secret")


def test_a_server_that_is_down_is_no_wrong_password_and_the_next_one_is_asked(slapd: Slapd) -> None:
    down = "ldap://127.0.0.1:1"
    second = binding(slapd, urls=(down, slapd.tls_uri))
    assert second.attempt("anna", "anna-secret").outcome is Outcome.PROVEN
    with pytest.raises(DirectoryUnknown):
        binding(slapd, down).attempt("anna", "anna-secret")


def test_an_ldif_file_knows_no_passwords() -> None:
    assert not Binding(LdapSettings(("ldif:/office.ldif",), SUFFIX), native()).possible


def test_for_an_unknown_name_a_password_is_asked_about_too() -> None:
    """So that the answer costs as much as for a known one."""
    with FakeLdap(lambda request: [page_end(request.number)]) as server:
        tried = Binding(LdapSettings((server.uri,), SUFFIX), native())
        assert tried.attempt("anna", "x").outcome is Outcome.WRONG
        assert server.binds == 2
