"""A real OpenDKIM signs what people here send, as a milter before ours: at the members its signature holds."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.support.installation import Installation, installation
from tests.support.moderated import CALM, Moderated
from tests.support.moderators import Moderators
from tests.support.office import ALICE, BOB, COMMERCIAL, JEAN, MORE, OFFICE, OPEN, PIERRE, identity, message
from tests.support.opendkim import Result, opendkim
from tests.support.service import Service
from tests.support.serving import Serving
from tests.support.signed import Signers, names
from tests.support.sink import SunkMessage
from tests.support.slapd import Slapd

from groupmilter.moderation.item import State
from groupmilter.moderation.ledger import Ledger

OWN = "masociete.example"
PASS = Result("pass", OWN, "dkimpy-relaxed-simple")


@dataclass
class Signing:
    """An installation with a signer before us."""

    moderated: Moderated
    signers: Signers
    address: str
    settings: Mapping[str, str]

    @property
    def installation(self) -> Installation:
        return self.moderated.installation


@pytest.fixture(name="signers", scope="module")
def _signers() -> Iterator[Signers]:
    with Signers(OWN) as running:
        yield running


@pytest.fixture(name="site", scope="module")
def _site(signers: Signers) -> Iterator[Signing]:
    """As Debian ships opendkim.conf: relaxed/simple, From named once more; people are known by their login."""
    settings = {
        "Mode": "s", "Domain": OWN, "SubDomains": "yes", "Selector": "dkimpy-relaxed-simple",
        "KeyFile": str(signers.key_file), "Canonicalization": "relaxed/simple", "OversignHeaders": "From",
    }  # fmt: skip
    with (
        Slapd(content=[OFFICE, MORE]) as slapd,
        Service(slapd.uri, options={"policies": [str(CALM)]}) as service,
        opendkim(settings) as address,
        installation(service, before=(address,)) as installed,
    ):
        ledger = Ledger.open(f"sqlite:///{service.folder}/state.db", timeout=30.0)
        try:
            yield Signing(Moderated(installed, slapd, ledger), signers, address, settings)
        finally:
            ledger.close()


@contextmanager
def milters(site: Signing, name: str, value: str) -> Iterator[None]:
    """With other milters in main.cf."""
    postfix = site.installation.postfix
    before = postfix.postconf(name)
    postfix.edit({name: value})
    postfix.restart()
    try:
        yield
    finally:
        postfix.edit({name: before})
        postfix.restart()


@contextmanager
def on_the_release_listener(site: Signing, *addresses: str) -> Iterator[None]:
    """With other milters on the release listener in master.cf."""
    postfix, service = site.installation.postfix, site.installation.service
    place = f"127.0.0.1:{service.release_port}/inet/smtpd_milters"
    command = ["postconf", "-c", str(postfix.config_directory), "-P"]
    try:
        subprocess.run([*command, f"{place}={','.join(addresses)}"], check=True)
        postfix.restart()
        yield
    finally:
        subprocess.run([*command, f"{place}={service.milter}"], check=True)
        postfix.restart()


def fields(copy: SunkMessage) -> tuple[str, ...]:
    return names(copy.content)


def test_what_is_expanded_in_place(site: Signing) -> None:
    mark = identity()
    assert site.installation.send(ALICE, [OPEN], message(mark, ALICE), login="alice").accepted
    for copy in site.moderated.copies(mark, [JEAN, BOB]):
        assert site.signers.verifier.results(copy.content) == [PASS]
        assert "list-id" in fields(copy)


def test_what_is_held_and_approved(site: Signing) -> None:
    mark = identity()
    assert site.installation.send(BOB, [COMMERCIAL], message(mark, BOB), login="bob").accepted
    site.moderated.released(mark)
    for copy in site.moderated.copies(mark, [PIERRE, BOB]):
        assert site.signers.verifier.results(copy.content) == [PASS]
        assert "list-id" in fields(copy)


def test_what_this_hosts_own_programs_submit(site: Signing) -> None:
    ours = site.installation.service.milter
    with milters(site, "non_smtpd_milters", f"{site.address}, {ours}"):
        mark = identity()
        site.installation.postfix.sendmail([OPEN], message(mark, ALICE).replace(b"\r\n", b"\n"), "-f", ALICE)
        for copy in site.moderated.copies(mark, [JEAN, BOB]):
            assert site.signers.verifier.results(copy.content) == [PASS]


def test_what_our_own_signer_forbids_is_not_added(site: Signing) -> None:
    """We see the signature that a milter before us has just made."""
    ours = site.installation.service.milter
    settings = {**site.settings, "OversignHeaders": "From,List-Id,Precedence"}
    with opendkim(settings) as strict, milters(site, "smtpd_milters", f"{strict}, {ours}"):
        mark = identity()
        assert site.installation.send(ALICE, [OPEN], message(mark, ALICE), login="alice").accepted
        for copy in site.moderated.copies(mark, [JEAN, BOB]):
            assert site.signers.verifier.results(copy.content) == [PASS]
            assert {"list-id", "precedence", "list-post"} & {*fields(copy)} == {"list-post"}


def test_before_ours_on_the_release_listener_it_stops_every_release_and_check_says_so(site: Signing) -> None:
    mark, ours = identity(), site.installation.service.milter
    port = site.installation.service.release_port
    complaint = (
        f"master.cf 127.0.0.1:{port}: {site.address} stands before groupmilter on the release listener"
    )
    with on_the_release_listener(site, site.address, ours):
        assert site.installation.send(BOB, [COMMERCIAL], message(mark, BOB), login="bob").accepted
        item = site.moderated.held(mark)
        site.moderated.decide(item)
        assert "not a release of ours" in site.moderated.ended(item, State.SHUNTED).note
        assert complaint in check(site)
    assert complaint not in check(site)
    site.moderated.decide(item)
    site.moderated.ended(item)
    for copy in site.moderated.copies(mark, [PIERRE, BOB]):
        assert site.signers.verifier.results(copy.content) == [PASS]


def test_behind_ours_there_it_signs_the_letters_and_once_more_what_comes_back(site: Signing) -> None:
    mark, ours = identity(), site.installation.service.milter
    with on_the_release_listener(site, ours, site.address):
        assert "isn't the last" not in check(site)
        assert site.installation.send(BOB, [COMMERCIAL], message(mark, BOB), login="bob").accepted
        item = site.moderated.held(mark)
        jean = Moderators(site.installation)
        site.moderated.until(lambda: jean.letter(mark) is not None, "a letter")
        (letter,) = [m for m in site.installation.sink.to(JEAN) if m.told and mark.encode() in m.content]
        assert site.signers.verifier.results(letter.content) == [PASS]
        site.moderated.decide(item)
        site.moderated.ended(item)
        for copy in site.moderated.copies(mark, [PIERRE, BOB]):
            assert site.signers.verifier.results(copy.content) == [PASS, PASS]


def check(site: Signing) -> str:
    """What `check` says, in one line."""
    service, postfix = site.installation.service, site.installation.postfix
    serving = Serving(service.folder, "", service.control)
    return " ".join(serving.run("check", "--postfix-config", str(postfix.config_directory)).stdout.split())
