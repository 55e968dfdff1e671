"""Whatever we do to a message, the signatures that it came with still hold at every member: OpenDKIM says so.

Each way through the house takes each of the letters of `tests.support.signed`, which bear signatures of two independent
signers. What comes to a person directly shows that Postfix itself breaks none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from tests.support.moderated import CALM, Moderated, moderated
from tests.support.office import (
    ALICE,
    BOB,
    COMMERCIAL,
    GROUPS,
    JEAN,
    MORE,
    OPEN,
    PEOPLE,
    PIERRE,
    PLACEHOLDER,
    group,
    identity,
    member,
)
from tests.support.signed import LETTERS, Signers, letter
from tests.support.sink import SunkMessage

from groupmilter.moderation.item import Item, State

CLIENT = "client@outside.example"
WORLD = ("dgRequireAuthentication: FALSE",)
MODERATED = (*WORLD, "dgModerated: TRUE", f"dgModerator: uid=jean,{PEOPLE}")
SECRET, TAGGED, OUTER, MANY = (
    f"{name}@masociete.example" for name in ("secret", "marque", "dehors", "nombreux")
)
ACCENTED, ALIAS, CHANGING = (f"{name}@masociete.example" for name in ("équipe", "alias", "mouvant"))
KEEPING = "rendu@masociete.example"
CROWD = [f"n{number}@crowd.example" for number in range(15)]
EXTRA = "".join(
    (
        group("marque", *WORLD, *member("jean", "bob")),
        group(
            "dehors", *WORLD, f"member: cn=ouvert,{GROUPS}", f"member: cn=marque,{GROUPS}", *member("pierre")
        ),
        group("nombreux", *WORLD, PLACEHOLDER, *(f"dgMemberAddress: {address}" for address in CROWD)),
        group("alias-of", *WORLD, "dgAlias: alias@masociete.example", *member("jean", "bob")),
        group("accent", *WORLD, "dgAlias:: w6lxdWlwZUBtYXNvY2lldGUuZXhhbXBsZQ==", *member("jean", "bob")),
        group("rendu", *WORLD, "dgBouncesTo: sender", *member("jean", "bob")),
        group("mouvant", *MODERATED, *member("bob", "pierre")),
    )
)
POLICY = """\
bounds: {in_place: 6}
moderation: {letters_per_hour: 1000}
rules:
  - name: tagged
    groups: [marque@masociete.example]
    then: {tag: {name: X-Site, value: "outside mail"}}
"""
LIST_FIELDS = (
    "List-Id",
    "List-Post",
    "List-Owner",
    "List-Unsubscribe",
    "Precedence",
    "X-Auto-Response-Suppress",
)


def header(copy: SunkMessage) -> str:
    return copy.content.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")


def has(*names: str) -> Callable[[SunkMessage], bool]:
    return lambda copy: all(f"\n{name}: " in header(copy) for name in names)


def bounces_to_us(copy: SunkMessage) -> bool:
    return re.fullmatch(r"bounce\+[a-z2-7]+@groups\.masociete\.example", copy.sender) is not None


def everything(*questions: Callable[[SunkMessage], bool]) -> Callable[[SunkMessage], bool]:
    return lambda copy: all(question(copy) for question in questions)


expanded, listed = has("X-Groupmilter-Loop"), has(*LIST_FIELDS)


@dataclass(frozen=True)
class Route:
    """A way through the house: to whom, who gets it, and by what a copy shows that it went this way.

    :param approve: the groups whose moderator approves, in order.
    """

    to: tuple[str, ...]
    reaches: Sequence[str]
    shows: Callable[[SunkMessage], bool]
    approve: tuple[str, ...] = ()


ROUTES = {
    "to a person, past all groups": Route((ALICE,), [ALICE], lambda copy: not expanded(copy)),
    "in place, with list fields and bounces to us": Route(
        (OPEN,), [JEAN, BOB], everything(expanded, listed, bounces_to_us)
    ),
    "in place, the return path kept": Route(
        (KEEPING,), [JEAN, BOB], lambda copy: listed(copy) and copy.sender == CLIENT
    ),
    "beside a person, as it is": Route(
        (OPEN, ALICE), [JEAN, BOB, ALICE], lambda copy: expanded(copy) and not listed(copy)
    ),
    "tagged": Route((TAGGED,), [JEAN, BOB], has("X-Site", "List-Id")),
    "groups in a group": Route((OUTER,), [JEAN, BOB, PIERRE], listed),
    "hidden members": Route((SECRET,), [JEAN, BOB], everything(listed, bounces_to_us)),
    "hidden members beside others: two copies": Route(
        (SECRET, ALICE), [JEAN, BOB, ALICE], lambda copy: bounces_to_us(copy) or ALICE in copy.addresses
    ),
    "two groups and a person": Route((OPEN, TAGGED, ALICE), [JEAN, BOB, ALICE], has("X-Site")),
    "a group too large for one transaction": Route((MANY,), CROWD, listed),
    "too large, beside a person": Route(
        (MANY, ALICE), [*CROWD, ALICE], lambda copy: listed(copy) or ALICE in copy.addresses
    ),
    "held and approved": Route((COMMERCIAL,), [PIERRE, BOB], listed, approve=(COMMERCIAL,)),
    "held beside an open group": Route(
        (COMMERCIAL, OPEN), [PIERRE, BOB, JEAN, BOB], expanded, approve=(COMMERCIAL,)
    ),
    "an address with an extension": Route(("ouvert+news@masociete.example",), [JEAN, BOB], listed),
    "an alias": Route((ALIAS,), [JEAN, BOB], listed),
    "an address beyond ASCII": Route((ACCENTED,), [JEAN, BOB], listed),
}  # fmt: skip


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moderated]:
    folder = tmp_path_factory.mktemp("policy")
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    policies = [str(CALM), str(folder / "policy.yaml")]
    # Else Postfix itself breaks lines of more than 998 octets (RFC 5321 section 4.5.3.1.6), and with them signatures.
    with moderated(MORE, EXTRA, options={"policies": policies}, main={"smtp_line_length_limit": "0"}) as site:
        yield site


@pytest.fixture(name="signers", scope="module")
def _signers() -> Iterator[Signers]:
    with Signers() as running:
        yield running


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_every_signature_holds_at_every_member(site: Moderated, signers: Signers, route: Route) -> None:
    marks = {name: identity() for name in LETTERS}
    for name, mark in marks.items():
        send(site, route, signers.sign(letter(name, mark)))
    for address in route.approve:
        for mark in marks.values():
            approve(site, mark, address)
    for name, mark in marks.items():
        for copy in site.copies(mark, route.reaches):
            assert signers.broken(copy.content) == [], (name, copy.addresses)
            assert route.shows(copy), (name, header(copy))


def send(site: Moderated, route: Route, message: bytes) -> None:
    """By BDAT (RFC 3030): it carries a message without a line end at its end, too."""
    accented = not all(map(str.isascii, route.to)) or "jürgen".encode() in message
    parameters = ("BODY=8BITMIME", *(["SMTPUTF8"] if accented else []))
    with site.installation.session() as session:
        assert session.mail(CLIENT, *parameters).code == 250
        for recipient in route.to:
            assert session.rcpt(recipient).code == 250, recipient
        session.send(b"BDAT %d LAST\r\n" % len(message) + message)
        reply = session.reply()
        assert reply.code == 250, reply


def approve(site: Moderated, mark: str, address: str) -> None:
    """By its subject: not every letter has a Message-ID."""

    def held() -> list[Item]:
        items = site.ledger.items((State.HELD,), group=address)
        return [item for item in items if f"{mark}" in item.arrival.subject]

    site.until(lambda: bool(held()), f"{mark} held for {address}")
    (item,) = held()
    site.decide(item)
    site.ended(item)
