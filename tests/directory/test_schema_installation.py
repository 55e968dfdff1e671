"""What ldap_schema/README.md tells an administrator to type, on a slapd configured as Debian's package is.

Also: the files for slapd.conf and those for cn=config lead to the same configuration.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.directory.schema_definitions import conf_statements, ldif_statements
from tests.support.slapd import Slapd, program, run
from tests.support.slapd_configuration import Settings

DEBIAN = Settings(
    schema=False,
    standard_schema=("core", "cosine", "nis", "inetorgperson"),
    modules=("back_mdb",),
    syncprov=False,
    size_limit="10",
    access=(
        "to attrs=userPassword by self write by anonymous auth by * none",
        "to attrs=shadowLastChange by self write by * read",
        "to * by * read",
    ),
    indexes=("objectClass eq", "cn,uid eq", "uidNumber,gidNumber eq", "member,memberUid eq"),
)
READER = ("cn=groupmilter,dc=masociete,dc=example", "CHANGE-ME-reader")


def external(slapd: Slapd, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ldapadd or ldapmodify as root does on Debian: -Y EXTERNAL over the Unix socket."""
    name, *rest = arguments
    return subprocess.run(
        [program(name), "-Q", "-Y", "EXTERNAL", "-H", slapd.socket_uri, *rest],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(openldap_files: Path) -> Iterator[Slapd]:
    """Debian's slapd after all steps of the README."""
    with Slapd(DEBIAN) as slapd:
        for name in ("misc", "dyngroup"):
            assert external(slapd, "ldapadd", "-f", f"/etc/ldap/schema/{name}.ldif").returncode == 0
        assert external(slapd, "ldapadd", "-f", str(openldap_files / "groupmilter.ldif")).returncode == 0
        for name in ("indexes", "syncprov", "access"):
            done = external(slapd, "ldapmodify", "-c", "-f", str(openldap_files / f"{name}.ldif"))
            assert done.returncode == 0, done.stderr
        slapd.load(openldap_files / "sample.ldif")
        slapd.load(openldap_files / "accounts.ldif")
        yield slapd


def test_steps_can_be_repeated(installed: Slapd, openldap_files: Path) -> None:
    for name in ("indexes", "syncprov"):
        done = external(installed, "ldapmodify", "-c", "-f", str(openldap_files / f"{name}.ldif"))
        assert done.returncode != 0
        assert "already" in done.stderr or "duplicate" in done.stderr
    assert installed.search(installed.suffix, "(mail=contact@masociete.example)", "1.1", bind=READER)


def test_reader_is_not_bound_by_the_size_limit(installed: Slapd) -> None:
    found = installed.search(installed.suffix, "(objectClass=*)", "1.1", bind=READER)
    assert found.count("dn: ") > int(DEBIAN.size_limit)


def test_reader_is_told_of_changes(installed: Slapd) -> None:
    dn, password = READER
    arguments = [
        "-x",
        "-H",
        installed.uri,
        "-D",
        dn,
        "-w",
        password,
        "-b",
        installed.suffix,
        "-LLL",
        "-E",
        "!sync=rp",
        "(objectClass=distributionGroup)",
        "dgHoldHours",
    ]
    with subprocess.Popen([program("ldapsearch"), *arguments], stdout=subprocess.PIPE, text=True) as client:
        try:
            assert client.stdout is not None
            lines = iter(client.stdout.readline, "")
            next(line for line in lines if line.startswith("dn: cn=newsletter"))
            installed.replace("cn=contact,ou=groups,dc=masociete,dc=example", dgHoldHours="7")
            assert next(line for line in lines if line.startswith("dgHoldHours: 7"))
        finally:
            client.terminate()


def test_configuration_survives_a_restart(installed: Slapd) -> None:
    installed.stop()
    installed.start()
    assert installed.search(installed.suffix, "(dgAlias=info@masociete.example)", "1.1", bind=READER)


@pytest.fixture
def slapd_conf(openldap_files: Path, tmp_path: Path) -> Path:
    """A slapd.conf as the README shows it, with the rules and indexes of Debian's package besides."""
    (tmp_path / "database").mkdir()
    schemas = [f"/etc/ldap/schema/{name}.schema" for name in (*DEBIAN.standard_schema, "misc", "dyngroup")]
    lines = [
        *(f"include {path}" for path in (*schemas, openldap_files / "groupmilter.schema")),
        "modulepath /usr/lib/ldap",
        "moduleload back_mdb",
        "moduleload syncprov",
        "database mdb",
        f"directory {tmp_path}/database",
        f"suffix {DEBIAN.suffix}",
        *(f"index {index}" for index in DEBIAN.indexes),
        f"include {openldap_files}/indexes.conf",
        f"include {openldap_files}/access.conf",
        *(f"access {rule}" for rule in DEBIAN.access),
        f"include {openldap_files}/syncprov.conf",
    ]
    path = tmp_path / "slapd.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_slapd_takes_the_files_for_slapd_conf(slapd_conf: Path, openldap_files: Path) -> None:
    run("slapadd", "-f", str(slapd_conf), "-l", str(openldap_files / "sample.ldif"))
    run("slaptest", "-f", str(slapd_conf))
    found = run("slapcat", "-f", str(slapd_conf), "-a", "(objectClass=distributionGroup)")
    assert found.count("dn: ") == 13


@pytest.mark.parametrize("name", ["indexes", "access", "syncprov"])
def test_both_forms_say_the_same(openldap_files: Path, name: str) -> None:
    conf = conf_statements((openldap_files / f"{name}.conf").read_text(encoding="utf-8"))
    ldif = ldif_statements((openldap_files / f"{name}.ldif").read_text(encoding="utf-8"))
    assert sorted(conf) == sorted(ldif)
    accesses = [[text for keyword, text in form if keyword == "access"] for form in (conf, ldif)]
    assert accesses[0] == accesses[1], "the order of rules matters"
    assert len(conf) >= 4
