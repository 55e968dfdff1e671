"""What `check` says of unsafe settings of the MTA: the real postconf over a private configuration, one fault each."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.postfix import settled

from groupmilter.cli.advice import Advice, Level
from groupmilter.cli.postfix_advice import advise, lines_of
from groupmilter.cli.postfix_clients import advise_clients, networks_of
from groupmilter.cli.postfix_installed import READ, Installed, installed
from groupmilter.cli.postfix_moderation import advise_moderation
from groupmilter.cli.postfix_safety import advise_safety
from groupmilter.cli.postfix_wanted import Owner, main_lines, master_entries
from groupmilter.config.load import read_document
from groupmilter.config.model import Site
from groupmilter.config.validation import validate

MAP = "lmdb:/var/lib/groupmilter/map/groups"
OURS = "unix:groupmilter/milter.sock"
OWNER = Owner(107, 115)
SUBMISSION = "submission inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes"
RETURN = "127.0.0.1:10025 inet n - n - - smtpd -o content_filter="
UNFILTERED = "-o receive_override_options=no_milters"
FILTER = {"content_filter": "smtp-amavis:[127.0.0.1]:10024"}
BASIC = {"compatibility_level": "3.6", "mynetworks": "127.0.0.0/8 [::1]/128"}


def site(more: str = "") -> Site:
    text = (
        "directory: {url: 'ldap://127.0.0.1', base: 'dc=example,dc=org'}\n"
        f"service: {{domain: groups.example.org}}\n{more}"
    )
    return validate(Site, read_document(text, "config.yaml"), Path("/"))


class Host:
    """A Postfix as `groupmilter postfix` wants it, but for what a test says; nothing of it runs."""

    def __init__(self, folder: Path) -> None:
        """Write what Debian ships."""
        self.folder = folder
        shutil.copy("/usr/share/postfix/master.cf.dist", folder / "master.cf")
        self.write(BASIC)

    def write(self, main: Mapping[str, str]) -> None:
        """Write main.cf."""
        text = "".join(f"{name} = {value}\n" for name, value in main.items())
        (self.folder / "main.cf").write_text(text, "utf-8")
        settled(self.folder / "main.cf")

    def read(self, at: Site, main: Mapping[str, str], services: tuple[str, ...], conceals: bool) -> Installed:
        """Put the printed lines in, then a test's own, and have postconf read it all."""
        before = installed(self.folder)
        printed = {line.name: line.value for line in main_lines(at, before, MAP, conceals=conceals)}
        entries = (str(entry) for entry in master_entries(at, before, OWNER))
        self.write({**BASIC, **printed, **main})
        with (self.folder / "master.cf").open("a", encoding="utf-8") as master:
            master.writelines(f"{one}\n" for one in (*entries, *services))
        return installed(self.folder)

    def told(
        self,
        main: Mapping[str, str] | None = None,
        *services: str,
        more: str = "",
        conceals: bool = False,
    ) -> list[Advice]:
        """Return what `check` has to say that is not *ok*, by subject."""
        at = site(more)
        found = self.read(at, main or {}, services, conceals)
        lines = lines_of(at, found, MAP, conceals=conceals)
        everything = (
            *advise(at, found, MAP),
            *advise_clients(at, found),
            *advise_safety(found, lines, conceals),
            *advise_moderation(at, found, OWNER),
        )
        return [one for one in everything if one.level is not Level.OK]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def serious(told: list[Advice]) -> dict[str, Advice]:
    """What is more than a hint."""
    return {one.subject: one for one in told if one.level is not Level.HINT}


def test_what_is_printed_leaves_nothing_but_hints(host: Host) -> None:
    told = host.told()
    assert serious(told) == {}
    assert {one.subject for one in told} == {"allow_percent_hack", "swap_bangpath"}


def test_what_is_printed_suffices_for_concealed_groups(host: Host) -> None:
    assert serious(host.told(conceals=True)) == {}


@pytest.mark.parametrize(
    ("name", "value", "level", "part"),
    [
        ("smtpd_forbid_bare_newline", "no", Level.ERROR, "smuggled"),
        ("smtpd_forbid_bare_newline", "note", Level.ERROR, "smuggled"),
        ("smtpd_forbid_bare_newline_exclusions", "127.0.0.1 192.0.2.0/24", Level.WARNING, "is exempt"),
        ("smtpd_forbid_bare_newline_exclusions", "cidr:/etc/postfix/old", Level.WARNING, "is exempt"),
        (
            "smtpd_forbid_bare_newline_exclusions",
            "$mynetworks",
            Level.HINT,
            "127.0.0.0/8 [::1]/128 is exempt",
        ),
        ("smtpd_forbid_unauth_pipelining", "no", Level.WARNING, "needn't wait"),
        ("smtpd_proxy_filter", "127.0.0.1:10024", Level.ERROR, "no group is expanded"),
        ("smtpd_authorized_xclient_hosts", "127.0.0.1", Level.WARNING, "any log-in"),
        ("smtpd_authorized_xclient_hosts", "192.0.2.1", Level.ERROR, "any log-in"),
        ("smtpd_authorized_xclient_hosts", "cidr:/etc/postfix/x", Level.ERROR, "any log-in"),
        ("mynetworks", "0.0.0.0/0", Level.ERROR, "may relay without"),
        ("mynetworks", "127.0.0.0/8 [2000::]/3", Level.ERROR, "2000::/3 is not one organisation"),
        ("mynetworks", "192.0.2.0/24", Level.WARNING, "a stranger to groups"),
        ("mynetworks", "[2001:db8::]/32", Level.WARNING, "2001:db8::/32 may relay"),
        ("append_at_myorigin", "no", Level.WARNING, "isn't completed"),
        ("resolve_numeric_domain", "yes", Level.WARNING, "mailbox of this host"),
        ("resolve_dequoted_address", "no", Level.WARNING, "two ways"),
        ("allow_percent_hack", "yes", Level.HINT, "group%domain"),
        ("swap_bangpath", "yes", Level.HINT, "domain!group"),
    ],
)
def test_one_setting_of_main_cf(host: Host, name: str, value: str, level: Level, part: str) -> None:
    told = [one for one in host.told({name: value}) if one.subject == name]
    assert [one.level for one in told] == [level]
    assert part in told[0].text


@pytest.mark.parametrize(
    ("options", "level", "part"),
    [
        ("-o smtpd_forbid_bare_newline=no", Level.ERROR, "smuggled"),
        ("-o smtpd_forbid_bare_newline_exclusions=192.0.2.0/24", Level.WARNING, "is exempt"),
        ("-o smtpd_forbid_unauth_pipelining=no", Level.WARNING, "needn't wait"),
        ("-o smtpd_proxy_filter=127.0.0.1:10024", Level.ERROR, "no group is expanded"),
        ("-o smtpd_authorized_xclient_hosts=192.0.2.1", Level.ERROR, "any log-in"),
        ("-o smtpd_discard_ehlo_keywords=chunking", Level.WARNING, "what a group became"),
        ("-o smtpd_milters=", Level.ERROR, "a door"),
        ("-o milter_default_action=accept", Level.ERROR, "milter_default_action=accept here"),
        (
            f"-o {{ smtpd_milters = {{ {OURS}, default_action=accept }} }}",
            Level.ERROR,
            "is set for groupmilter",
        ),
        (UNFILTERED, Level.WARNING, "a door"),
    ],
)
def test_one_option_of_a_listener(host: Host, options: str, level: Level, part: str) -> None:
    told = serious(host.told({}, f"2525 inet n - n - - smtpd {options}"))
    assert list(told) == ["master.cf 2525"]
    assert told["master.cf 2525"].level is level
    assert part in told["master.cf 2525"].text


def test_a_listener_whose_milters_stand_in_a_setting_of_the_sites_own(host: Host) -> None:
    """`postconf -P` tells ``$mua_milters``; what it comes to counts."""
    listener = "2525 inet n - n - - smtpd -o smtpd_milters=$mua_milters"
    assert serious(host.told({"mua_milters": OURS}, listener)) == {}
    bare = host.read(site(), {"mua_milters": "inet:localhost:8891"}, (), conceals=False)
    told = {one.subject: one for one in advise(site(), bare, MAP) if one.level is Level.ERROR}
    assert "a door" in told["master.cf 2525"].text


def test_a_postfix_too_old_to_know_of_smuggling_is_to_be_updated(host: Host) -> None:
    found = host.read(site(), {}, (), conceals=False)
    old = Installed({n: v for n, v in found.main.items() if "forbid" not in n}, {}, found.services)
    lines = lines_of(site(), old, MAP)
    told = {one.subject: one for one in advise_safety(old, lines, conceals=False)}
    assert "Update Postfix" in told["smtpd_forbid_bare_newline"].text
    assert told["smtpd_data_restrictions"].fix == "smtpd_data_restrictions = reject_unauth_pipelining"
    main = {**old.main, "smtpd_data_restrictions": "reject_unauth_pipelining"}
    waiting = {
        one.subject for one in advise_safety(Installed(main, {}, found.services), lines, conceals=False)
    }
    assert "smtpd_data_restrictions" not in waiting


# content filters


def test_what_a_content_filter_brings_back_must_not_meet_us_again(host: Host) -> None:
    told = serious(host.told(FILTER, RETURN))
    assert list(told) == ["master.cf 127.0.0.1:10025"]
    assert told["master.cf 127.0.0.1:10025"].level is Level.ERROR
    assert told["master.cf 127.0.0.1:10025"].fix == "    -o receive_override_options=no_milters"


@pytest.mark.parametrize("option", [UNFILTERED, "-o smtpd_milters="])
def test_a_way_back_without_milters_is_right(host: Host, option: str) -> None:
    assert serious(host.told(FILTER, f"{RETURN} {option}")) == {}


def test_a_way_back_that_nothing_catches(host: Host) -> None:
    options = "-o receive_override_options=no_milters,no_address_mappings"
    told = serious(host.told(FILTER, f"{RETURN} {options}"))
    assert "nothing catches" in told["master.cf 127.0.0.1:10025"].text


def test_a_way_back_that_is_open_to_the_world_is_a_door(host: Host) -> None:
    told = serious(host.told(FILTER, f"10025 inet n - n - - smtpd -o content_filter= {UNFILTERED}"))
    assert "a door" in told["master.cf 10025"].text


@pytest.mark.parametrize("net", ["127.0.0.0/8", "127.0.0.1", '"::1"', "0.0.0.0/0"])
def test_a_content_filter_never_becomes_the_boss(host: Host, net: str) -> None:
    more = f"networks: [{{net: {net}, speaks_for: [example.org]}}]"
    told = serious(host.told(FILTER, f"{RETURN} {UNFILTERED}", more=more))
    assert told["networks"].level is Level.ERROR
    alone = serious(host.told({}, more="networks: [{net: 127.0.0.0/8, speaks_for: [example.org]}]"))
    assert alone["networks"].level is Level.WARNING
    assert "web form" in alone["networks"].text


# networks


def test_a_network_that_both_know_is_right(host: Host) -> None:
    more = "networks: [{net: 192.0.2.0/23, speaks_for: [example.org]}]"
    assert (
        serious(host.told({"mynetworks": "127.0.0.0/8 192.0.2.0/24 [fe80::]/64 198.51.100.7"}, more=more))
        == {}
    )


def test_half_the_internet_is_not_to_be_believed(host: Host) -> None:
    told = serious(host.told(more="networks: [{net: 64.0.0.0/2, speaks_for: [example.org]}]"))
    assert "is not one organisation" in told["networks"].text


def test_a_proxy_names_its_clients(host: Host) -> None:
    listener = "2525 inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy"
    more = "networks: [{net: 192.0.2.0/24, speaks_for: [example.org]}]"
    assert "names his own address" in serious(host.told({}, listener, more=more))["master.cf 2525"].text


CLIENT = "certificates: [{subject: relay.example.org, speaks_for: [example.org]}]"
ASKED = {"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": "/etc/postfix/our-authority.pem"}


def test_clients_are_asked_for_the_certificates_that_they_are_known_by(host: Host) -> None:
    assert list(serious(host.told({"smtpd_tls_ask_ccert": "no"}, more=CLIENT))) == ["smtpd_tls_ask_ccert"]
    assert serious(host.told({}, more=CLIENT)) == {}, "as it is printed"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({}, False),
        ({"smtpd_tls_CAfile": "/etc/ssl/certs/ca-certificates.crt"}, True),
        ({"smtpd_tls_CApath": "/etc/ssl/certs"}, True),
        ({"tls_append_default_CA": "yes"}, True),
    ],
)
def test_certificates_of_anybodys_authority_prove_little(
    host: Host, more: dict[str, str], named: bool
) -> None:
    assert list(serious(host.told(ASKED | more, more=CLIENT))) == ["certificates"] * named


def test_one_listener_that_asks_is_enough(host: Host) -> None:
    main = {"smtpd_tls_CAfile": "/etc/postfix/our-authority.pem", "smtpd_tls_ask_ccert": "no"}
    listener = "2525 inet n - n - - smtpd -o smtpd_tls_req_ccert=yes"
    assert serious(host.told(main, listener, more=CLIENT)) == {}


def test_networks_are_read_as_postfix_writes_them() -> None:
    found, tables = networks_of(
        "127.0.0.0/8, [::1]/128 192.0.2.7 !192.0.2.9 hash:/etc/postfix/nets /etc/nets"
    )
    assert [str(net) for net in found] == ["127.0.0.0/8", "::1/128", "192.0.2.7/32"]
    assert tables == ["hash:/etc/postfix/nets", "/etc/nets"]


# log-ins, enumeration, versions


def test_who_may_write_in_anybodys_name_is_a_hint(host: Host) -> None:
    [hint] = [one for one in host.told({}, SUBMISSION) if one.subject == "master.cf submission"]
    assert hint.level is Level.HINT
    assert "smtpd_sender_login_maps" in hint.text
    checked = f"{SUBMISSION} -o smtpd_sender_restrictions=reject_authenticated_sender_login_mismatch"
    fresh = [one for one in host.told({}, checked.replace("submission", "2587", 1)) if "2587" in one.subject]
    assert fresh == []


def test_concealed_groups_need_a_postfix_that_says_the_same(host: Host) -> None:
    main = {"show_user_unknown_table_name": "yes", "disable_vrfy_command": "no"}
    assert list(serious(host.told(main, conceals=True))) == list(main)


def test_where_nothing_is_concealed_they_do_not_matter(host: Host) -> None:
    assert serious(host.told({"show_user_unknown_table_name": "yes", "disable_vrfy_command": "no"})) == {}


@pytest.mark.parametrize(
    ("version", "named"),
    [
        ("3.7.11", True),
        ("3.7.22", False),
        ("3.11.5", True),
        ("3.11.6", False),
        ("3.5.25", True),
        ("3.12.0", False),
    ],
)
def test_a_version_that_passes_milters_by(host: Host, version: str, named: bool) -> None:
    main = {
        "smtpd_milters": f"inet:localhost:8891, {OURS}",
        "smtpd_end_of_data_restrictions": "check_policy_service inet:localhost:10031",
        "mail_version": version,
    }
    assert ("version" in serious(host.told(main))) == named


# documentation

_ROOT = Path(__file__).resolve().parents[2]
_PLUMBING = {"queue_directory", "mail_version", "smtpd_end_of_data_restrictions", "smtpd_sasl_auth_enable"}


@pytest.mark.parametrize("page", ["docs/install.md", "docs/fr/installation.md"])
def test_each_setting_that_is_looked_at_stands_in_the_table(page: str) -> None:
    table = (_ROOT / page).read_text("utf-8")
    for name in ("postfix_safety", "postfix_clients"):
        source = (_ROOT / f"milter/groupmilter/cli/{name}.py").read_text("utf-8")
        used = {setting for setting in READ if f'"{setting}"' in source} - _PLUMBING
        assert len(used) > 4
        assert sorted(setting for setting in used if setting not in table) == []


def test_each_line_that_is_printed_stands_on_the_page_about_postfix(host: Host) -> None:
    page = (_ROOT / "deploy/postfix/README.md").read_text("utf-8")
    before = installed(host.folder)
    main = {**before.main, "relay_recipient_maps": "hash:/etc/postfix/relay"}
    older = {name: value for name, value in main.items() if name != "smtpd_forbid_unauth_pipelining"}
    printed = {
        line.name
        for one in (main, older)
        for line in main_lines(site(), Installed(one, one), MAP, conceals=True)
    }
    assert {"smtpd_data_restrictions", "smtpd_forbid_unauth_pipelining", "disable_vrfy_command"} <= printed
    assert sorted(name for name in printed if name not in page) == []
