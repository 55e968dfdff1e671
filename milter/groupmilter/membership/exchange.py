"""Distribution groups as Exchange exports them: ``Get-DistributionGroup | Export-Csv``. Pure.

A column that has no counterpart here is named with the number of groups that have something in it; a list of which
the file holds only the type's name (what Export-Csv makes of lists) is named for each group. `BadFile` where the table
isn't one of groups.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from groupmilter.language.catalogue import marked
from groupmilter.membership.draft import (
    COLUMN,
    NO_ADDRESS,
    WORDS,
    BadFile,
    Draft,
    Drafts,
    Unmapped,
    unmapped,
)
from groupmilter.membership.table import rows

_COLUMNS = marked("columns {names}")
_GROUP = marked("the group")
_FOREIGN = marked("no counterpart here; groups that have something there: {count}")
_ITS_OWN = marked("Exchange's own, without meaning here")
_UNADDRESSED = marked("it has no address")
_EXPECTED = marked("one of these is expected: {expected}")
_TYPE_ONLY = marked("the file has the list's type in place of the list; export it with {how}")
_HOW = "-join ';'"
_ONE_DESCRIPTION = marked("a group has one description; the other column has another")
_NO_SIZE = marked("no size")
_NO_LANGUAGE = marked("no language before it")
_ONE_SIDE = marked("reports go to one side here: the owners, as to the manager")
ADDRESS = ("PrimarySmtpAddress", "WindowsEmailAddress")
"""Columns of an export with a group's address."""
_JOINING = {"open": "open", "closed": "closed", "approvalrequired": "approval"}
# A spreadsheet in French that has saved the file again writes VRAI and FAUX.
_YES_NO = {"true": "yes", "false": "no", "vrai": "yes", "faux": "no"}
_NOTIFY = {"always": "always", "internal": "internal", "never": "never"}
_SINGLES: Mapping[str, tuple[str, Mapping[str, str] | None]] = {
    "DisplayName": ("name", None),
    "MemberJoinRestriction": ("join_policy", _JOINING),
    "MemberDepartRestriction": ("leave_policy", _JOINING),
    "RequireSenderAuthenticationEnabled": ("require_authentication", _YES_NO),
    "ModerationEnabled": ("moderated", _YES_NO),
    "BypassNestedModerationEnabled": ("covers_nested", _YES_NO),
    "SendModerationNotifications": ("notify", _NOTIFY),
    "SendOofMessageToOriginatorEnabled": ("auto_replies", _YES_NO),
    "HiddenFromAddressListsEnabled": ("hidden", _YES_NO),
    "HiddenGroupMembershipEnabled": ("hidden_members", _YES_NO),
}
_LISTS = {
    "ManagedBy": "owners",
    "Members": "members",
    "AcceptMessagesOnlyFrom": "allowed",
    "AcceptMessagesOnlyFromDLMembers": "allowed",
    "AcceptMessagesOnlyFromSendersOrMembers": "allowed",
    "RejectMessagesFrom": "denied",
    "RejectMessagesFromDLMembers": "denied",
    "RejectMessagesFromSendersOrMembers": "denied",
    "ModeratedBy": "moderators",
    "BypassModerationFrom": "bypass",
    "BypassModerationFromDLMembers": "bypass",
    "BypassModerationFromSendersOrMembers": "bypass",
    "GrantSendOnBehalfTo": "on_behalf",
}
_DESCRIPTION = ("Description", "Notes")
"""Where what a group is for is written: of recent versions, and of Get-Group."""
_OTHERS = (*_DESCRIPTION, "EmailAddresses", "MaxReceiveSize", "MailTip", "MailTipTranslations", "Name")
_REPORTS = ("ReportToManagerEnabled", "ReportToOriginatorEnabled")
# Exchange's own book-keeping: what it says has no meaning outside of that server.
_OWN = (
    "Identity", "Id", "Guid", "ExchangeGuid", "ExchangeObjectId", "ExternalDirectoryObjectId",
    "DistinguishedName", "SamAccountName", "Alias", "LegacyExchangeDN", "ObjectCategory", "ObjectClass",
    "ObjectState", "WhenChanged", "WhenCreated", "WhenChangedUTC", "WhenCreatedUTC", "OrganizationId",
    "OrganizationalUnit", "OriginatingServer", "IsValid", "ExchangeVersion", "PSComputerName",
    "RunspaceId", "PSShowComputerInformation", "PSShowComputerName", "PoliciesIncluded",
    "PoliciesExcluded", "EmailAddressPolicyEnabled", "LastExchangeChangedTime", "AddressListMembership",
    "RecipientType", "RecipientTypeDetails", "GroupType", "IsDirSynced", "AdminDisplayName",
    "ArbitrationMailbox", "ExpansionServer", "SimpleDisplayName", "MaxSendSize", "OrganizationalUnitRoot",
    "HasActiveDirectoryMembership", "MigrationToUnifiedGroupInProgress",
)  # fmt: skip
_LOST_LIST = re.compile(r"(?:System|Microsoft)\.[\w.]+(?:\[\]|`\d.*|Collection\w*|List)?")
_OCTETS = re.compile(r"\(([\d.,\s\u00a0\u202f]+)")
_ONE_ADDRESS = re.compile(r"[;,|\s]+(?=[A-Za-z0-9-]+:|[^\s;,|=/]+@)")
_TAGS = re.compile(r"<[^>]*>")


@dataclass(slots=True)
class _Reading:
    """One row on its way to a draft."""

    address: str
    singles: dict[str, str] = field(default_factory=dict)
    lists: dict[str, dict[str, None]] = field(default_factory=dict)
    unmapped: list[Unmapped] = field(default_factory=list)

    def lose(self, words: str, why: str, **values: object) -> None:
        """Keep in mind what is not carried over: column and value, and a sentence why."""
        self.unmapped.append(unmapped(self.address, WORDS, why, words=words, **values))


def groups(text: str) -> Drafts:
    """Return the groups of an export."""
    read = rows(text)
    columns = dict.fromkeys(name for row in read for name in row)
    known = {name.lower(): name for name in (*ADDRESS, *_SINGLES, *_LISTS, *_OTHERS, *_REPORTS)}
    if not any(name.lower() in {each.lower() for each in ADDRESS} for name in columns):
        raise BadFile(
            marked("no column {name}: is this an export of Get-DistributionGroup?"), name=ADDRESS[0]
        )
    straight = [{known.get(name.lower(), name): _plain(cell) for name, cell in row.items()} for row in read]
    drafts = tuple(_draft(number, row) for number, row in enumerate(straight, 2))
    foreign = [name for name in columns if name.lower() not in known]
    return Drafts(drafts, tuple(_foreign(foreign, straight)))


def _foreign(names: list[str], read: list[dict[str, str]]) -> Iterator[Unmapped]:
    """Yield what stands in columns that nobody here knows; Exchange's own book-keeping in one line."""
    own = {name.lower() for name in _OWN}
    filled = Counter(name for row in read for name in names if _says_something(row.get(name, "")))
    others = [name for name in filled if name.lower() not in own]
    for name in others:
        yield unmapped("", COLUMN, _FOREIGN, name=name, count=filled[name])
    kept = [name for name in filled if name.lower() in own]
    if kept:
        yield unmapped("", _COLUMNS, _ITS_OWN, names=", ".join(kept))


def _says_something(cell: str) -> bool:
    return bool(cell) and _YES_NO.get(cell.lower()) != "no" and not _LOST_LIST.fullmatch(cell)


def _draft(number: int, row: Mapping[str, str]) -> Draft:
    address = next((row[name] for name in ADDRESS if row.get(name)), "")
    found = _Reading(address or f"row {number}")
    if not address:
        found.unmapped.append(unmapped(found.address, _GROUP, _UNADDRESSED))
    for name, (target, words) in _SINGLES.items():
        cell = row.get(name, "")
        if name in row and words is not None and cell and cell.lower() not in words:
            found.lose(f"{name} {cell}", _EXPECTED, expected=", ".join(words))
        elif name in row and cell:
            found.singles[target] = cell if words is None else words[cell.lower()]
    for name, target in _LISTS.items():
        if name in row:
            _list(found, name, target, row[name])
    _addresses(found, row)
    _description(found, row)
    _size(found, row.get("MaxReceiveSize", ""))
    _tips(found, row)
    _reports(found, row)
    lists = {name: tuple(values) for name, values in found.lists.items()}
    return Draft(address, row.get("Name", ""), found.singles, lists, tuple(found.unmapped))


def _list(found: _Reading, name: str, target: str, cell: str) -> None:
    if _LOST_LIST.fullmatch(cell):
        found.lose(name, _TYPE_ONLY, how=_HOW)
        return
    found.lists.setdefault(target, {}).update(dict.fromkeys(_parted(cell)))


def _parted(cell: str) -> list[str]:
    """Return the values of a list: parted by semicolon, bar or line, or by comma where each part is an address."""
    text = cell.strip().removeprefix("{").removesuffix("}")
    parts = re.split(r"[;|\n]", text)
    by_comma = text.split(",")
    if len(parts) == 1 and all("@" in part for part in by_comma):
        parts = by_comma
    return [part.strip() for part in parts if part.strip()]


def _addresses(found: _Reading, row: Mapping[str, str]) -> None:
    cell = row.get("EmailAddresses", "")
    if _LOST_LIST.fullmatch(cell):
        found.lose("EmailAddresses", _TYPE_ONLY, how=_HOW)
        return
    # What isn't SMTP has blanks and semicolons of its own: X500:/o=Org/ou=Exchange Administrative Group/cn=…
    for value in map(_trimmed, _ONE_ADDRESS.split(cell.strip("{}"))):
        kind, colon, address = value.partition(":")
        if colon and kind.lower() != "smtp":
            found.lose(f"EmailAddresses {value}", NO_ADDRESS)
        elif value and (address or value).lower() != found.address.lower():
            found.lists.setdefault("aliases", {})[address or value] = None


def _description(found: _Reading, row: Mapping[str, str]) -> None:
    """Keep what the group is for; a list that holds one text stands in braces."""
    for name in filter(row.__contains__, _DESCRIPTION):
        text = row[name].strip().removeprefix("{").removesuffix("}")
        if _LOST_LIST.fullmatch(text):
            found.lose(name, _TYPE_ONLY, how=_HOW)
            continue
        known = found.singles.get("description", "")
        if text and known and text != known:
            found.lose(f"{name} {text}", _ONE_DESCRIPTION)
        found.singles["description"] = known or text


def _plain(cell: str) -> str:
    """Return a cell without spaces around it, its lines ended as ours are and not as Windows ends them."""
    return cell.strip().replace("\r\n", "\n")


def _trimmed(value: str) -> str:
    return value.strip(" ;,|\r\n\t")


def _size(found: _Reading, cell: str) -> None:
    octets = _OCTETS.search(cell)
    digits = re.sub(r"\D", "", octets[1]) if octets else cell if cell.isdigit() else ""
    if digits:
        found.singles["max_size"] = digits
    elif cell and cell.lower() != "unlimited":
        found.lose(f"MaxReceiveSize {cell}", _NO_SIZE)


def _tips(found: _Reading, row: Mapping[str, str]) -> None:
    tips = {"": row.get("MailTip", "")}
    cell = row.get("MailTipTranslations", "")
    if cell and not _LOST_LIST.fullmatch(cell):
        for value in re.split(r"[;|\n]|,(?=[A-Za-z]{2}(?:-[A-Za-z]+)?:)", cell.strip("{}")):
            language, colon, text = value.strip().partition(":")
            if colon and language.lower() != "default":
                tips[f".{language.strip().lower()}"] = text
            elif value.strip() and not colon:
                found.lose(f"MailTipTranslations {value.strip()}", _NO_LANGUAGE)
    for language, text in tips.items():
        plain = html.unescape(_TAGS.sub("", text)).strip()
        if plain and not _LOST_LIST.fullmatch(plain):
            found.singles[f"mail_tip{language}"] = plain


def _reports(found: _Reading, row: Mapping[str, str]) -> None:
    if not any(row.get(name) for name in _REPORTS):
        return
    manager, sender = (_YES_NO.get(row.get(name, "").lower()) == "yes" for name in _REPORTS)
    if manager and sender:
        found.lose("ReportToOriginatorEnabled", _ONE_SIDE)
    found.singles["bounces_to"] = "owner" if manager else "sender" if sender else "nobody"
