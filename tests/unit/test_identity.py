"""Who the sender is, by each proof and by none."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from tests.support.letters import OWN, Office

from groupmilter.authentication.evidence import Evidence, supposed
from groupmilter.authentication.identity import Connection, Proofs, identify
from groupmilter.authentication.trust import Network, Trust
from groupmilter.groups.person import Person
from groupmilter.policy.facts import Author, Content, Identity, Strength

NET = Network(ip_network("10.0.0.0/8"), frozenset({OWN}))
LOCAL = Network(None, frozenset({OWN}))
JEAN = "jean@own.example"
NO_PROOF = Proofs()
NO_TRUST = Trust()


def office() -> Office:
    made = Office()
    jean = made.person("jean", "j", login="jean")
    inner = made.group("inner", jean)
    made.group("outer", inner)
    return made


def jean_of(made: Office) -> Person:
    found = made.paper.find(JEAN)
    assert isinstance(found, Person)
    return found


def who(
    made: Office, client: str = "192.0.2.1", login: str = "", sender: str = JEAN,
    authors: tuple[str, ...] | None = (JEAN,), proofs: Proofs = NO_PROOF, trust: Trust = NO_TRUST,
    readable: bool = True,
) -> Identity:  # fmt: skip
    content = None
    if authors is not None:
        content = Content(tuple(Author(a, made.paper.find(a)) for a in authors), readable=readable)
    connection = Connection(client, login)
    author = authors[0] if authors and len(authors) == 1 and readable else ""
    found = supposed(Evidence(connection, sender, author), proofs)
    return identify(connection, sender, content, found, trust, made.paper)


def test_a_login_is_its_person_with_all_addresses_and_groups() -> None:
    made = office()
    identity = who(made, login="jean", authors=None)
    assert identity.strength is Strength.LOGIN
    assert identity.authenticated
    assert identity.person == jean_of(made)
    assert identity.addresses == (JEAN, "j@own.example")
    assert identity.nodes == identity.suspects == {jean_of(made).node, *made.paper.groups}
    assert identity.may_become is None


def test_a_login_beats_every_other_proof() -> None:
    proofs = Proofs(frozenset({"out.example"}), frozenset({"out.example"}))
    identity = who(
        office(), "10.0.0.1", "jean", authors=("x@out.example",), proofs=proofs, trust=Trust((NET,))
    )
    assert identity.strength is Strength.LOGIN
    assert identity.addresses[0] == JEAN


def test_a_login_without_an_entry_is_authenticated_and_nobody() -> None:
    identity = who(office(), login="monitor")
    assert identity.authenticated
    assert (identity.person, identity.addresses, identity.nodes, identity.claims) == (
        None,
        (),
        frozenset(),
        (),
    )


def test_at_rcpt_nothing_is_proven_but_something_may_become() -> None:
    made = office()
    identity = who(made, authors=None)
    assert identity.strength is Strength.CLAIMED
    assert identity.may_become is Strength.DMARC
    assert identity.nodes == frozenset()
    assert jean_of(made).node in identity.suspects
    assert who(made, "10.0.0.1", authors=None, trust=Trust((NET,))).may_become is Strength.NETWORK


def test_a_claim_gives_no_right_and_every_suspicion() -> None:
    made = office()
    identity = who(made, sender="x@out.example", authors=(JEAN, "y@out.example"), readable=False)
    assert identity.strength is Strength.CLAIMED
    assert not identity.authenticated
    assert identity.nodes == frozenset()
    assert identity.claims == ("x@out.example", JEAN, "y@out.example")
    assert jean_of(made).node in identity.suspects


@pytest.mark.parametrize("client", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_a_network_proves_the_author_of_its_domains(client: str) -> None:
    identity = who(office(), client, trust=Trust((NET,)))
    assert identity.strength is Strength.NETWORK
    assert identity.authenticated
    assert identity.addresses == (JEAN,)
    assert identity.person is None
    assert identity.nodes == frozenset()


def test_a_network_with_rights_is_the_person() -> None:
    made = office()
    identity = who(made, "10.1.2.3", trust=Trust((replace(NET, person=True),)))
    assert identity.person == jean_of(made)
    assert jean_of(made).node in identity.nodes
    assert identity.addresses == (JEAN, "j@own.example")


def test_a_network_with_rights_speaks_for_unknown_addresses_too() -> None:
    identity = who(
        office(), "10.1.2.3", authors=("scanner@own.example",), trust=Trust((replace(NET, person=True),))
    )
    assert identity.strength is Strength.NETWORK
    assert identity.nodes == frozenset()


@pytest.mark.parametrize(
    ("client", "authors", "readable"),
    [
        ("192.0.2.1", (JEAN,), True),
        ("unknown", (JEAN,), True),
        ("", (JEAN,), True),
        ("10.1.2.3", ("x@out.example",), True),
        ("10.1.2.3", (JEAN, "j@own.example"), True),
        ("10.1.2.3", (JEAN,), False),
        ("10.1.2.3", (), False),
    ],
)
def test_a_network_proves_nothing_else(client: str, authors: tuple[str, ...], readable: bool) -> None:
    identity = who(office(), client, authors=authors, readable=readable, trust=Trust((NET,)))
    assert identity.strength is Strength.CLAIMED


def test_local_submission_is_a_network_of_its_own() -> None:
    assert who(office(), "", trust=Trust((LOCAL,))).strength is Strength.NETWORK
    assert who(office(), "127.0.0.1", trust=Trust((LOCAL,))).strength is Strength.CLAIMED


@pytest.mark.parametrize(
    ("proofs", "sender", "author", "strength", "dkim"),
    [
        (Proofs(dkim=frozenset({"out.example"})), "x@else.example", "x@out.example", Strength.DMARC, True),
        (Proofs(spf=frozenset({"out.example"})), "y@out.example", "x@out.example", Strength.DMARC, False),
        (
            Proofs(spf=frozenset({"mail.out.example"})),
            "y@mail.out.example",
            "x@out.example",
            Strength.DMARC,
            False,
        ),
        (
            Proofs(spf=frozenset({"out.example"})),
            "y@out.example",
            "x@list.out.example",
            Strength.DMARC,
            False,
        ),
        (
            Proofs(spf=frozenset({"out.example"})),
            "y@out.example",
            "x@notout.example",
            Strength.CLAIMED,
            False,
        ),
        (Proofs(spf=frozenset({"else.example"})), "y@else.example", "x@out.example", Strength.CLAIMED, False),
        (Proofs(spf=frozenset({"out.example"})), "", "x@out.example", Strength.CLAIMED, False),
        (Proofs(dkim=frozenset({"else.example"})), "y@out.example", "x@out.example", Strength.CLAIMED, False),
    ],
)
def test_dkim_and_spf_prove_what_is_aligned(
    proofs: Proofs, sender: str, author: str, strength: Strength, dkim: bool
) -> None:
    identity = who(office(), sender=sender, authors=(author,), proofs=proofs)
    assert (identity.strength, identity.dkim) == (strength, dkim)
    assert not identity.authenticated
    assert identity.addresses == ((author,) if strength else ())


def test_dkim_proves_a_person_only_where_the_policy_says_so() -> None:
    made = office()
    proofs = Proofs(frozenset({OWN}), frozenset({OWN}))
    outsider = who(made, proofs=proofs)
    assert (outsider.person, outsider.authenticated, outsider.nodes) == (None, False, frozenset())
    insider = who(made, proofs=proofs, trust=Trust(dmarc_is_internal=True))
    assert insider.person == jean_of(made)
    assert insider.authenticated
    assert jean_of(made).node in insider.nodes
    by_spf = who(made, proofs=Proofs(spf=frozenset({OWN})), trust=Trust(dmarc_is_internal=True))
    assert (by_spf.person, by_spf.authenticated) == (None, False)


def test_two_authors_prove_nothing_whatever_signs() -> None:
    proofs = Proofs(frozenset({"out.example"}), frozenset({"out.example"}))
    identity = who(office(), authors=("x@out.example", "y@out.example"), proofs=proofs)
    assert identity.strength is Strength.CLAIMED


def test_words_for_strengths() -> None:
    assert [str(strength) for strength in Strength] == ["claimed", "dmarc", "network", "certificate", "login"]
