"""What a person is to groups as the mirror has them."""

from __future__ import annotations

from dataclasses import replace

from tests.support.letters import Office

from groupmilter.directory.administration import Administration
from groupmilter.groups.person import Person
from groupmilter.membership.founding import Founding
from groupmilter.membership.roles import Role, Roles

NOBODY = Founding()


def roles(office: Office, person: Person, *above: Administration, rules: Founding = NOBODY) -> Roles:
    return Roles.of(person, office.paper, above, rules)


def test_each_role_is_told_apart_and_nested_groups_count() -> None:
    office = Office()
    anna, bert, carl, zora = (office.person(name) for name in ("anna", "bert", "carl", "zora"))
    inner = office.group("inner", anna)
    owning = office.group("owning", inner)
    group = office.group("sales", bert, owners=frozenset({owning.node}), moderators=frozenset({carl.node}))
    assert roles(office, anna).to(group) == {Role.OWNER}
    assert roles(office, bert).to(group) == {Role.MEMBER}
    assert roles(office, carl).to(group) == {Role.MODERATOR}
    assert roles(office, zora).to(group) == frozenset()
    assert [roles(office, one).may_change(group) for one in (anna, bert, carl)] == [True, False, False]


def test_owners_moderate_where_nobody_else_does() -> None:
    office = Office()
    owner = office.person("owner")
    group = office.group("sales", owners=frozenset({owner.node}))
    assert roles(office, owner).to(group) == {Role.OWNER, Role.MODERATOR}


def test_administrators_administer_what_is_theirs() -> None:
    office = Office()
    boss, customer = office.person("boss"), office.person("customer")
    admins = office.group("admins", boss)
    group = office.group("sales")
    whole, part = Administration(admins.dn), Administration(customer.dn, frozenset({"customer.example"}))
    assert roles(office, boss, whole, part).to(group) == {Role.ADMINISTRATOR}
    assert roles(office, boss, whole, part).administers_everything
    restricted = roles(office, customer, whole, part)
    assert restricted.to(group) == frozenset()
    assert (restricted.administers, restricted.administers_everything, restricted.may_create) == (
        True,
        False,
        True,
    )
    assert not roles(office, customer, whole).administers


def test_who_makes_groups_is_everybody_or_whom_the_rules_name() -> None:
    office = Office()
    anna, zora = office.person("anna"), office.person("zora")
    founders = office.group("founders", anna)
    named = Founding(holders=(founders.dn,))
    assert [roles(office, one, rules=named).may_create for one in (anna, zora)] == [True, False]
    assert roles(office, zora, rules=Founding(everybody=True)).may_create
    assert not roles(office, anna).may_create


def test_a_locked_account_is_nothing_to_anybody() -> None:
    office = Office()
    anna = office.person("anna")
    group = office.group("sales", anna, owners=frozenset({anna.node}))
    locked = roles(
        office, replace(anna, disabled=True), Administration(anna.dn), rules=Founding(everybody=True)
    )
    assert locked.to(group) == frozenset()
    assert not locked.administers
    assert not locked.may_create
