"""`conceal_groups` on the wire: to a stranger, a group he may not write to is an address that doesn't exist.

Set up as `groupmilter postfix` prints it for such a policy. What Postfix says of an unknown address is compared, octet
by octet and for each way to spell it, with what is said of a group: one that is closed, disabled, empty, hides its
members, has denied the sender, wants somebody else, or a smaller message. What only the header can tell (an outsider
whom a signature may prove) is told at the end, in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.installation import Installation, installation, recipients
from tests.support.office import (
    ALICE,
    BOB,
    JEAN,
    MORE,
    OFFICE,
    OPEN,
    PEOPLE,
    group,
    identity,
    member,
    message,
)
from tests.support.service import Service
from tests.support.slapd import Slapd
from tests.support.smtp_client import SmtpReply, Transaction

DOMAIN = "masociete.example"
STRANGER = "x@outside.example"
NOBODY = "nobody"
ANYBODY = "dgRequireAuthentication: FALSE"
GROUPS = {
    "contact": "takes insiders only",
    "info": "the same group by its alias",
    "direction": "takes its members only",
    "enfermes": "is disabled",
    "refus": "has denied the stranger",
    "choisis": "takes chosen senders only",
    "cache": "hides its members, and takes insiders only",
    "caches": "hides its members, and takes its owner only",
    "vide": "has no members",
    "personne": "has no members, and takes anybody",
}
"""What all of them would say otherwise, and differently."""
MAIL = "".join(
    (
        MORE,
        group("enfermes", ANYBODY, "dgEnabled: FALSE", *member("jean")),
        group("refus", ANYBODY, f"dgDeniedSenderAddress: {STRANGER}", *member("jean")),
        group("choisis", ANYBODY, f"dgAllowedSender: uid=alice,{PEOPLE}", *member("jean")),
        group("cache", "dgHiddenMembers: TRUE", *member("jean")),
        group(
            "caches", "dgHiddenMembers: TRUE", f"dgAllowedSender: uid=administrator,{PEOPLE}", *member("bob")
        ),
        group("personne", ANYBODY, "member: cn=placeholder"),
        group("petit", ANYBODY, "dgMaxMessageSize: 1000", *member("jean")),
        group("partenaire", "dgExternalSender: @partner.example", *member("jean")),
    )
)
KNOWN = f"inline:{{{{@groups.{DOMAIN}=ok}}}}, inline:{{{{{JEAN}=ok}}}}"
"""Postfix knows whom there is, else it would take an unknown address."""
SPELLINGS = (
    "{0}@masociete.example",
    "{1}@Masociete.EXAMPLE",
    '"{0}"@masociete.example',
    "\\{0}@masociete.example",
    "{0}(comment)@masociete.example",
    "{0} @masociete.example",
    "{0}@masociete.example.",
    "{0}",
    "{0}+anything@masociete.example",
    "{0}+join@masociete.example",
    "@relay.example:{0}@masociete.example",
    '"{0}@masociete.example"',
)
every_group = pytest.mark.parametrize("name", GROUPS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    policy = tmp_path_factory.mktemp("policy") / "concealed.yaml"
    policy.write_text("conceal_groups: true\n", "utf-8")
    with (
        Slapd(content=[OFFICE, MAIL]) as slapd,
        Service(slapd.uri, desk=False, options={"policies": [str(policy)]}) as service,
        installation(service, main={"relay_recipient_maps": KNOWN}) as site,
    ):
        yield site


def heard(site: Installation, to: str, sender: str = STRANGER, *parameters: str) -> SmtpReply:
    """What a stranger hears at RCPT."""
    with site.session() as session:
        assert session.mail(sender, *parameters).code == 250
        return session.rcpt(to)


@every_group
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_group_is_an_unknown_address(site: Installation, name: str, spelling: str) -> None:
    unknown = heard(site, spelling.format(NOBODY, NOBODY.capitalize()))
    told = heard(site, spelling.format(name, name.capitalize()))
    assert (unknown.code, unknown.text[:5]) == (550, "5.1.1")
    expected = unknown.text.replace(NOBODY, name).replace(NOBODY.capitalize(), name.capitalize())
    assert str(told) == f"550 {expected}"


@pytest.mark.parametrize("name", [name for name in GROUPS if name != "refus"])
@pytest.mark.parametrize("sender", ["", JEAN, "jean@masociete.example", "postmaster@partner.example"])
def test_whoever_he_says_he_is(site: Installation, name: str, sender: str) -> None:
    unknown, told = heard(site, f"{NOBODY}@{DOMAIN}", sender), heard(site, f"{name}@{DOMAIN}", sender)
    assert str(told) == str(unknown).replace(NOBODY, name)


def test_a_message_too_large_for_the_group_as_announced(site: Installation) -> None:
    unknown, told = (heard(site, f"{name}@{DOMAIN}", STRANGER, "SIZE=5000") for name in (NOBODY, "petit"))
    assert str(told) == str(unknown).replace(NOBODY, "petit")


def at_the_end(site: Installation, to: list[str], content: bytes, sender: str = STRANGER) -> Transaction:
    sent = site.send(sender, to, content)
    site.settle()
    return sent


def test_a_message_too_large_for_the_group_as_counted(site: Installation) -> None:
    unknown = heard(site, f"{NOBODY}@{DOMAIN}")
    sent = at_the_end(site, [f"petit@{DOMAIN}"], message(identity(), body=b"much\r\n" * 500))
    assert str(sent.end) == str(unknown).replace(NOBODY, "petit")


@pytest.mark.parametrize("name", ["partenaire", "projet"])
def test_what_the_end_tells_is_told_in_the_same_words(site: Installation, name: str) -> None:
    """With senders outside, whom a signature may prove, RCPT can't refuse: that such a group exists shows there."""
    unknown = heard(site, f"{NOBODY}@{DOMAIN}")
    for author in (STRANGER, "paul@partner.example"):
        sent = at_the_end(site, [f"{name}@{DOMAIN}"], message(identity(), author))
        assert sent.recipients[0].code == 250
        assert str(sent.end) == str(unknown).replace(NOBODY, name)


def test_one_refused_among_others_at_the_end(site: Installation) -> None:
    unknown = heard(site, f"{NOBODY}@{DOMAIN}")
    sent = at_the_end(site, [OPEN, f"partenaire@{DOMAIN}"], message(identity()))
    assert str(sent.end) == str(unknown).replace(NOBODY, "partenaire")
    assert site.sink.messages == []


def test_no_question_tells_either(site: Installation) -> None:
    with site.session() as session:
        for verb in ("VRFY", "EXPN"):
            told = [str(session.command(f"{verb} {name}@{DOMAIN}")) for name in (NOBODY, "contact", "cache")]
            assert len(set(told)) == 1, told


def test_who_may_write_and_who_is_known_is_told_the_truth(site: Installation) -> None:
    mark = identity()
    assert site.send(STRANGER, [OPEN], message(mark)).accepted
    refused = site.send(ALICE, [f"caches@{DOMAIN}"], message(identity(), ALICE), login="alice")
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, JEAN]
    assert str(refused.recipients[0]).startswith("550 5.7.2 ")
