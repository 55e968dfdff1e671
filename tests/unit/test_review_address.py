"""Found in review: spellings by which a group could be reached past its rules, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import OWN, Office, status

from groupmilter.mail.address import canonical, path, strict

DOMAINS = frozenset({OWN})


@pytest.mark.parametrize(
    ("argument", "resolved"),
    [
        ("<(a comment)@relay.example:contact@own.example>", "contact@own.example"),
        ("<@relay.example:contact@own.example>", "contact@own.example"),
        ("<@relay.example:contact@own.example>", None),
        ("<contact%own.example@own.example>", "contact%own.example@own.example"),
        ("<contact%own.example%own.example@own.example>", None),
        ("<own.example!contact@own.example>", None),
        ("<own.example!own.example!contact@own.example>", None),
        # It could not be named again to the MTA, which deletes a recipient by its exact octets.
        ("<(\udce9)contact@own.example>", "contact@own.example"),
    ],
)
def test_no_detour_reaches_a_group(argument: str, resolved: str | None) -> None:
    office = Office()
    office.group("contact", "y@out.example")
    verdict = office.letter("x@out.example").rcpt(argument, resolved=resolved)
    assert status(verdict) == "550 5.1.3"


@pytest.mark.parametrize("resolved", ["contact", "", None])
def test_an_mta_that_names_only_the_local_user_still_means_the_group(resolved: str | None) -> None:
    office = Office()
    office.group("contact", "y@out.example")
    verdict = office.letter("x@out.example").rcpt("<contact@own.example>", resolved=resolved)
    assert verdict.recipient.group is not None


def test_a_hop_to_another_host_is_that_hosts() -> None:
    read = path("<x%out.example@own.example>", DOMAINS)
    assert read is not None
    assert read.canonical == "x@out.example"


def test_a_very_long_detour_ends() -> None:
    read = path("<contact" + "%own.example" * 2_000 + "@own.example>", DOMAINS)
    assert read is not None
    assert read.canonical == "contact@own.example"


@pytest.mark.parametrize("address", ["caf\udce9@own.example", '"\udce9"@own.example', "x@\udce9.example"])
def test_octets_that_are_no_text_are_no_mailbox(address: str) -> None:
    assert canonical(address, DOMAINS) is None
    assert strict(address) is None


@given(st.text(max_size=40), st.none() | st.text(max_size=40))
def test_whatever_comes_is_read_or_not_but_never_fails(argument: str, resolved: str | None) -> None:
    read = path(argument, DOMAINS, resolved)
    if read is not None:
        assert read.canonical == "" or "@" in read.canonical
        read.canonical.encode()
