"""Bad addresses in the directory: they are left out and found, the good ones get their copies, nobody else any."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.installation import Installation, installation, recipients
from tests.support.office import ALICE, BOB, JEAN, OFFICE, PLACEHOLDER, group, identity, member, message
from tests.support.service import Service
from tests.support.serving import Serving

GOOD = (
    "good@elsewhere.example",
    "good+tag@elsewhere.example",
    "o'neill@elsewhere.example",
    "user@sub.a-b.example",
)
BAD: dict[str, bytes] = {
    "no address": b"not an address",
    "a blank inside": b"a b@elsewhere.example",
    "half brackets": b"<x@elsewhere.example",
    "brackets": b"<x@elsewhere.example>",
    "two": b"a@elsewhere.example,b@elsewhere.example",
    "two with a blank": b"a@elsewhere.example, b@elsewhere.example",
    "two in brackets": b"<a@elsewhere.example>, <b@elsewhere.example>",
    "a line end": b"c\r\nd@elsewhere.example",
    "a command": b"a@elsewhere.example>\r\nRCPT TO:<b@elsewhere.example",
    "a NUL": b"e\0f@elsewhere.example",
    "a pipe": b"|/bin/sh -c true",
    "a pipe with a domain": b"|cmd@elsewhere.example",
    "a path": b"/etc/passwd",
    "a path with a domain": b"/etc/passwd@elsewhere.example",
    "an include": b":include:/etc/passwd",
    "an option": b"-oQ/tmp@elsewhere.example",
    "no local part": b"@elsewhere.example",
    "no domain": b"g@",
    "nothing": b" ",
    "a surrogate": b"h\xed\xa0\x80@elsewhere.example",
    "no UTF-8": b"i\xff@elsewhere.example",
    "two thousand": b"j" * 2000 + b"@elsewhere.example",
    "a long local part": b"k" * 65 + b"@elsewhere.example",
    "a percent route": b"l%other.example@elsewhere.example",
    "a bang path": b"other.example!m@elsewhere.example",
    "a source route": b"@relay.example:n@elsewhere.example",
    "two ats": b"o@p@elsewhere.example",
    "a literal": b"q@[127.0.0.1]",
    "a comment": b"r(comment)@elsewhere.example",
    "quotes": b'"s t"@elsewhere.example',
    "dots": b"u..v@elsewhere.example",
    "a bare name": b"root",
    "a name with a colon": b"list: w@elsewhere.example;",
}  # fmt: skip


def ldif() -> str:
    bad = (f"dgMemberAddress:: {base64.b64encode(value).decode()}" for value in BAD.values())
    good = (f"dgMemberAddress: {value}" for value in GOOD)
    mixed = group("gemischt", *member("jean", "bob"), *good, *bad)
    only = group("kaputt", PLACEHOLDER, f"dgMemberAddress:: {base64.b64encode(BAD['two']).decode()}")
    person = group("person", "member: uid=kaputt,ou=people,dc=masociete,dc=example", *member("jean"))
    broken = (
        "dn: uid=kaputt,ou=people,dc=masociete,dc=example\nobjectClass: inetOrgPerson\nuid: kaputt\ncn: K\nsn: K\n"
        "mail: a@elsewhere.example, b@elsewhere.example\n\n"
    )
    return OFFICE.read_text("utf-8") + "\n" + mixed + only + person + broken


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    file: Path = tmp_path_factory.mktemp("bad") / "bad.ldif"
    file.write_text(ldif(), "utf-8")
    with Service(f"ldif:{file}", desk=False) as service, installation(service) as running:
        yield running


def test_only_the_good_ones_get_it(site: Installation) -> None:
    mark = identity()
    assert site.send(ALICE, ["gemischt@masociete.example"], message(mark, ALICE), login="alice").accepted
    site.settle()
    assert recipients(site.sink.messages) == sorted([JEAN, BOB, *GOOD])
    assert site.held() == []
    site.forget()


def test_a_group_of_nothing_else_is_refused(site: Installation) -> None:
    sent = site.send(ALICE, ["kaputt@masociete.example"], message(identity(), ALICE), login="alice")
    answer = sent.recipients[0] if sent.recipients[0].code != 250 else sent.end
    assert str(answer).startswith("550 5.2.1")
    site.settle()
    assert site.sink.messages == []


def test_a_person_with_a_bad_address_is_passed_over(site: Installation) -> None:
    mark = identity()
    assert site.send(ALICE, ["person@masociete.example"], message(mark, ALICE), login="alice").accepted
    site.settle()
    assert recipients(site.sink.messages) == [JEAN]
    site.forget()


def test_they_are_findings(site: Installation) -> None:
    checked = Serving(site.service.folder, "", site.service.control).run("check")
    assert "gemischt" in checked.stdout
    assert site.service.surprises() == []
