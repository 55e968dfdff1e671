"""What a signature names, and what we add: nothing that a signature forbids, and nothing that it has to be broken for.

A field that ``h=`` names more often than it is there must not be added (RFC 6376 section 5.4.2, "oversigning"). One
that is there and signed may get another above it: signatures are read from the bottom up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from tests.support.moderated import CALM, Moderated, moderated
from tests.support.office import BOB, COMMERCIAL, JEAN, MORE, OPEN, PIERRE, group, identity, member
from tests.support.opendkim import opendkim, sign, signing
from tests.support.signed import DOMAIN, Signers, letter, names
from tests.support.sink import SunkMessage

CLIENT = "client@outside.example"
MARKED, INSISTED = "marque@masociete.example", "insiste@masociete.example"
EXTRA = "".join(
    group(name, "dgRequireAuthentication: FALSE", *member("jean", "bob")) for name in ("marque", "insiste")
)
POLICY = """\
rules:
  - name: tagged
    groups: [marque@masociete.example]
    then: {tag: {name: X-Site, value: "outside mail"}}
  - name: tagged-whatever-it-breaks
    groups: [insiste@masociete.example]
    then: {tag: {name: X-Site, value: "outside mail", over_signature: true}}
"""
LIST_FIELDS = (
    "List-Id",
    "List-Post",
    "List-Owner",
    "List-Unsubscribe",
    "Precedence",
    "X-Auto-Response-Suppress",
)
CLAIMED = (*LIST_FIELDS, "List-Unsubscribe", "Authentication-Results", "X-Site")
"""What signers name although it isn't there, one after the other."""
PRESENT = {
    "another list's": b"List-Id: <news.outside.example>\r\nList-Unsubscribe: <mailto:off@outside.example>\r\n",
    "a precedence": b"Precedence: bulk\r\n",
    "a trace of another house like this one": b"X-Groupmilter-Loop: abcdefabcdefabcdefabcdef\r\n",
    "a tag of the same name": b"X-Site: the sender's own\r\n",
    "two tags of the same name": b"X-Site: the sender's own\r\nX-Site: and another\r\n",
    "a result of somebody's": b"Authentication-Results: mx.outside.example; dkim=pass header.d=outside.example\r\n",
    "what mail programs may write": b"X-Auto-Response-Suppress: All\r\nAuto-Submitted: no\r\nX-Priority: 1\r\n",
}


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moderated]:
    folder = tmp_path_factory.mktemp("policy")
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    options = {
        "policies": [str(CALM), str(folder / "policy.yaml")],
        "trusted_relays": [{"net": "198.51.100.25", "authserv_id": "mx.masociete.example"}],
    }
    with moderated(MORE, EXTRA, options=options) as site:
        yield site


@pytest.fixture(name="signers", scope="module")
def _signers() -> Iterator[Signers]:
    with Signers() as running:
        yield running


def send(site: Moderated, to: str, message: bytes, mark: str, reaches: Sequence[str]) -> list[SunkMessage]:
    sent = site.installation.send(CLIENT, [to], message, "BODY=8BITMIME")
    assert sent.accepted, sent
    if to == COMMERCIAL:
        site.released(mark)
    return site.copies(mark, reaches)


def values(copy: SunkMessage, name: str) -> list[str]:
    """The values of a field in the header of a copy, from the top."""
    lines = copy.content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
    return [line.partition(":")[2].strip() for line in lines if line.lower().startswith(f"{name.lower()}:")]


def with_fields(mark: str, *fields: bytes) -> bytes:
    return b"".join(fields) + letter("plain", mark)


@pytest.mark.parametrize("to", [OPEN, COMMERCIAL, MARKED])
@pytest.mark.parametrize("name", CLAIMED)
def test_a_field_that_a_signature_forbids_is_not_added(
    site: Moderated, signers: Signers, name: str, to: str
) -> None:
    mark = identity()
    signed = signers.sign_over(letter("plain", mark), ("from", "subject", name.lower()))
    for copy in send(site, to, signed, mark, [PIERRE, BOB] if to == COMMERCIAL else [JEAN, BOB]):
        assert signers.broken(copy.content, 1) == []
        assert values(copy, name) == []
        expected = {*LIST_FIELDS, "X-Groupmilter-Loop", *(["X-Site"] if to == MARKED else [])}
        assert {one for one in expected if values(copy, one)} == expected - {name}


def test_all_of_them_forbidden_by_opendkim(site: Moderated, signers: Signers) -> None:
    mark = identity()
    fields = ",".join(("From", *CLAIMED))
    settings = signing(DOMAIN, "opendkim-simple-simple", signers.key_file, OversignHeaders=fields)
    with opendkim(settings) as address:
        signed = sign(address, letter("plain", mark))
    assert signers.broken(signed, 1) == []
    for copy in send(site, MARKED, signed, mark, [JEAN, BOB]):
        assert signers.broken(copy.content, 1) == []
        assert not any(values(copy, name) for name in CLAIMED)
        assert values(copy, "X-Groupmilter-Loop")


@pytest.mark.parametrize("to", [OPEN, COMMERCIAL, MARKED])
@pytest.mark.parametrize("present", PRESENT.values(), ids=PRESENT)
def test_what_is_there_and_signed_stays_as_it_is(
    site: Moderated, signers: Signers, present: bytes, to: str
) -> None:
    mark = identity()
    message = with_fields(mark, present)
    signed = signers.sign_over(message, names(message))
    for copy in send(site, to, signed, mark, [PIERRE, BOB] if to == COMMERCIAL else [JEAN, BOB]):
        assert signers.broken(copy.content, 1) == []
        assert present in copy.content
        assert values(copy, "X-Groupmilter-Loop")[0] != "abcdefabcdefabcdefabcdef"
        assert values(copy, "X-Site")[:1] == ["outside mail"] or to != MARKED
        for name in LIST_FIELDS:
            assert len(values(copy, name)) <= 1


@pytest.mark.parametrize("covered", [False, True])
def test_a_forged_result_of_a_relay_of_ours_goes_whoever_has_signed_it(
    site: Moderated, signers: Signers, covered: bool
) -> None:
    """A mail program would believe it. Who signs something else loses nothing by it."""
    mark = identity()
    forged = b"Authentication-Results: mx.masociete.example; dkim=pass header.d=masociete.example\r\n"
    more = ("authentication-results",) if covered else ()
    once = signers.sign_over(with_fields(mark, forged), ("from", "subject"))
    settings = signing(
        DOMAIN, "opendkim-simple-simple", signers.key_file, SignHeaders=",".join(("From", "Subject", *more))
    )
    with opendkim(settings) as address:
        signed = sign(address, once)
    assert signers.broken(signed, 2) == []
    for copy in send(site, OPEN, signed, mark, [JEAN, BOB]):
        assert values(copy, "Authentication-Results") == []
        assert signers.broken(copy.content, 2) == (["opendkim-simple-simple: fail"] if covered else [])


def test_a_site_may_want_its_tag_at_the_price_of_the_signature(site: Moderated, signers: Signers) -> None:
    """Else a sender could keep a warning away by naming it."""
    mark = identity()
    signed = signers.sign_over(letter("plain", mark), ("from", "x-site"))
    for copy in send(site, INSISTED, signed, mark, [JEAN, BOB]):
        assert values(copy, "X-Site") == ["outside mail"]
        assert signers.broken(copy.content, 1) == ["dkimpy-relaxed-simple: fail"]


def test_what_we_add_stands_below_our_own_received_line_and_above_what_was_sent(site: Moderated) -> None:
    mark = identity()
    for copy in send(site, MARKED, letter("plain", mark), mark, [JEAN, BOB]):
        found = [name for name in names(copy.content) if name in {"x-groupmilter-loop", "x-site", "from"}]
        assert found == ["x-site", "x-groupmilter-loop", "from"]
        assert copy.content.startswith(b"Received:")
