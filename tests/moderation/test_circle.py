"""Who decides about a group's held mail, and who can be written to in whose place."""

from __future__ import annotations

from tests.support.letters import Office

from groupmilter.directory.administration import Administration
from groupmilter.groups.group import Nodes
from groupmilter.groups.person import Person
from groupmilter.groups.reach import reachable
from groupmilter.moderation.circle import Circle, circle


def nodes(*people: Person) -> Nodes:
    return frozenset(one.node for one in people)


def test_moderators_then_owners_then_administrators() -> None:
    office = Office()
    anna, owner, boss = (office.person(name) for name in ("anna", "owner", "boss"))
    moderated = office.group("sales", moderators=nodes(anna), owners=nodes(owner))
    made = circle(moderated, (), (Administration(boss.dn),), office.paper)
    assert made.rings == (nodes(anna), nodes(owner), nodes(boss))


def test_without_moderators_the_owners_are_asked_first() -> None:
    office = Office()
    owner = office.person("owner")
    group = office.group("sales", owners=nodes(owner))
    assert circle(group, (), (), office.paper).rings == (nodes(owner), nodes(owner), frozenset())
    assert circle(group, (), (Administration("cn=nobody"),), office.paper).administrators == frozenset()


def test_a_rule_names_others_by_address() -> None:
    office = Office()
    anna, other = office.person("anna"), office.person("other")
    board = office.group("board", other)
    group = office.group("sales", moderators=nodes(anna))
    named = circle(group, ("other@own.example", "board@own.example", "gone@own.example"), (), office.paper)
    assert named.moderators == frozenset({other.node, board.node})
    assert circle(group, ("gone@own.example",), (), office.paper).moderators == nodes(anna)


def test_whoever_is_in_a_ring_may_decide_and_nobody_else() -> None:
    office = Office()
    anna, bert, owner, zora = (office.person(name) for name in ("anna", "bert", "owner", "zora"))
    inner = office.group("inner", bert)
    outer = office.group("outer", inner)
    locked = office.person("locked", disabled=True)
    made = Circle(nodes(anna, locked) | {outer.node}, nodes(owner))
    assert [made.holds(one, office.paper) for one in (anna, bert, owner)] == [True] * 3
    assert [made.holds(one, office.paper) for one in (zora, locked)] == [False] * 2
    assert made.owned_by(owner, office.paper)
    assert not made.owned_by(anna, office.paper)
    assert not Circle(frozenset(), nodes(locked)).owned_by(locked, office.paper)


def test_persons_behind_groups_each_once() -> None:
    office = Office()
    anna, bert = office.person("anna"), office.person("bert")
    locked, mailless = office.person("locked", disabled=True), office.person("none", address="")
    inner = office.group("inner", bert, locked, mailless, "outside@x.example")
    outer = office.group("outer", anna, bert, inner)
    office.paper.add_group(inner, bert, locked, mailless, outer)
    assert set(reachable(frozenset({anna.node, outer.node}), office.paper)) == {anna, bert}
    assert reachable(frozenset(), office.paper) == ()


def test_a_crowd_of_moderators_is_not_all_written_to() -> None:
    office = Office()
    crowd = office.group("crowd", *(office.person(f"m{number}") for number in range(500)))
    assert len(reachable(frozenset({crowd.node}), office.paper)) == 200


def test_administrators_of_other_domains_or_branches_decide_nothing_here() -> None:
    office = Office()
    boss, customer, branch = (office.person(name) for name in ("boss", "customer", "branch"))
    group = office.group("sales")
    given = (
        Administration(boss.dn),
        Administration(customer.dn, frozenset({"customer.example"})),
        Administration(branch.dn, base="ou=elsewhere"),
    )
    made = circle(group, (), given, office.paper)
    assert made.administrators == nodes(boss)
    assert not made.holds(customer, office.paper)
    own = circle(group, (), (Administration(customer.dn, frozenset({"own.example"})),), office.paper)
    assert own.holds(customer, office.paper)
