"""Headers as no mail program writes them, through the real Postfix: odd authors, forged traces, tags beside junk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.installation import Installation, installation, recipients
from tests.support.moderated import CALM
from tests.support.office import BOB, COMMERCIAL, CONTACT, JEAN, OFFICE, OPEN, PIERRE, identity, message
from tests.support.service import Service

LOOP = b"X-Groupmilter-Loop"


@pytest.mark.parametrize(
    "start",
    [
        b"From\r\n : %(own)s\r\nFrom: %(boss)s\r\n",
        b" From: %(own)s\r\nFrom: %(boss)s\r\n",
        b"From : %(own)s\r\nFROM: %(boss)s\r\n",
        b"From\t : %(own)s\r\nfrom : %(boss)s\r\n",
        b"From: %(own)s\r, %(boss)s\r\n",
        b"From: %(own)s\r\n \r\n\t, %(boss)s\r\n",
        b"From: %(own)s\r\n , %(boss)s\r\n",
        b"Fr\0om: %(boss)s\r\nFrom: %(own)s\r\n",
        b"From: %(own)s (" + b"x" * 70_000 + b"), %(boss)s\r\n",
        b"From: \xe9\xff\" %(boss)s\" <%(own)s>\r\n",
    ],
    ids=[
        "folded name", "blank first", "blank before the colon", "tabulator before the colon", "bare CR",
        "line of blanks", "folded list", "NUL in a name", "longer than a milter is told", "octets in a quoted name",
    ],
)  # fmt: skip
def test_no_from_field_lets_a_login_name_the_boss(site: Installation, start: bytes) -> None:
    mark = identity()
    content = start % {b"own": JEAN.encode(), b"boss": b"boss@masociete.example"}
    content += b"Message-ID: <%s@test.example>\r\n\r\nhello\r\n" % mark.encode()
    sent = site.send(JEAN, [CONTACT], content, login="jean")
    assert sent.end is not None
    assert str(sent.end).startswith("550 5.7.1")
    site.settle()
    assert site.delivered(mark) == []


def test_what_stands_behind_a_nul_reaches_nobody(site: Installation) -> None:
    """A milter is told a field up to a NUL only, so it must not be delivered with more than that."""
    mark = identity()
    sent = site.send(JEAN, [CONTACT], message(mark, f"{JEAN}\0, boss@masociete.example"), login="jean")
    assert sent.accepted, sent
    site.settle()
    assert recipients(site.delivered(mark)) == [JEAN, PIERRE]
    assert not any(b"boss@" in copy.content for copy in site.delivered(mark))


def trace_of(site: Installation, group: str) -> bytes:
    """The loop trace that a message to a group comes with."""
    mark = identity()
    assert site.send(JEAN, [group], message(mark, JEAN), login="jean").accepted
    site.settle()
    found = re.search(rb"^%s: (\S+)\r$" % LOOP, site.delivered(mark)[0].content, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    "field",
    [
        b"%s: %s",
        b"%s:%s",
        b"x-GROUPMILTER-loop: %.0s%s",
        b"%s : %s",
        b"%s: aaaaaaaaaaaaaaaa\r\n\t%s\r\n bbbbbbbbbbbbbbbb",
        b"\r\n".join([LOOP + b": cccccccccccccccc"] * 50) + b"\r\n%s: %s",
    ],
    ids=[
        "as it was",
        "no blank",
        "odd case",
        "blank before the colon",
        "folded among others",
        "the last of 51",
    ],
)
def test_a_trace_is_seen_however_it_is_written_and_names_its_own_group_only(
    site: Installation, field: bytes
) -> None:
    trace = trace_of(site, OPEN)
    mark = identity()
    looping = message(mark, JEAN, field % (LOOP, trace))
    sent = site.send(JEAN, [OPEN], looping, login="jean")
    assert str(sent.end).startswith("554 5.4.6")
    # The same trace, replayed to another group, says nothing of that.
    assert site.send(JEAN, [CONTACT], looping, login="jean").accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [JEAN, PIERRE]


def test_a_trace_changed_by_a_letter_is_none(site: Installation) -> None:
    trace = trace_of(site, OPEN)
    mark = identity()
    other = bytes([trace[0] ^ 1]) + trace[1:]
    copies = [LOOP + b": " + text for text in (other, trace.upper(), trace[:-1], trace + b"a", trace[::-1])]
    assert site.send(JEAN, [OPEN], message(mark, JEAN, *copies), login="jean").accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, JEAN]


TAGGING = """\
rules:
  - name: all-are-tagged
    then: {tag: {name: X-Comment, value: "Diffusé par la société"}}
"""


@pytest.fixture(scope="module")
def tagging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("policies")
    (folder / "open.ldif").write_text(OFFICE.read_text("utf-8"), "utf-8")
    (folder / "tag.yaml").write_text(TAGGING, "utf-8")
    options = {"policies": [str(CALM), str(folder / "tag.yaml")]}
    with (
        Service(f"ldif:{folder}/open.ldif", options=options, desk=False) as service,
        installation(service) as site,
    ):
        yield site


@pytest.mark.parametrize(
    "junk",
    [
        b"Subject: r\xe9union \xe0 No\xebl",
        b"Subject: \xed\xa0\x80 \xc3\x28 \xff\xfe",
        b"Subject: a\x01b\x1b[31mred\x7f",
        b"Subject: a\rb",
        b"Subject: =?utf-8?B?A?= =?x?Q?=00?=",
        b"Subject:",
        b"Subject: a\r\n \r\n\tb",
        b"X-\xe9: value",
        b"X-Long: " + b"x" * 5_000,
        b"no field at all",
    ],
    ids=[
        "Latin-1",
        "no UTF-8",
        "controls",
        "bare CR",
        "broken words",
        "empty",
        "blanks",
        "name",
        "long",
        "no field",
    ],
)
@pytest.mark.parametrize("group", [CONTACT, COMMERCIAL])
def test_a_tag_beside_junk_is_a_proper_field(tagging: Installation, junk: bytes, group: str) -> None:
    """Delivered or held; the tag is one line of ASCII above the body, whatever else the header is."""
    tagging.settle()
    tagging.forget()
    mark = identity()
    sent = tagging.send(PIERRE, [group], message(mark, PIERRE, junk), "BODY=8BITMIME", login="pierre")
    assert sent.accepted, sent
    tagging.settle()
    held = [copy.replace(b"\n", b"\r\n") for copy in tagging.held()]
    copies = held if group == COMMERCIAL else [copy.content for copy in tagging.delivered(mark)]
    assert copies
    for copy in copies:
        head = copy.partition(b"\r\n\r\n")[0]
        [tag] = re.findall(rb"^X-Comment: ([^\r\n]*)\r?$", head, re.MULTILINE)
        assert tag == b"=?utf-8?b?RGlmZnVzw6kgcGFyIGxhIHNvY2nDqXTDqQ==?="
        assert (b"\n" + LOOP + b": " in head) is (group == CONTACT)
    assert tagging.service.surprises() == []
