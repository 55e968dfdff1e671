"""The options of config.yaml: safe defaults, and a sentence with its line for everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupmilter.config.load import ConfigurationError, Document, read_document
from groupmilter.config.model import MapType, Mode, Rights, Site, Sync
from groupmilter.config.places import Listen, Tls
from groupmilter.config.validation import validate

SMALLEST = """\
directory:
  url: ldaps://ldap.masociete.example
  base: dc=masociete,dc=example
service:
  domain: groups.corp.example
"""
WHOLE = """\
listen: inet:8890@127.0.0.1
socket: {group: "", mode: "0600"}
workers: 3
mode: observe
directory:
  url: [ldap://a.example:1389, "ldaps://[2001:db8::1]"]
  base: ou=mail,dc=example,dc=org
  bind_dn: cn=reader,dc=example,dc=org
  password_file: ldap.secret
  profile: active-directory
  start_tls: true
  verify: false
  ca_file: /etc/ssl/ca.pem
  sync: poll
  poll: 5s
  reload: 1h
  max_age: 7d
  timeout: 3s
  page_size: 100
  placeholder: cn=nobody
  login_attributes: [uid, mail]
  login_realms: [example.org]
service:
  domain: GROUPS.Example.org
  key_file: keys/ticket.key
  release: {host: 127.0.0.2, port: 2525, daemon_name: back}
own_domains: [Bücher.example, example.org]
hold_mailbox: maildir:/srv/hold
state: sqlite:////srv/state.db
mirror: /srv/mirror.db
map: {type: lmdb, path: /srv/map}
control: /srv/control
networks: [{net: 10.1.0.0/16, speaks_for: example.org, rights: person}]
certificates: [{subject: mx.partner.example, issuer: Partner CA, speaks_for: partner.example, rights: person}]
trusted_relays:
  - {net: 192.0.2.1, authserv_id: MX.example.org}
  - {net: "2001:db8::/32", authserv_id: inner}
authentication:
  servers: ["192.0.2.53", "192.0.2.54:5353", "[2001:db8::53]:53"]
  timeout: 3s
  deadline: 6s
  signatures: 4
  largest: 10MB
policies: [default, own.yaml]
group_policies: [policies/quiet.yaml]
mta: {message_size_limit: 20MiB, recipient_delimiter: "-"}
panel: {listen: "127.0.0.1:9000", url: https://groups.example.org, administrators: "cn=admins,dc=example,dc=org"}
log: {level: debug, format: json}
"""


def site(text: str) -> Site:
    return validate(Site, read_document(text, "config.yaml"), Path("/etc/groupmilter"))


def complaints(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        site(text)
    return [str(problem).removeprefix("config.yaml:") for problem in caught.value.errors]


def test_three_keys_are_enough_and_the_rest_is_safe() -> None:
    smallest = site(SMALLEST)
    assert str(smallest.listen) == "unix:/var/spool/postfix/groupmilter/milter.sock"
    assert smallest.socket.mode == 0o660
    assert smallest.mode is Mode.ENFORCE
    assert smallest.worker_count >= 1
    assert smallest.directory.verify
    assert smallest.directory.sync is Sync.AUTO
    assert smallest.directory.max_age == 24 * 3600
    assert (smallest.networks, smallest.trusted_relays) == ((), ())
    assert smallest.map.type is MapType.AUTO
    assert smallest.panel.listen == "127.0.0.1:8025"


def test_every_option_can_be_set() -> None:
    whole = site(WHOLE)
    assert set(Site.model_fields) == whole.model_fields_set
    assert whole.listen == Listen("inet", host="127.0.0.1", port=8890)
    assert str(whole.listen) == "inet:8890@127.0.0.1"
    assert [server.port for server in whole.directory.url] == [1389, 636]
    assert whole.directory.url[1].host == "2001:db8::1"
    assert (whole.directory.max_age, whole.directory.poll, whole.directory.reload) == (604_800, 5, 3600)
    assert whole.directory.password_file == Path("/etc/groupmilter/ldap.secret")
    assert whole.service.domain == "groups.example.org"
    assert whole.service.key_file == Path("/etc/groupmilter/keys/ticket.key")
    assert whole.own_domains == ("xn--bcher-kva.example", "example.org")
    assert (whole.hold_mailbox, whole.state) == (Path("/srv/hold"), Path("/srv/state.db"))
    assert whole.networks[0].rights is Rights.PERSON
    assert whole.networks[0].speaks_for == ("example.org",)
    assert whole.mta.message_size_limit == 20 * 1024 * 1024
    assert (whole.workers, whole.worker_count) == (3, 3)
    assert whole.socket.mode == 0o600


def test_own_domains_are_guessed_from_base_and_service_domain_only_where_not_given() -> None:
    assert site(SMALLEST).domains() == {"masociete.example", "corp.example"}
    assert site(SMALLEST + "own_domains: a.example").domains() == {"a.example"}
    flat = SMALLEST.replace("dc=masociete,dc=example", "o=firm").replace(
        "groups.corp.example", "groups.example"
    )
    assert site(flat).domains() == set()


@pytest.mark.parametrize(
    ("url", "start_tls", "tls"),
    [
        ("ldaps://a.example", "false", Tls.LDAPS),
        ("ldap://a.example", "null", Tls.START_TLS),
        ("ldap://a.example", "false", Tls.NONE),
        ("ldap://127.0.0.1:389", "null", Tls.NONE),
        ("ldap://localhost", "null", Tls.NONE),
        ("ldap://localhost", "true", Tls.START_TLS),
        ("ldapi://%2Frun%2Fldapi", "true", Tls.NONE),
        ("ldif:office.ldif", "null", Tls.NONE),
    ],
)
def test_the_directory_is_read_over_tls_unless_told_otherwise(url: str, start_tls: str, tls: Tls) -> None:
    text = SMALLEST.replace("ldaps://ldap.masociete.example", url).replace(
        "service:", f"  start_tls: {start_tls}\nservice:"
    )
    directory = site(text).directory
    assert directory.tls(directory.url[0]) is tls


def test_paths_in_urls() -> None:
    ldif = site(SMALLEST.replace("ldaps://ldap.masociete.example", "ldif:office.ldif")).directory.url[0]
    assert (ldif.kind, ldif.path) == ("ldif", Path("/etc/groupmilter/office.ldif"))
    ldapi = site(
        SMALLEST.replace("ldaps://ldap.masociete.example", "ldapi://%2Frun%2Fslapd%2Fldapi")
    ).directory.url[0]
    assert (ldapi.kind, ldapi.path) == ("ldapi", Path("/run/slapd/ldapi"))


def test_all_errors_at_once_each_with_its_line() -> None:
    assert complaints(
        """\
wokers: 4
mode: on
directory:
  url: http://x
  password: hunter2
  max_age: 24
  verify: yes
  verify: true
networks:
  - net: 10.1.0.1/16
    rights: boss
service: 3
"""
    ) == [
        "1: wokers: unknown key; did you mean workers?",
        "2: mode: Input should be 'enforce' or 'observe'",
        "3: directory.base: is required",
        "4: directory.url[0]: wants ldaps://host, ldap://host:port, ldapi:///path or ldif:/path",
        "5: directory.password: unknown key; did you mean password_file?",
        "6: directory.max_age: wants a duration such as 30s, 10m, 24h or 7d",
        "8: directory.verify: given twice, first in line 7",
        "10: networks[0].net: wants an address or network such as 192.0.2.7, 10.1.0.0/16 or 2001:db8::/32",
        "11: networks[0].rights: Input should be 'authenticated' or 'person'",
        "12: service: wants a mapping (key: value)",
    ]


@pytest.mark.parametrize("word", ["yes", "on", "No", "1", '"true"'])
def test_only_true_and_false_are_booleans(word: str) -> None:
    text = SMALLEST.replace("service:", f"  verify: {word}\nservice:")
    assert complaints(text) == ["4: directory.verify: wants true or false"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("listen: /run/x", "wants unix:/path"),
        ("listen: inet:8890", "wants unix:/path"),
        ("listen: inet:70000@127.0.0.1", "port"),
        ("listen: fd:1", "wants unix:/path"),
        ("workers: 0", "auto or a number"),
        ("workers: many", "auto or a number"),
        ("workers: true", "auto or a number"),
        ('socket: {mode: "0999"}', "file mode"),
        ("hold_mailbox: imaps://u@h/Held", "not yet available"),
        ("hold_mailbox: maildir:hold", "wants maildir:/path"),
        ("state: postgresql+psycopg://h/d", "not yet available"),
        ("state: sqlite:///x.db", "four slashes"),
        ("state: postgresql://u:secret@h/d", "holds a password"),
        ("own_domains: [localhost]", "wants a domain"),
        ("own_domains: groups.corp.example", "tickets only"),
        ("trusted_relays: [{net: everybody, authserv_id: mx}]", "wants an address or network"),
        ("trusted_relays: [192.0.2.1]", "{net: 192.0.2.1, authserv_id: mx.example.org}"),
        ("trusted_relays: [{net: 192.0.2.1}]", "is required"),
        ("trusted_relays: [{net: 192.0.2.1, authserv_id: 'a b'}]", "Authentication-Results"),
        ("authentication: {servers: [dns.example.org]}", "IP address of a DNS server"),
        ("authentication: {servers: ['192.0.2.53:0']}", "IP address of a DNS server"),
        ("authentication: {servers: [53]}", "IP address of a DNS server"),
        ("authentication: {deadline: 1m}", "less than or equal to 15"),
        ("authentication: {signatures: 0}", "greater than or equal to 1"),
        ("mta: {message_size_limit: large}", "wants a size"),
        ("mta: {message_size_limit: 0}", "wants a size"),
        ("mirror: 5", "path of a file"),
        ("log: {level: loud}", "'debug'"),
        ("panel: {listen: 8025}", "host:port"),
        ("panel: {listen: '0.0.0.0:8025'}", "a loopback address"),
        ("panel: {listen: 'mx.example.org:8025'}", "a loopback address"),
        ("panel: {url: groups.example.org}", "https://host"),
        ("panel: {url: 'https://example.org/groups'}", "without a path"),
        ("panel: {url: 'ftp://example.org'}", "https://host"),
        ("policies: {a: b}", "wants a list"),
        ("certificates: [{subject: CN=x}]", "exactly one of login, address or speaks_for"),
        ("certificates: [{subject: x, login: a, address: a@b.example}]", "exactly one of"),
        ("certificates: [{subject: x, login: a, rights: person}]", "belongs to speaks_for"),
        ("certificates: [{subject: x, address: a}]", "wants an address"),
        ("certificates: [{login: a}]", "required"),
        ("certificates: [{subject: x, login: a}, {subject: X, login: b}]", "stands there twice"),
        ("group_policies: [1]", "path of a file"),
    ],
)
def test_bad_values_say_what_is_wanted(line: str, says: str) -> None:
    found = complaints(SMALLEST + line)
    assert len(found) == 1
    assert says in found[0]


@pytest.mark.parametrize(
    "extra",
    ["  password_file: x", "  page_size: 0", "  timeout: 0s", "  poll: 1.5h", "  bind_dn: 7"],
)
def test_bad_directory_options(extra: str) -> None:
    assert len(complaints(SMALLEST.replace("service:", f"{extra}\nservice:"))) == 1


def test_an_ldif_file_stands_alone() -> None:
    text = SMALLEST.replace("ldaps://ldap.masociete.example", "[ldif:/a, ldap://b]")
    assert "stands alone" in complaints(text)[0]


def test_a_password_is_never_repeated() -> None:
    text = SMALLEST.replace("ldaps://", "ldaps://reader:hunter2@").replace(
        "service:", "  bind_pw: hunter2\nservice:"
    )
    assert "hunter2" not in "\n".join(complaints(text))


def outcome(value: object) -> Site | ConfigurationError:
    try:
        return validate(Site, Document(value, "f"), Path("/"))
    except ConfigurationError as error:
        return error


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*Site.model_fields, "else"]), VALUES, max_size=6))
def test_any_values_give_a_site_or_problems(value: dict[str, object]) -> None:
    found = outcome(value)
    assert isinstance(found, Site) or found.errors


@pytest.mark.parametrize("option", sorted(Site.model_fields))
@settings(max_examples=25)
@given(VALUES)
def test_any_value_of_one_option(option: str, value: object) -> None:
    whole = read_document(WHOLE, "f").value
    assert isinstance(whole, dict)
    found = outcome({**whole, option: value})
    if isinstance(found, Site):
        assert option in found.model_fields_set
    else:
        assert all(problem.path.startswith(option) or not problem.path for problem in found.errors)
