"""Exports of Exchange: what comes over, and that the rest is named."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.membership.draft import BadFile, Draft, Drafts
from groupmilter.membership.exchange import groups

ADDRESS = "compta@masociete.example"


def export(**cells: str) -> Drafts:
    """An export of one group."""
    text = io.StringIO(newline="")
    content = {"PrimarySmtpAddress": ADDRESS} | cells
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([list(content), list(content.values())])
    return groups(text.getvalue())


def one(**cells: str) -> Draft:
    [draft] = export(**cells).drafts
    return draft


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("DisplayName", "Comptabilité", "name", "Comptabilité"),
        ("MemberJoinRestriction", "ApprovalRequired", "join_policy", "approval"),
        ("MemberDepartRestriction", "Open", "leave_policy", "open"),
        ("RequireSenderAuthenticationEnabled", "False", "require_authentication", "no"),
        ("requiresenderauthenticationenabled", "True", "require_authentication", "yes"),
        ("ModerationEnabled", "True", "moderated", "yes"),
        ("ModerationEnabled", "VRAI", "moderated", "yes"),
        ("RequireSenderAuthenticationEnabled", "FAUX", "require_authentication", "no"),
        ("BypassNestedModerationEnabled", "True", "covers_nested", "yes"),
        ("SendModerationNotifications", "Internal", "notify", "internal"),
        ("HiddenFromAddressListsEnabled", "True", "hidden", "yes"),
        ("SendOofMessageToOriginatorEnabled", "True", "auto_replies", "yes"),
        ("MaxReceiveSize", "10 MB (10,485,760 bytes)", "max_size", "10485760"),
        ("MaxReceiveSize", "10 Mo (10\u202f485\u202f760 octets)", "max_size", "10485760"),
        (
            "MailTip",
            "<html>\n<body>\nMerci d&#39;attendre\n</body>\n</html>\n",
            "mail_tip",
            "Merci d'attendre",
        ),
        ("MailTipTranslations", "FR:Bonjour, à tous;EN-GB:Hello", "mail_tip.en-gb", "Hello"),
        ("MailTipTranslations", "FR:Bonjour, à tous;EN-GB:Hello", "mail_tip.fr", "Bonjour, à tous"),
        ("Notes", "Les comptes, et rien d'autre", "description", "Les comptes, et rien d'autre"),
        ("Description", "{Comptes}", "description", "Comptes"),
        ("Notes", "Les comptes\r\nde la société", "description", "Les comptes\nde la société"),
        ("ReportToManagerEnabled", "True", "bounces_to", "owner"),
        ("ReportToManagerEnabled", "VRAI", "bounces_to", "owner"),
        ("ReportToOriginatorEnabled", "True", "bounces_to", "sender"),
        ("ReportToOriginatorEnabled", "False", "bounces_to", "nobody"),
    ],
)
def test_single_values(column: str, cell: str, field: str, value: str) -> None:
    draft = one(**{column: cell})
    assert draft.singles[field] == value
    assert draft.unmapped == ()


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("a@x.example;b@x.example", ("a@x.example", "b@x.example")),
        ("a@x.example, b@x.example", ("a@x.example", "b@x.example")),
        ("x.example/Staff/Dupont, Jean", ("x.example/Staff/Dupont, Jean",)),
        ("x.example/Staff/Dupont, Jean;x.example/B", ("x.example/Staff/Dupont, Jean", "x.example/B")),
        ("{a@x.example}", ("a@x.example",)),
        ("", ()),
    ],
)
def test_lists(cell: str, values: tuple[str, ...]) -> None:
    assert one(ManagedBy=cell).lists["owners"] == values


def test_lists_that_exchange_keeps_apart_come_together() -> None:
    draft = one(AcceptMessagesOnlyFrom="a@x.example", AcceptMessagesOnlyFromDLMembers="b@x.example")
    assert draft.lists["allowed"] == ("a@x.example", "b@x.example")


def test_addresses() -> None:
    draft = one(EmailAddresses=f"SMTP:{ADDRESS} smtp:info@x.example;X400:C=FR;sip:x@x.example")
    assert draft.lists["aliases"] == ("info@x.example",)
    assert [each.what for each in draft.unmapped] == [
        "EmailAddresses X400:C=FR",
        "EmailAddresses sip:x@x.example",
    ]


@pytest.mark.parametrize("between", [" ", ";", ", ", "\n"])
def test_addresses_of_other_systems_are_named_whole(between: str) -> None:
    old = "X500:/o=ExchangeLabs/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=0f-Compta"
    older = "X400:C=FR;A= ;P=MaSociete;O=Exchange;S=Compta;"
    cell = between.join((old, f"SMTP:{ADDRESS}", older, "smtp:info@x.example"))
    draft = one(EmailAddresses=f"{{{cell}}}")
    assert draft.lists["aliases"] == ("info@x.example",)
    assert [each.what for each in draft.unmapped] == [
        f"EmailAddresses {old}",
        f"EmailAddresses {older.rstrip(';')}",
    ]


def test_two_descriptions_are_not_one() -> None:
    draft = one(Description="{Accounts}", Notes="All that counts")
    assert draft.singles["description"] == "Accounts"
    assert [each.what for each in draft.unmapped] == ["Notes All that counts"]
    assert one(Description="", Notes="Accounts").singles["description"] == "Accounts"
    assert one(Description="", Notes="").singles["description"] == ""
    assert "description" not in one().singles
    assert one(Description="System.String[]").unmapped[0].what == "Description"


@pytest.mark.parametrize(
    "cell",
    [
        "System.Collections.ArrayList",
        "System.String[]",
        "Microsoft.Exchange.Data.ProxyAddressCollection",
        "Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]",
        "Microsoft.Exchange.Data.Directory.ADMultiValuedProperty`1[Microsoft.Exchange.Data.Directory.ADObjectId]",
    ],
)
@pytest.mark.parametrize("column", ["ManagedBy", "EmailAddresses", "RejectMessagesFrom"])
def test_a_list_that_the_file_does_not_hold_is_named(column: str, cell: str) -> None:
    draft = one(**{column: cell})
    assert [(each.group, each.what) for each in draft.unmapped] == [(ADDRESS, column)]
    assert "-join" in draft.unmapped[0].why
    assert draft.lists == {}


def test_what_can_not_be_read_is_named() -> None:
    draft = one(
        MemberJoinRestriction="Perhaps", MaxReceiveSize="much", MailTipTranslations="no language",
        ReportToManagerEnabled="True", ReportToOriginatorEnabled="True",
    )  # fmt: skip
    assert [each.what.partition(" ")[0] for each in draft.unmapped] == [
        "MemberJoinRestriction", "MaxReceiveSize", "MailTipTranslations", "ReportToOriginatorEnabled",
    ]  # fmt: skip


def test_columns_without_counterpart_are_named_once_and_only_if_they_say_something() -> None:
    found = export(
        CustomAttribute1="site-a", CustomAttribute2="", Guid="x", WhenChanged="y", SomeFlag="False"
    )
    assert [each.what for each in found.unmapped] == ["column CustomAttribute1", "columns Guid, WhenChanged"]


def test_a_group_without_address_is_named() -> None:
    text = "PrimarySmtpAddress,DisplayName\n,Lost\nWindowsEmail,x\n"
    first = groups(text).drafts[0]
    assert (first.address, first.unmapped[0].group) == ("", "row 2")


def test_another_table_is_refused() -> None:
    with pytest.raises(BadFile, match="PrimarySmtpAddress"):
        groups("a,b\n1,2\n")


@given(
    st.dictionaries(
        st.sampled_from(["MailTip", "MaxReceiveSize", "ManagedBy", "EmailAddresses", "X"]), st.text()
    )
)
def test_any_cells_are_read(cells: dict[str, str]) -> None:
    assert len(export(**cells).drafts) == 1
