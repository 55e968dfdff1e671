"""The kinds of values that policy files take, each with the sentence for a bad one."""

from __future__ import annotations

import re
from datetime import time
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator

from groupmilter.config.fields import Line, Listing
from groupmilter.mail.address import strict
from groupmilter.policy.facts import Strength
from groupmilter.policy.replies import STATUS
from groupmilter.policy.rules import RULES

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_RULE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_FIELD_NAME = re.compile(r"[!-9;-~]{1,70}")
# A second one would change the author, the text or a proof, or be taken for a trace of ours.
_OTHERS_FIELDS = frozenset(
    {
        "authentication-results", "bcc", "cc", "date", "delivered-to", "dkim-signature", "domainkey-signature",
        "from", "in-reply-to", "message-id", "mime-version", "received", "received-spf", "references", "reply-to",
        "return-path", "sender", "subject", "to", "x-groupmilter-loop", "x-original-to",
    }
)  # fmt: skip
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_ENHANCED = re.compile(r"5\.[0-9]{1,3}\.[0-9]{1,3}")


class SenderClass(StrEnum):
    """What the sender is to the organisation or the group."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    MEMBER = "member"
    OWNER = "owner"
    MODERATOR = "moderator"


def _sender_class(value: object) -> SenderClass:
    if value == "first-time":
        raise ValueError("first-time is not yet available in this version")
    if not isinstance(value, str) or value not in set(SenderClass):
        raise ValueError(f"wants {', '.join(SenderClass)}")
    return SenderClass(value)


def _strength(value: object) -> Strength:
    found = [strength for strength in Strength if str(strength) == value]
    if not found:
        raise ValueError(f"wants {', '.join(str(strength) for strength in reversed(Strength))}")
    return found[0]


def _days(value: object) -> tuple[int, ...]:
    """Read ``mon`` or ``mon-fri``; a span may run over Sunday."""
    first, dash, last = value.partition("-") if isinstance(value, str) else ("", "", "")
    if first not in DAYS or (dash and last not in DAYS):
        raise ValueError(f"wants {', '.join(DAYS)} or a span such as mon-fri")
    start = DAYS.index(first)
    length = (DAYS.index(last) - start) % 7 if dash else 0
    return tuple((start + step) % 7 for step in range(length + 1))


def _clock(value: object) -> time:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("wants a time of day such as 08:30")
    return time(int(found[1]), int(found[2]))


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(value if isinstance(value, str) else "")
    except (ValueError, OSError, LookupError) as error:
        raise ValueError("wants a time zone that this system knows, such as Europe/Paris") from error


def _rule_name(name: str) -> str:
    if not _RULE_NAME.fullmatch(name) or name in RULES:
        raise ValueError("wants lower-case letters, digits and hyphens, and no name of the chain's own rules")
    return name


def _field_name(name: str) -> str:
    if not _FIELD_NAME.fullmatch(name):
        raise ValueError("wants the name of a header field, without colon")
    return name


def _tag_name(name: str) -> str:
    lower = name.lower()
    if lower in _OTHERS_FIELDS or lower.startswith(("arc-", "content-", "resent-")):
        raise ValueError(
            f"wants the name of a field of your own: {name} is the sender's or another program's"
        )
    return name


def _chain_name(name: str) -> str:
    if name not in RULES:
        raise ValueError(f"no such rule; the chain knows {', '.join(RULES)}")
    return name


def _situation(name: str) -> str:
    if name not in STATUS:
        raise ValueError(f"no such situation; known are {', '.join(STATUS)}")
    return name


def _language(name: str) -> str:
    if not _LANGUAGE.fullmatch(name):
        raise ValueError("wants a language such as en or fr")
    return name


def _wording(text: str) -> str:
    if set(text.replace("{group}", "").replace("{contact}", "").replace("{owner}", "")) & {"{", "}"}:
        raise ValueError("only {group}, {contact} and {owner} are filled in; no other braces")
    return text


def _contact(text: str) -> str:
    if set(text.replace("{domain}", "")) & {"{", "}"}:
        raise ValueError("only {domain} is filled in; no other braces")
    return text


def _address(text: str) -> str:
    whole = strict(text)
    if whole is None:
        raise ValueError("wants a mail address")
    return whole


def _refusal(value: int) -> int:
    if not 500 <= value <= 559:
        raise ValueError("a refusal is 5xx; 4xx only ever means that nobody can tell")
    return value


def _enhanced(value: str) -> str:
    if not _ENHANCED.fullmatch(value):
        raise ValueError("wants an enhanced code such as 5.7.1")
    return value


Situation = Annotated[str, AfterValidator(_situation)]
Language = Annotated[str, AfterValidator(_language)]
Wording = Annotated[Line, AfterValidator(_wording)]
Texts = dict[Language, Wording]


Days = Annotated[tuple[Annotated[tuple[int, ...], BeforeValidator(_days)], ...], Listing]
Clock = Annotated[time, BeforeValidator(_clock)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
SenderClasses = Annotated[tuple[Annotated[SenderClass, BeforeValidator(_sender_class)], ...], Listing]
Strengths = Annotated[tuple[Annotated[Strength, BeforeValidator(_strength)], ...], Listing]
FieldName = Annotated[str, AfterValidator(_field_name)]
TagName = Annotated[FieldName, AfterValidator(_tag_name)]
RuleName = Annotated[str, AfterValidator(_rule_name)]
Chain = Annotated[tuple[Annotated[str, AfterValidator(_chain_name)], ...], Listing]
Contact = Annotated[Line, AfterValidator(_contact)]
Addresses = Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], Listing]
RefusalCode = Annotated[int, AfterValidator(_refusal)]
EnhancedCode = Annotated[str, AfterValidator(_enhanced)]
