"""Mail to a group's further addresses, on paper: who is proven to wish, who reaches the owners, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.letters import KEYS, OWN, SERVICE, Letter, Office, added, replied, status

from groupmilter.authentication.identity import Proofs
from groupmilter.groups.group import Group, JoinPolicy
from groupmilter.groups.ticket import Action, Kind, Token, digest, loop_digest, seal_token, unseal
from groupmilter.mail.action import AddHeader, AddRecipient, ChangeSender, DeleteHeader, InsertHeader
from groupmilter.mail.address import with_extension
from groupmilter.policy.disposition import ToOwners, Undecided, Wished
from groupmilter.policy.facts import Strength
from groupmilter.policy.friendly import as_owners
from groupmilter.policy.plan import LOOP_HEADER
from groupmilter.policy.settings import Rate, StormGuard

JEAN, OUTSIDER = f"jean@{OWN}", "paul@partner.example"
SIGNED = "v=1; d=partner.example; s=x; h=from:to:subject; b=x"


class House:
    """A group that is owned by the boss, and who writes to it."""

    def __init__(self, **fields: object) -> None:
        self.office = Office()
        self.boss = self.office.person("boss", login="boss")
        self.jean = self.office.person("jean", login="jean")
        rules = {"join_policy": JoinPolicy.OPEN, "owners": frozenset({self.boss.node})} | fields
        self.group: Group = self.office.group("club", f"reader@{OWN}", **rules)

    def write(self, extension: str, sender: str = JEAN, login: str = "jean") -> Letter:
        return self.office.letter(sender, login=login).to(f"club+{extension}@{OWN}")

    def prove(self, domain: str) -> None:
        self.office.proofs = Proofs(dkim=frozenset({domain}), signed=frozenset({"from", "to", "subject"}))


def wished(letter: Letter, **headers: str) -> Wished:
    [disposition] = letter.decided(**headers)
    assert isinstance(disposition, Wished), disposition
    return disposition


@pytest.mark.parametrize(("word", "action"), [("join", Action.JOIN), ("LEAVE", Action.LEAVE)])
def test_a_login_proves_who_wishes(word: str, action: Action) -> None:
    house = House()
    found = wished(house.write(word))
    assert (found.action, found.sender) == (action, digest(house.jean.uuid))
    assert found.strength is Strength.LOGIN


def test_without_proof_it_is_a_mere_claim() -> None:
    found = wished(House().write("join", JEAN, ""))
    assert (found.sender, found.strength) == (0, Strength.CLAIMED)


def test_the_ticket_says_who_wishes_what_of_which_group() -> None:
    house = House()
    actions = house.write("join").planned()
    [address] = added(actions)
    local, _, domain = address.partition("@")
    ticket = unseal(local.removeprefix("hold+"), KEYS)
    assert domain == SERVICE
    assert ticket is not None
    assert (ticket.kind, ticket.reason) == (Kind.ANSWER, Action.JOIN)
    assert (ticket.group, ticket.sender) == (digest(house.group.uuid), digest(house.jean.uuid))


def test_an_outsiders_signature_proves_him_where_it_is_meant_for_this_address() -> None:
    for to, strength in ((f"club+join@{OWN}", Strength.DMARC), (f"other@{OWN}", Strength.CLAIMED)):
        house = House(join_outsiders=True)
        house.prove("partner.example")
        letter = house.write("join", OUTSIDER, "")
        found = wished(letter, dkim_signature=SIGNED, to=to)
        assert (found.sender, found.strength) == (0, strength), to


def test_outsiders_are_refused_where_the_group_is_for_insiders() -> None:
    assert House().write("join", OUTSIDER, "").answered() == "550 5.7.1"
    assert wished(House().write("leave", OUTSIDER, "")).strength is Strength.CLAIMED


@pytest.mark.parametrize("word", ["join", "leave"])
def test_a_closed_group_refuses_at_rcpt_but_its_owners(word: str) -> None:
    house = House(join_policy=JoinPolicy.CLOSED, leave_policy=JoinPolicy.CLOSED)
    verdict = house.office.letter(JEAN, login="jean").rcpt(f"club+{word}@{OWN}")
    assert status(verdict) == "550 5.7.1"
    assert replied(verdict).endswith(f"{word}-closed")
    assert wished(house.write(word, f"boss@{OWN}", "boss")).sender == digest(house.boss.uuid)


@pytest.mark.parametrize("word", ["join", "leave", "owner"])
def test_a_hidden_group_is_unknown_but_to_its_own(word: str) -> None:
    house = House(hidden=True)
    for sender, login in ((JEAN, "jean"), (OUTSIDER, ""), (f"boss@{OWN}", "")):
        verdict = house.office.letter(sender, login=login).rcpt(f"club+{word}@{OWN}")
        assert status(verdict) == "550 5.1.1"
        assert replied(verdict).endswith("concealed"), "in Postfix's words for an unknown address"
    assert house.write(word, f"boss@{OWN}", "boss").decided()


@pytest.mark.parametrize("word", ["join", "leave", "owner"])
@pytest.mark.parametrize("field", ["auto_submitted", "precedence", "list_id"])
def test_programs_are_refused(word: str, field: str) -> None:
    values = {"auto_submitted": "auto-generated", "precedence": "bulk", "list_id": "<x.example>"}
    assert House().write(word).answered(**{field: values[field]}) == "550 5.7.1"
    assert status(House().office.letter("").rcpt(f"club+{word}@{OWN}")) == "550 5.7.1"


@pytest.mark.parametrize("word", ["approve", "reject"])
def test_what_means_something_elsewhere_is_no_address(word: str) -> None:
    assert status(House().office.letter(JEAN, login="jean").rcpt(f"club+{word}@{OWN}")) == "550 5.1.1"


def test_a_strangers_mail_reaches_the_owners_who_stay_unknown_to_him() -> None:
    house = House()
    actions = house.write("owner", OUTSIDER, "").planned(disposition_notification_to=OUTSIDER)
    [recipient] = [one for one in actions if isinstance(one, AddRecipient)]
    assert recipient.address == house.boss.address
    assert recipient.parameters == f"ORCPT=rfc822;club+2Bowner@{OWN}"
    [path] = [one for one in actions if isinstance(one, ChangeSender)]
    assert path.address.startswith("bounce+")
    assert DeleteHeader("Disposition-Notification-To", 1) in actions
    names = {one.name for one in actions if isinstance(one, AddHeader | InsertHeader)}
    assert names == {LOOP_HEADER, "Precedence", "X-Auto-Response-Suppress"}, "no list's fields"


def test_beside_others_a_stranger_gets_no_report_about_owners() -> None:
    house = House()
    actions = house.write("owner", OUTSIDER, "").to("y@out.example").planned()
    [recipient] = [one for one in actions if isinstance(one, AddRecipient)]
    assert recipient.parameters.startswith("NOTIFY=NEVER ")
    assert not [one for one in actions if isinstance(one, ChangeSender)]


def test_a_colleague_keeps_his_return_path() -> None:
    house = House()
    actions = house.write("owner").planned()
    assert added(actions) == [house.boss.address]
    assert not [one for one in actions if isinstance(one, ChangeSender)]


def test_owners_may_be_groups_and_without_any_the_contact_is_asked() -> None:
    house = House()
    board = house.office.group("board", house.jean, house.boss)
    house.office.rewrite(house.group, owners=frozenset({board.node}))
    assert set(added(house.write("owner", OUTSIDER, "").planned())) == {
        house.jean.address,
        house.boss.address,
    }
    house.office.rewrite(house.group, owners=frozenset())
    assert added(house.write("owner", OUTSIDER, "").planned()) == [f"postmaster@{OWN}"]


def test_what_comes_back_to_the_owners_is_a_loop() -> None:
    house = House()
    trace = loop_digest(as_owners(house.group).uuid, KEYS.keys[1])
    assert house.write("owner").answered(x_groupmilter_loop=trace) == "554 5.4.6"
    assert house.write("join").answered(x_groupmilter_loop=trace) == "554 5.4.6"


def test_a_storm_to_the_owners_is_deferred_and_doesnt_count_for_the_group() -> None:
    house = House()
    house.office.settings = replace(house.office.settings, storm=StormGuard(Rate(0, 600)))
    assert isinstance(house.write("owner").decided()[0], ToOwners)
    house.office.settings = replace(house.office.settings, storm=StormGuard(Rate(1, 600)))
    house.office.counts = None
    assert status(house.office.letter(JEAN, login="jean").rcpt(f"club+owner@{OWN}")) == "451 4.4.3"


def test_only_the_end_of_the_message_tells_who_wishes() -> None:
    verdict = House().office.letter(JEAN, login="jean").rcpt(f"club+join@{OWN}")
    assert isinstance(verdict.disposition, Undecided)


def test_a_confirmation_needs_the_token_alone() -> None:
    house = House()
    token = Token(Kind.ANSWER, Action.CONFIRM, 4_000_000_000, 5, digest(OUTSIDER))
    actions = house.office.letter(OUTSIDER).to(f"confirm+{seal_token(token, KEYS)}@{SERVICE}").planned()
    [address] = added(actions)
    ticket = unseal(address.partition("@")[0].removeprefix("hold+"), KEYS)
    assert ticket is not None
    assert (ticket.reason, ticket.group, ticket.sender) == (Action.CONFIRM, 5, digest(OUTSIDER))


def test_a_token_for_one_thing_is_none_for_another() -> None:
    token = Token(Kind.ANSWER, Action.CONFIRM, 4_000_000_000, 5, digest(OUTSIDER))
    for word in ("approve", "reject"):
        verdict = House().office.letter(OUTSIDER).rcpt(f"{word}+{seal_token(token, KEYS)}@{SERVICE}")
        assert status(verdict) == "550 5.7.1"


@pytest.mark.parametrize(
    ("address", "delimiters", "wanted"),
    [
        ("club@own.example", "+", "club+join@own.example"),
        ("club@own.example", "-+", "club-join@own.example"),
        ("club@own.example", "", ""),
        (f"{'x' * 60}@own.example", "+", ""),
        ("été@own.example", "+", "été+join@own.example"),
    ],
)
def test_further_addresses(address: str, delimiters: str, wanted: str) -> None:
    assert with_extension(address, "join", delimiters) == wanted
