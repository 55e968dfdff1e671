"""Who may have how many letters that ask to confirm, and who counts as one."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from groupmilter.enrolment.shares import Asking, source, withheld

RELAYS = (ip_network("192.0.2.0/24"), ip_network("2001:db8:ffff::/48"))


def asking(number: int, **fixed: str) -> Asking:
    """A letter of its own address, domain, group and client, but for what is fixed."""
    own = {
        "address": f"a@h{number}.example",
        "group": f"g{number}@own.example",
        "client": f"203.0.113.{number}",
    }
    return Asking(**(own | fixed))


@pytest.mark.parametrize(
    ("fixed", "most", "over"),
    [
        ({"address": "one@x.example"}, 3, "address"),
        ({"client": "203.0.113.9"}, 20, "client"),
        ({"group": "news@own.example"}, 50, "group"),
        ({}, 200, "all"),
        ({"client": ""}, 200, "all"),
    ],
)
def test_each_has_a_share(fixed: dict[str, str], most: int, over: str) -> None:
    sent = [asking(number, **fixed) for number in range(most)]
    assert withheld(sent[:-1], asking(999, **fixed), 3) == ""
    assert withheld(sent, asking(999, **fixed), 3) == over
    assert withheld(sent, asking(999), 3) == ("all" if over == "all" else "")


def test_a_domain_has_a_share_however_it_is_written() -> None:
    sent = [asking(number, address=f"a{number}@Big.example") for number in range(50)]
    assert withheld(sent, asking(999, address="new@big.example"), 3) == "domain"
    assert withheld(sent, asking(999, address="new@big.example.net"), 3) == ""


@pytest.mark.parametrize(
    ("client", "known"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("192.0.2.17", ""),
        ("2001:db8:ffff:1::2", ""),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("", ""),
        ("unknown", ""),
        ("999.1.1.1", ""),
    ],
)
def test_who_is_behind_an_address(client: str, known: str) -> None:
    assert source(client, RELAYS) == known
