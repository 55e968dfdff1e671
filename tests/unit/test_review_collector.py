"""Found in review: what the collector keeps, and whom it asks about."""

from dataclasses import replace

import pytest
from tests.support.letters import Office, status

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.policy.disposition import Passed


@pytest.mark.parametrize("name", ["x-one", "from", "x-groupmilter-loop"])
def test_a_header_without_end_is_neither_kept_nor_distributed(name: str) -> None:
    office = Office()
    office.group("contact", "y@out.example")
    letter = office.letter("x@out.example").to("contact@own.example")
    assert letter.answered(**{name: ["x@out.example"] * 5_000}) == "552 5.2.3"
    assert len(letter.collector.headers) <= 1_000


def test_one_field_too_long_to_be_read_is_refused() -> None:
    office = Office()
    office.group("contact", "y@out.example")
    letter = office.letter("x@out.example").to("contact@own.example")
    assert letter.answered(x_long=["x" * 60_000] * 9) == "552 5.2.3"


def test_more_authors_than_anybody_reads_are_refused() -> None:
    office = Office()
    office.group("contact", "y@out.example")
    few, many = (", ".join(f"a{n}@b.cd" for n in range(count)) for count in (1_000, 1_001))
    assert office.letter("x@out.example").to("contact@own.example").answered(**{"from": few}) == ""
    assert office.letter("x@out.example").to("contact@own.example").answered(**{"from": many}) == "552 5.2.3"


def test_a_long_but_possible_header_passes() -> None:
    office = Office()
    office.group("contact", "y@out.example")
    letter = office.letter("x@out.example").to("contact@own.example")
    assert letter.answered(received=["from x by y"] * 900, to=["a@b.example, " * 5_000]) == ""


def test_octets_are_counted_not_characters() -> None:
    office = Office()
    letter = office.letter("x@out.example")
    letter.collector.header("Subject", " é\udce9".encode("utf-8", "surrogateescape"))
    assert letter.collector.octets == len("Subject: ") + 3 + len("\r\n")


@pytest.mark.parametrize(
    "recipient", ["contact@own.example", "contact+news@own.example", "CONTACT+x@own.example"]
)
def test_with_the_directory_unknown_a_group_is_deferred_under_any_extension(recipient: str) -> None:
    office = Office(may_be_group=frozenset({"contact@own.example"}))
    office.failing = [DirectoryUnknown("down")]
    assert status(office.letter("x@out.example").rcpt(recipient)) == "451 4.4.3"


@pytest.mark.parametrize(
    "recipient", ["jean@own.example", "jean+x@own.example", "+contact@own.example", "x@[::1]"]
)
def test_with_the_directory_unknown_persons_get_their_mail(recipient: str) -> None:
    office = Office(may_be_group=frozenset({"contact@own.example"}))
    office.failing = [DirectoryUnknown("down")]
    assert isinstance(office.letter("x@out.example").rcpt(recipient).disposition, Passed)


def test_without_a_delimiter_there_are_no_extensions() -> None:
    office = Office(may_be_group=frozenset({"contact@own.example"}))
    office.settings = replace(office.settings, recipient_delimiter="")
    office.failing = [DirectoryUnknown("down")]
    assert isinstance(office.letter("x@out.example").rcpt("contact+x@own.example").disposition, Passed)
    office.group("contact", "y@out.example")
    assert office.letter("x@out.example").rcpt("contact+x@own.example").recipient.group is None
