"""The ways to spell one group's address that Postfix takes: none of them is a way past the rules.

Each spelling gets the plain form's verdict, or is refused; nobody gets a copy twice, and the group's own address
never gets one. The spellings are those that a Postfix with `strict_rfc821_envelopes = no` was seen to accept.
"""

from __future__ import annotations

import pytest
from tests.support.installation import Installation, recipients
from tests.support.office import ALICE, BOB, COMMERCIAL, CONTACT, JEAN, OPEN, PIERRE, identity, message

SPELLINGS = {
    "plain": "{local}@{domain}",
    "quoted": '"{local}"@{domain}',
    "upper case": "{LOCAL}@{DOMAIN}",
    "trailing dot": "{local}@{domain}.",
    "source route": "@relay.example:{local}@{domain}",
    "long source route": "@a.example,@b.example:{local}@{domain}",
    "blanks around": " {local}@{domain} ",
    "blank before the at": "{local} @{domain}",
    "comment": "{local}(comment)@{domain}",
    "backslash": "{first}\\{rest}@{domain}",
    "no domain": "{local}",
    "address literal": "{local}@[127.0.0.1]",
    "extension": "{local}+x@{domain}",
    "percent": "{local}%{domain}@{domain}",
    "bang": "{domain}!{local}@{domain}",
}
OTHER_MAILBOX = {"address literal"}
"""Not the group but a local user of its name, whom Postfix serves without us."""
ACCEPTED_AS_PLAIN = {
    "plain", "quoted", "upper case", "trailing dot", "blanks around", "blank before the at", "comment",
    "backslash", "no domain", "extension",
}  # fmt: skip
every_spelling = pytest.mark.parametrize("name", SPELLINGS)


def spelt(name: str, address: str) -> str:
    local, _, domain = address.partition("@")
    return SPELLINGS[name].format(
        local=local, LOCAL=local.upper(), first=local[0], rest=local[1:], domain=domain, DOMAIN=domain.upper()
    )


@every_spelling
def test_a_closed_group_stays_closed(site: Installation, name: str) -> None:
    mark = identity()
    sent = site.send("x@outside.example", [spelt(name, CONTACT)], message(mark))
    site.settle()
    reached = recipients(site.delivered(mark))
    if name in OTHER_MAILBOX:
        assert reached in ([], [spelt(name, CONTACT)])
    else:
        assert sent.recipients[0].code in (550, 554, 501)
        assert reached == []
    assert site.held() == []


@every_spelling
def test_a_moderated_group_holds(site: Installation, name: str) -> None:
    mark = identity()
    sent = site.send("x@outside.example", [spelt(name, COMMERCIAL)], message(mark))
    site.settle()
    reached = recipients(site.delivered(mark))
    if name in OTHER_MAILBOX:
        assert reached in ([], [spelt(name, COMMERCIAL)])
        return
    assert reached == []
    assert sent.accepted == (name in ACCEPTED_AS_PLAIN)
    assert len(site.held()) == int(sent.accepted)


@every_spelling
def test_each_member_gets_one_copy(site: Installation, name: str) -> None:
    mark = identity()
    sent = site.send(ALICE, [spelt(name, CONTACT)], message(mark, ALICE), login="alice")
    site.settle()
    reached = recipients(site.delivered(mark))
    if name in OTHER_MAILBOX:
        assert reached in ([], [spelt(name, CONTACT)])
        return
    assert sent.accepted == (name in ACCEPTED_AS_PLAIN)
    assert reached == ([JEAN, PIERRE] if sent.accepted else [])


def test_all_spellings_in_one_message_give_one_copy(site: Installation) -> None:
    mark = identity()
    everything = [spelt(name, CONTACT) for name in sorted(ACCEPTED_AS_PLAIN)]
    sent = site.send(ALICE, everything, message(mark, ALICE), login="alice")
    site.settle()
    assert sent.accepted, sent
    assert recipients(site.delivered(mark)) == [JEAN, PIERRE]


def test_two_groups_and_a_member_directly_give_one_copy_each(site: Installation) -> None:
    mark = identity()
    everything = [CONTACT, JEAN, "INFO@MASOCIETE.EXAMPLE", OPEN, '"ouvert"@masociete.example']
    assert site.send(ALICE, everything, message(mark, ALICE), login="alice").accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, JEAN, PIERRE]
