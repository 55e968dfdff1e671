"""Signatures through a real Sendmail: none that survives to a person breaks on its way to a group's members."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.support.installation import recipients
from tests.support.moderated import CALM
from tests.support.office import (
    ALICE,
    BOB,
    COMMERCIAL,
    JEAN,
    MORE,
    OFFICE,
    OPEN,
    PIERRE,
    group,
    identity,
    member,
)
from tests.support.sendmail_installation import SendmailInstallation, sendmail_installation
from tests.support.service import Service
from tests.support.signed import LETTERS, Signers, letter, names
from tests.support.sink import SunkMessage

from groupmilter.moderation.item import Event, State, Way, Who

CLIENT = "client@outside.example"
MARKED = "marque@masociete.example"
MODERATOR = Who(JEAN, Way.COMMAND)
EXTRA = group("marque", "dgRequireAuthentication: FALSE", *member("jean", "bob"))
POLICY = """\
rules:
  - name: tagged
    groups: [marque@masociete.example]
    then: {tag: {name: X-Site, value: "outside mail"}}
"""
CARRIED = [name for name in LETTERS if name not in {"no line end at the end", "beyond ASCII"}]
"""What DATA carries, and what needs no SMTPUTF8, which Debian's Sendmail lacks."""
BROKEN_BY_SENDMAIL = {"long lines", "an odd header", "a folded header", "neither Date, Message-ID nor To"}
"""What Sendmail writes anew, whoever it is for: lines of more than 990 octets, lists of addresses, fields that lack."""


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SendmailInstallation]:
    folder = tmp_path_factory.mktemp("office")
    folder.chmod(0o755)
    (folder / "office.ldif").write_text(OFFICE.read_text("utf-8") + "\n" + MORE + EXTRA, "utf-8")
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    options = {"policies": [str(CALM), str(folder / "policy.yaml")]}
    with (
        Service(f"ldif:{folder}/office.ldif", options=options) as service,
        sendmail_installation(service) as site,
    ):
        yield site


@pytest.fixture(name="signers", scope="module")
def _signers() -> Iterator[Signers]:
    with Signers() as running:
        yield running


def copies(site: SendmailInstallation, mark: str, wanted: list[str]) -> list[SunkMessage]:
    """The copies of a mail, as soon as these have theirs; letters about it have no return path."""
    deadline = time.monotonic() + 150
    while recipients(found := [m for m in site.delivered(mark) if not m.told]) != sorted(wanted):
        assert time.monotonic() < deadline, (wanted, recipients(found), site.service.log()[-3000:])
        time.sleep(0.05)
    return found


def approve(site: SendmailInstallation, mark: str) -> None:
    deadline = time.monotonic() + 150
    while True:
        with site.service.ledger() as ledger:
            found = [one for one in ledger.items((State.HELD,)) if mark in one.arrival.subject]
            if found:
                assert ledger.change(found[0].id, Event.APPROVE, MODERATOR, int(time.time())).happened
                return
        assert time.monotonic() < deadline, site.service.log()[-3000:]
        time.sleep(0.05)


@pytest.mark.parametrize("name", CARRIED)
def test_what_holds_at_a_person_holds_at_every_member(
    site: SendmailInstallation, signers: Signers, name: str
) -> None:
    ways = {ALICE: [ALICE], OPEN: [JEAN, BOB], MARKED: [JEAN, BOB], COMMERCIAL: [PIERRE, BOB]}
    broken: list[list[str]] = []
    for to, reached in ways.items():
        mark = identity()
        assert site.send(CLIENT, [to], signers.sign(letter(name, mark)), "BODY=8BITMIME").accepted
        if to == COMMERCIAL:
            approve(site, mark)
        for copy in copies(site, mark, reached):
            broken.append(signers.broken(copy.content))
            assert ("x-groupmilter-loop" in names(copy.content)) == (to != ALICE)
            assert ("x-site" in names(copy.content)) == (to == MARKED)
    assert broken == [broken[0]] * len(ways), "as at a person"
    assert bool(broken[0]) == (name in BROKEN_BY_SENDMAIL)
