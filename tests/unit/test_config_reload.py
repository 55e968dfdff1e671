"""Whole snapshots: what a bad file leaves in force, ticket keys, secrets that are never shown, shipped files."""

from __future__ import annotations

from pathlib import Path

import pytest

from groupmilter.bootstrap.parts import ldap_settings, write_settings
from groupmilter.config import reload as reloading
from groupmilter.config.keys import KeyRing, create_keys, parse_keys, read_keys
from groupmilter.config.load import ConfigurationError
from groupmilter.config.reload import PASSWORD, WRITE_PASSWORD, Configuration, load
from groupmilter.config.resources import Kind, resource, roots

SECRET = "ab" * 32


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        "directory:\n  url: ldif:office.ldif\n  base: dc=example,dc=org\n"
        "service:\n  domain: groups.example.org\n  key_file: ticket.key\n"
    )
    return path


def add(path: Path, text: str) -> Path:
    path.write_text(path.read_text() + text)
    return path


def test_the_smallest_file_gives_everything_a_decision_needs(config: Path) -> None:
    found = load(config, {})
    assert found.settings.own_domains == {"example.org"}
    assert found.settings.service_domain == "groups.example.org"
    assert found.settings.texts.texts["denied"]["fr"]
    assert found.settings.bounds.message_size_limit == 10_240_000
    assert found.keys == KeyRing()
    assert found.password is None


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("mode: [", "expected"),
        ("mode: enforce\nmode: observe\n", "given twice"),
        ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "alias"),
        ("wokers: 3\n", "did you mean workers"),
        ("policies: (a+)+$\n", "No such file"),
        ("workers: -1\n", "auto or a number"),
    ],
)
def test_a_bad_file_leaves_the_old_configuration_in_force(config: Path, bad: str, says: str) -> None:
    current = load(config, {})
    add(config, bad)
    kept, problems = reloading.reload(current, config, {})
    assert kept is current
    assert says in "\n".join(map(str, problems))


def test_a_good_file_replaces_it(config: Path) -> None:
    current = load(config, {})
    fresh, problems = reloading.reload(current, add(config, "mode: observe\n"), {})
    assert problems == ()
    assert fresh is not current
    assert fresh.site.mode == "observe"
    assert current.site.mode == "enforce"


def test_problems_of_every_file_come_together(config: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("chian: []\n")
    (tmp_path / "ticket.key").write_text("0 ab\n")
    (tmp_path / "ticket.key").chmod(0o600)
    text = config.read_text().replace("service:", "  bind_dn: cn=x\nservice:")
    config.write_text(text + "policies: p.yaml\n")
    with pytest.raises(ConfigurationError) as caught:
        load(config, {})
    assert [Path(problem.file).name for problem in caught.value.errors] == [
        "p.yaml",
        "ticket.key",
        "config.yaml",
    ]
    assert caught.value.errors[2].line == 4


@pytest.mark.parametrize("source", ["file", "environment"])
def test_the_password_is_read_and_never_shown(config: Path, tmp_path: Path, source: str) -> None:
    from_file = source == "file"
    options = "  bind_dn: cn=x\n" + ("  password_file: secret\n" if from_file else "")
    config.write_text(config.read_text().replace("service:", f"{options}service:"))
    (tmp_path / "secret").write_text("hunter2\n")
    (tmp_path / "secret").chmod(0o600)
    found: Configuration = load(config, {} if from_file else {PASSWORD: "hunter2"})
    assert found.password is not None
    assert found.password.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{found!r} {found} {found.site!r}"


def test_the_account_that_writes_has_a_password_of_its_own(config: Path, tmp_path: Path) -> None:
    options = "  bind_dn: cn=r\n  write: {bind_dn: cn=w, password_file: secret, url: ldaps://main.example}\n"
    config.write_text(
        config.read_text().replace("ldif:office.ldif", "ldap://x").replace("service:", f"{options}service:")
    )
    (tmp_path / "secret").write_text("hunter3\n")
    (tmp_path / "secret").chmod(0o600)
    found = load(config, {PASSWORD: "reads"})
    assert "hunter3" not in f"{found!r} {found} {found.site!r}"
    reading, writing = ldap_settings(found), write_settings(found)
    assert (reading.urls, reading.bind_dn, reading.password) == (("ldap://x",), "cn=r", "reads")
    assert (writing.urls, writing.bind_dn, writing.password) == (("ldaps://main.example",), "cn=w", "hunter3")
    config.write_text(config.read_text().replace(", password_file: secret", ""))
    with pytest.raises(ConfigurationError, match="GROUPMILTER_DIRECTORY_WRITE_PASSWORD gives none"):
        load(config, {PASSWORD: "reads"})
    assert write_settings(load(config, {PASSWORD: "reads", WRITE_PASSWORD: "w"})).password == "w"


def test_without_an_account_that_writes_the_reading_one_does(config: Path) -> None:
    config.write_text(config.read_text().replace("service:", "  bind_dn: cn=r\nservice:"))
    found = load(config, {PASSWORD: "reads"})
    assert write_settings(found) == ldap_settings(found)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        ("{password_file: s}", "no bind_dn"),
        ("{url: 'ldif:x'}", "takes no changes"),
        ("{group_class: x}", "group_class"),
    ],
)
def test_what_makes_no_sense_for_writing_is_refused(config: Path, write: str, says: str) -> None:
    config.write_text(config.read_text().replace("service:", f"  write: {write}\nservice:"))
    with pytest.raises(ConfigurationError, match=says):
        load(config, {})


@pytest.mark.parametrize(("content", "mode", "says"), [("\n", 0o600, "gives none"), ("x", 0o644, "too open")])
def test_an_empty_or_open_password_file_is_refused(
    config: Path, tmp_path: Path, content: str, mode: int, says: str
) -> None:
    config.write_text(
        config.read_text().replace("service:", "  bind_dn: cn=x\n  password_file: secret\nservice:")
    )
    (tmp_path / "secret").write_text(content)
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(ConfigurationError, match=says):
        load(config, {})


def test_keys_are_made_once_and_privately(tmp_path: Path) -> None:
    path = tmp_path / "ticket.key"
    assert read_keys(path) == KeyRing()
    made = create_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_keys(path) == made
    assert len(made.current.secret) == 32
    assert made.current.secret.hex() not in repr(made)
    with pytest.raises(FileExistsError):
        create_keys(path)
    assert read_keys(path) == made
    assert [entry.name for entry in tmp_path.iterdir()] == ["ticket.key"]


def test_the_first_key_seals_and_all_open() -> None:
    ring = parse_keys(f"# rotated\n15 {SECRET}\n0 {'cd' * 40} # the old one\n", "k")
    assert ring.current.id == 15
    old = ring.find(0)
    assert old is not None
    assert old.secret == b"\xcd" * 40
    assert ring.find(7) is None
    with pytest.raises(LookupError):
        _ = KeyRing().current


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "k: holds no key"),
        ("0 abcd", "k:1: a key wants at least 32 octets"),
        (f"16 {SECRET}", "k:1: wants an id"),
        (f"0 {SECRET}\n\n0 {SECRET}", "k:3: this id stands above already"),
        (f"{SECRET}", "k:1: wants an id"),
    ],
)
def test_bad_keys_are_refused_without_quoting_them(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        parse_keys(text, "k")
    assert SECRET not in str(caught.value)


def test_keys_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ticket.key"
    create_keys(path)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="0644 is too open"):
        read_keys(path)


def test_shipped_files_are_found_by_plain_names_only() -> None:
    assert resource(Kind.POLICIES, "default.yaml").is_file()
    for name in ("nothing.yaml", "../setup.cfg", "/etc/passwd"):
        with pytest.raises(FileNotFoundError):
            resource(Kind.POLICIES, name)
    assert roots()
