"""Profiles: the native one as shipped, little foreign ones for each transform, and mistakes told by their path."""

from __future__ import annotations

import pytest
import yaml
from tests.directory.mirrors import NATIVE, entry, group, group_dn, native, person, person_dn

from groupmilter.directory.entry import Entry
from groupmilter.directory.profile import Profile, ProfileError, Record
from groupmilter.directory.profile_fields import GROUP, PERSON

SCHEMA = NATIVE.parents[1] / "openldap" / "groupmilter.schema"


def profile(group_fields: str, person_fields: str = "{addresses: mail}") -> Profile:
    """Return a little profile: groups by class ``g``, people by ``mail``."""
    text = f"""
profile: little
person: {{when: {{attributes: [mail]}}, fields: {person_fields}}}
group: {{when: {{classes: [g]}}, fields: {group_fields}}}
"""
    return Profile.from_mapping(yaml.safe_load(text))


def read(made: Profile, read_entry: Entry) -> Record:
    record = made.read(read_entry)
    assert record is not None
    return record


def a_group(**attributes: str | list[str]) -> Entry:
    return entry("u", "cn=g,dc=x", **({"objectClass": "g"} | attributes))


def test_native_covers_every_field_and_attribute() -> None:
    made = native()
    assert {name for name in GROUP if made.mapped(name).sources} == set(GROUP) - {"member_of"}
    assert {name for name in PERSON if made.mapped(name, group=False).sources} == set(PERSON) - {"member_of"}
    attributes = set(made.attributes())
    in_schema = {word.strip("'").lower() for word in SCHEMA.read_text().split() if word.startswith("'dg")}
    assert in_schema <= attributes
    assert {"entryuuid", "objectclass", "member", "memberurl", "pwdaccountlockedtime"} <= attributes


def test_native_asks_for_groups_and_people() -> None:
    made = native()
    assert made.name == "native"
    assert made.filter().startswith("(|(objectClass=distributiongroup)")
    assert "(mail=*)" in made.filter()
    assert made.uuid_attribute == "entryuuid"


def test_what_an_entry_is() -> None:
    made = native()
    assert read(made, group("team")).group
    assert not read(made, person("anna")).group
    assert made.read(entry("u", "ou=x", objectClass="organizationalUnit")) is None
    assert read(made, entry("u", "cn=x", objectClass="GROUPOFNAMES", mail="x@y.example")).group


@pytest.mark.parametrize(
    ("attributes", "disabled"),
    [
        ({}, False),
        ({"pwdAccountLockedTime": "000001010000Z"}, True),
        ({"pwdAccountLockedTime": "20260101000000Z"}, False),
        ({"nsAccountLock": "true"}, True),
        ({"nsAccountLock": "FALSE", "pwdAccountLockedTime": "000001010000Z"}, True),
        ({"nsAccountLock": "what"}, True),
    ],
)
def test_locked_people(attributes: dict[str, str | list[str]], disabled: bool) -> None:
    assert read(native(), person("anna", "", **attributes)).fields["disabled"] is disabled


def test_other_attributes_may_hold_logins() -> None:
    anna = person("anna", userPrincipalName="anna@corp.example")
    content = yaml.safe_load(NATIVE.read_text("utf-8"))
    made = Profile.from_mapping(content, ("userPrincipalName", "mail"))
    assert read(native(), anna).texts("logins") == ("anna",)
    assert read(made, anna).texts("logins") == ("anna@corp.example", "anna@example.org")
    assert "userprincipalname" in made.attributes()
    assert made.fingerprint != native().fingerprint, "a mirror that was made with others is of no use"


def test_a_changed_profile_is_another_one() -> None:
    text = NATIVE.read_text()
    other = Profile.from_mapping(yaml.safe_load(text.replace("absent: closed", "absent: open")))
    assert other.fingerprint != native().fingerprint
    assert native().fingerprint == native().fingerprint
    assert read(other, group("team")).fields["join_policy"] == "open"


def test_bits_and_enumerations() -> None:
    made = profile(
        """{
        notify: {absent: always,
            from: {attribute: flags, mask: 6, values: {6: always, 2: internal, 0: never, 4: always}}},
        covers_nested: {from: {attribute: flags, mask: 1, values: {1: true, 0: false}}},
        join_policy: {from: {attribute: join, values: {0: closed, 1: open, 2: approval}}, absent: closed}}"""
    )
    fields = read(made, a_group(flags="3", join="2")).fields
    assert (fields["notify"], fields["covers_nested"], fields["join_policy"]) == (
        "internal",
        True,
        "approval",
    )
    fields = read(made, a_group(flags="4")).fields
    assert (fields["notify"], fields["covers_nested"], fields["join_policy"]) == ("always", False, "closed")
    record = read(made, a_group(flags="x", join="9"))
    assert [problem.attribute for problem in record.problems] == ["flags", "flags", "join"]
    assert record.fields["join_policy"] == "closed"


def test_booleans_in_other_spellings_inverted_and_combined() -> None:
    made = profile(
        """{
        enabled: {from: {attribute: status, values: {active: true}, otherwise: false}},
        require_authentication: {from: {attribute: public, invert: true}, absent: true},
        moderated: {combine: any, from: [one, two]}}"""
    )
    fields = read(made, a_group(status="Disabled", public="TRUE", one="FALSE", two="TRUE")).fields
    assert [fields[name] for name in ("enabled", "require_authentication", "moderated")] == [
        False,
        False,
        True,
    ]
    fields = read(made, a_group(status="ACTIVE")).fields
    assert [fields[name] for name in ("enabled", "require_authentication", "moderated")] == [
        True,
        True,
        False,
    ]


def test_units() -> None:
    made = profile("{max_size: {from: {attribute: delivContLength, unit: 1024}}}")
    assert read(made, a_group(delivContLength="10")).fields["max_size"] == 10240


def test_one_attribute_with_values_of_several_kinds() -> None:
    made = profile(
        """{
        allowed: {from: {attribute: may, take: dn}},
        member_urls: {from: {attribute: may, take: url}},
        allowed_addresses: {from: [
            {attribute: may, take: address, prefix: "mailto:"},
            {attribute: domains, template: "@{value}"}]}}"""
    )
    record = read(
        made, a_group(may=["cn=a,dc=x", "ldap:///dc=x??sub?(a=b)", "MAILTO:z@x.example"], domains="y.example")
    )
    assert record.names == {"allowed": ("cn=a,dc=x",)}
    assert record.fields["allowed_addresses"] == ("z@x.example", "@y.example")
    assert record.texts("member_urls") == ("ldap:///dc=x??sub?(a=b)",)


def test_several_attributes_into_one_field_and_prefixes() -> None:
    made = profile(
        "{owners: [managedBy, coManagedBy]}",
        """{addresses: [
                {attribute: proxy, prefix: "SMTP:", exact: true}, {attribute: proxy, prefix: "smtp:", exact: true}],
            logins: {from: {attribute: mail, template: "#{value}"}}}""",
    )
    record = read(made, a_group(managedBy="cn=a", coManagedBy=["cn=b", "cn=a"]))
    assert record.names["owners"] == ("cn=a", "cn=b")
    contact = read(
        made, entry("u", "cn=p", mail="m@x.example", proxy=["smtp:b@x.example", "SMTP:a@x.example"])
    )
    assert contact.texts("addresses") == ("a@x.example", "b@x.example")
    assert contact.texts("logins") == ("#m@x.example",)


def test_pseudo_values_name_the_group_itself_its_domain_or_another_field() -> None:
    made = profile(
        """{
        moderators: moderator,
        allowed: {from: {
            attribute: policy, values: {membersonly: "{dn}", moderatorsonly: "{moderators}"}, otherwise: null}},
        allowed_addresses: {from: {
            attribute: policy, values: {domain: "@{domain}", subdomain: "@.{domain}"}, otherwise: null}}}"""
    )
    mail: dict[str, str | list[str]] = {"mail": "g@Own.example", "moderator": ["cn=m", "cn=n"]}
    assert read(made, a_group(policy="membersonly", mail="g@own.example")).names["allowed"] == ("cn=g,dc=x",)
    assert read(made, a_group(policy="moderatorsonly", **mail)).names["allowed"] == ("cn=m", "cn=n")
    assert read(made, a_group(policy="domain", **mail)).fields["allowed_addresses"] == ("@own.example",)
    assert read(made, a_group(policy="subdomain", **mail)).fields["allowed_addresses"] == ("@.own.example",)
    public = read(made, a_group(policy="public", **mail))
    assert "allowed" not in public.names
    assert public.fields["allowed_addresses"] == ()


def test_a_right_that_cannot_be_read_opens_nothing() -> None:
    made = profile("{allowed: {from: {attribute: policy, values: {membersonly: '{dn}'}}}}")
    record = read(made, a_group(policy="something new"))
    assert record.names["allowed"] == ("cn=unparsable value",)
    assert len(record.problems) == 1


def test_a_filter_and_its_base_become_a_url() -> None:
    made = profile(
        """{member_urls: {from: {attribute: dynFilter, other: dynBase, template: "ldap:///{other}??sub?{value}"}}}"""
    )
    record = read(made, a_group(dynFilter="(cn=a?b%)", dynBase="ou=p q,dc=x"))
    assert record.texts("member_urls") == ("ldap:///ou=p q,dc=x??sub?(cn=a%3Fb%25)",)


def test_languages_from_options_and_from_prefixes() -> None:
    made = profile("{mail_tip: {from: {attribute: tip, template: 'lang:text'}}}")
    assert read(made, a_group(tip=["en:Hello: you", "FR:Bonjour"])).fields["mail_tip"] == {
        "en": "Hello: you",
        "fr": "Bonjour",
    }
    assert read(native(), group("t", dgMailTip_lang__fr="Salut")).fields["mail_tip"] == {"fr": "Salut"}


def test_reverse_membership_is_kept_with_the_member() -> None:
    made = profile("{}", "{addresses: mail, member_of: memberOf}")
    record = read(made, entry("u", person_dn("anna"), mail="a@x.example", memberOf=[group_dn("team")]))
    assert record.names == {"member_of": (group_dn("team"),)}


def test_values_that_are_no_text() -> None:
    record = read(
        native(), Entry("u", "cn=x", {"mail": (b"\xff@x.example",), "objectclass": (b"groupOfNames",)})
    )
    assert record.texts("address") == ()
    assert {str(problem.expected) for problem in record.problems} == {"no UTF-8"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[]", "profile: a mapping"),
        ("{profile: x, more: 1}", "more: unknown"),
        ("{profile: ''}", "profile: text"),
        ("{profile: x}", "person: a mapping"),
        ("{profile: x, person: {when: {}, fields: {}}}", r"person\.when: neither"),
        ("{profile: x, person: {when: {attributes: mail}, fields: {}}}", r"person\.when\.attributes: a list"),
        (
            "{profile: x, person: {when: {attributes: [1]}, fields: {}}}",
            r"person\.when\.attributes\[0\]: text",
        ),
        (
            "{profile: x, person: {when: {attributes: [m]}, fields: {nick: cn}}}",
            r"person\.fields\.nick: unknown",
        ),
    ],
)
def test_mistakes_name_their_path(text: str, path: str) -> None:
    with pytest.raises(ProfileError, match=f"^{path}"):
        Profile.from_mapping(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("{enabled: {from: x, absent: maybe}}", "enabled.absent"),
        ("{enabled: {from: x, combine: some}}", "enabled.combine"),
        ("{name: {from: [x, y], combine: any}}", "name.combine"),
        ("{enabled: {from: x, writable: 1}}", "enabled.writable"),
        ("{enabled: {form: x}}", "enabled.form: unknown"),
        ("{enabled: {from: {attribute: x, unit: 2}}}", "enabled.from[0].unit"),
        ("{max_size: {from: {attribute: x, unit: 0}}}", "max_size.from[0].unit"),
        ("{max_size: {from: {attribute: x, invert: true}}}", "max_size.from[0].invert"),
        ("{allowed: {from: {attribute: x, take: anything}}}", "allowed.from[0].take"),
        ("{allowed: {from: {attribute: x, values: []}}}", "allowed.from[0].values"),
        ("{allowed: {from: {attribute: x, values: {a: [b]}}}}", "allowed.from[0].values.a"),
        ("{allowed: {from: {take: dn}}}", "allowed.from[0].attribute"),
        ("{hold_hours: {from: x, absent: true}}", "hold_hours.absent"),
        ("{join_policy: {from: x, absent: never}}", "join_policy.absent"),
        ("{owners: {from: x, absent: me}}", "owners.absent"),
    ],
)
def test_mistakes_in_fields_name_their_path(field: str, path: str) -> None:
    with pytest.raises(ProfileError) as raised:
        profile(field)
    assert str(raised.value).startswith(f"group.fields.{path}")
