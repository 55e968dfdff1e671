"""Who makes groups, where, under which names: the rules of the configuration, at a real directory."""

from __future__ import annotations

import pytest
from tests.membership.acting import ADMINISTRATORS, acting, add_group, changed, dn_of, made, panel
from tests.membership.offices import BASE, GROUPS, JEAN, Office

from groupmilter.membership.authority import Forbidden, Reason
from groupmilter.membership.vocabulary import Several, Single

OWN = "masociete.example"
CUSTOMER = f"cn=customer-admins,{GROUPS}"
OPEN = (
    f"panel:\n  administrators: '{ADMINISTRATORS}'\n"
    "  create: {who: everybody, names: ['projet-*', 'team-*'], required: [description, members]}\n"
)
FULL = (Single("description", "What it is for"), Several("members", (JEAN,)))


def reason(office: Office, uid: str, address: str) -> Reason:
    with pytest.raises(Forbidden) as caught:
        made(office, uid, address, FULL)
    return caught.value.reason


def test_only_administrators_make_groups_unless_the_configuration_says_otherwise(office: Office) -> None:
    panel(office)
    assert reason(office, "bob", f"bobs@{OWN}") is Reason.MAY_NOT_CREATE
    assert made(office, "helene", f"helenes@{OWN}") == ()
    assert office.values("helenes", "owner") == [dn_of("helene")], "the founder owns it"
    assert [row.origin for row in office.journal("group-create")] == ["192.0.2.7"]


def test_whoever_makes_a_group_owns_it_unless_others_are_named(office: Office) -> None:
    panel(office, OPEN)
    assert made(office, "bob", f"projet-un@{OWN}", FULL) == ()
    assert office.values("projet-un", "owner") == [dn_of("bob")]
    assert made(office, "bob", f"projet-deux@{OWN}", (*FULL, Several("owners", (JEAN,)))) == ()
    assert office.values("projet-deux", "owner") == [dn_of("jean")]
    changed(office, "bob", f"projet-un@{OWN}", Single("name", "Projet"))
    with pytest.raises(Forbidden):
        changed(office, "bob", f"projet-deux@{OWN}", Single("name", "Projet"))


@pytest.mark.parametrize(
    ("address", "more", "fields"),
    [
        ("autre@masociete.example", (), ("address",)),
        ("postmaster@masociete.example", (), ("address",)),
        ("projet-trois@elsewhere.example", (), ("address",)),
        (
            "projet-trois@masociete.example",
            (Several("aliases", (f"abuse@{OWN}", f"team-x@{OWN}")),),
            ("aliases",),
        ),
        ("projet-trois@masociete.example", (Single("policy", "lenient"),), ("policy",)),
    ],
)
def test_what_the_rules_have_against_a_group_is_told_field_by_field(
    office: Office, address: str, more: tuple[Single | Several, ...], fields: tuple[str, ...]
) -> None:
    panel(office, OPEN)
    assert made(office, "bob", address, (*FULL, *more)) == fields
    # The rules are for those who don't administer.
    cn = address.partition("@")[0]
    assert made(office, "administrator", address, (*FULL, *more)) == ()
    office.slapd.delete(f"cn={cn},{GROUPS}")


def test_what_every_group_must_have_administrators_give_it_too(office: Office) -> None:
    panel(office, OPEN)
    for uid in ("bob", "administrator"):
        assert made(office, uid, f"projet-vide@{OWN}") == ("description", "members")
    # Nobody of a list is known, so it isn't had.
    assert made(office, "bob", f"projet-vide@{OWN}", FULL[:1]) == ("members",)


@pytest.mark.parametrize("taken", [f"contact@{OWN}", JEAN, f"jean@{OWN}"])
def test_an_address_that_somebody_has_is_refused(office: Office, taken: str) -> None:
    panel(office)
    assert made(office, "administrator", taken) == ("address",)
    assert made(office, "administrator", f"free@{OWN}", [Several("aliases", (taken,))]) == ("aliases",)


def test_rights_to_make_groups_end_between_form_and_save(office: Office) -> None:
    add_group(office, "founders", f"member: {dn_of('bob')}")
    panel(office, f"panel: {{create: {{who: ['cn=founders,{GROUPS}']}}}}\n")
    with acting(office, "bob") as service:
        prepared, problems = service.prepare_new(f"late@{OWN}", FULL)
        assert problems == ()
        office.slapd.replace(f"cn=founders,{GROUPS}", member=dn_of("jose"))
        with pytest.raises(Forbidden) as caught:
            service.apply(prepared)
    assert caught.value.reason is Reason.MAY_NOT_CREATE
    assert office.values("late", "cn") == []
    assert made(office, "jose", f"late@{OWN}", FULL) == ()
    office.slapd.delete(f"cn=late,{GROUPS}", f"cn=founders,{GROUPS}")


def test_a_large_new_group_is_finished_by_its_founder_though_others_own_it(office: Office) -> None:
    panel(office, OPEN)
    many = Several("members", tuple(f"x{number}@outside.example" for number in range(1200)))
    assert made(office, "bob", f"projet-grand@{OWN}", (FULL[0], many, Several("owners", (JEAN,)))) == ()
    assert len(office.values("projet-grand", "dgMemberAddress")) == 1200


def test_administrators_of_a_domain_keep_to_it(office: Office) -> None:
    """A hoster's customer: his administrators see to his domain, below his name, and to nothing else."""
    add_group(office, "customer-admins", f"member: {dn_of('jose')}")
    base = f"ou=customer,{GROUPS}"
    office.slapd.add(f"dn: {base}\nobjectClass: organizationalUnit\nou: customer\n")
    panel(
        office,
        f"panel:\n  administrators: [{{group: '{CUSTOMER}', domains: customer.example}}, '{ADMINISTRATORS}']\n",
    )
    assert reason(office, "jose", f"mine@{OWN}") is Reason.ELSEWHERE
    assert made(office, "jose", "mine@customer.example", FULL) == ()
    assert made(office, "jose", "postmaster@customer.example", FULL) == ()
    mine = "mine@customer.example"
    changed(
        office,
        "jose",
        mine,
        Several("aliases", ("ours@customer.example",)),
        Several("owners", (dn_of("anais"),), exact=True),
    )
    for wish in (Several("aliases", (f"theirs@{OWN}",)), Single("address", f"theirs@{OWN}")):
        with pytest.raises(Forbidden) as caught:
            changed(office, "jose", mine, wish)
        assert caught.value.reason is Reason.ELSEWHERE, "neither owner nor here at home"
    with pytest.raises(Forbidden):
        changed(office, "jose", f"contact@{OWN}", Single("name", "x"))
    with acting(office, "jose") as service:
        assert service.delete(service.stored(mine))
    office.slapd.delete(f"cn=postmaster,{GROUPS}")


def test_who_does_not_administer_makes_groups_where_new_groups_go(office: Office) -> None:
    panel(office, OPEN)
    with acting(office, "bob") as service, pytest.raises(Forbidden):
        service.prepare_new(f"projet-ailleurs@{OWN}", FULL, parent=f"ou=people,{BASE}")


def test_administrators_of_a_branch_keep_to_it(office: Office) -> None:
    base = f"ou=branch,{GROUPS}"
    office.slapd.add(f"dn: {base}\nobjectClass: organizationalUnit\nou: branch\n")
    add_group(office, "branch-admins", f"member: {dn_of('alice')}")
    panel(office, f"panel: {{administrators: {{group: 'cn=branch-admins,{GROUPS}', base: '{base}'}}}}\n")
    assert reason(office, "alice", f"outside@{OWN}") is Reason.ELSEWHERE
    with acting(office, "alice") as service:
        prepared, problems = service.prepare_new(f"inside@{OWN}", FULL, parent=base)
        assert problems == ()
        service.apply(prepared)
        assert {each.field for each in service.prepare_new("no address", FULL, parent=base)[1]} == {"address"}
    assert office.slapd.search(base, "(cn=inside)", "owner").count(dn_of("alice")) == 1
    changed(office, "alice", f"inside@{OWN}", Single("policy", "lenient"))
    office.slapd.delete(f"cn=inside,{base}")


def test_nobody_takes_the_place_of_an_entry_that_is_gone_and_with_it_its_rights(office: Office) -> None:
    """Lists that name it, and a configuration that does, would mean the new group and so its founder."""
    ghost, admins = f"cn=team-ghost,{GROUPS}", f"cn=team-admins,{GROUPS}"
    orphan = add_group(office, "orphan", f"owner: {ghost}")
    panel(office, OPEN.replace(f"'{ADMINISTRATORS}'", f"['{ADMINISTRATORS}', '{admins}']"))
    mine = (FULL[0], Several("members", (dn_of("bob"),)))
    assert made(office, "bob", f"team-ghost@{OWN}", mine) == ("address",)
    assert made(office, "bob", f"team-admins@{OWN}", mine) == ("address",)
    with pytest.raises(Forbidden):
        changed(office, "bob", orphan, Single("name", "Mine now"))
    assert made(office, "bob", f"team-new@{OWN}", (*mine, Several("allowed", (dn_of("bob"),)))) == ()
    # Who administers everything may have it so.
    assert made(office, "administrator", f"team-ghost@{OWN}", mine) == ()
    office.slapd.delete(ghost, f"cn=orphan,{GROUPS}", f"cn=team-new,{GROUPS}")


@pytest.mark.parametrize(
    ("wishes", "warns"),
    [
        ((Single("moderated", "yes"), Several("owners", (), exact=True)), True),
        (
            (Single("moderated", "yes"), Several("owners", (), exact=True), Several("moderators", (JEAN,))),
            False,
        ),
        ((Single("moderated", "yes"),), False),
        ((Several("owners", (), exact=True),), False),
        ((Single("name", "x"),), False),
    ],
)
def test_a_group_that_nobody_decides_about_is_warned_of(
    office: Office, wishes: tuple[Single | Several, ...], warns: bool
) -> None:
    panel(office)
    if not office.values("decided", "cn"):
        add_group(office, "decided", f"owner: {dn_of('zoe')}")
    with office.service() as service:
        prepared, problems = service.prepare(service.stored(f"decided@{OWN}"), wishes)
    assert problems == ()
    assert any("nobody to decide" in str(remark) for remark in prepared.remarks) is warns
