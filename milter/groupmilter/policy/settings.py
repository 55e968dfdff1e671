"""What an organisation sets: the chain of rules, bounds, reply texts, rules of its own. Frozen values.

`config.policies` reads them from ``policies/*.yaml`` and reports bad input with its place; here is only what they
are once they are good. Durations are seconds, sizes octets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from groupmilter.mail.reply import Reply

if TYPE_CHECKING:
    from groupmilter.policy.conditions import Condition

CHAIN = (
    "disabled",
    "automatic",
    "loop",
    "denied",
    "authentication",
    "allowed",
    "send-as",
    "size",
    "storm",
    "site-rules",
    "replay",
    "moderation",
)


RELEASE_HEADROOM = 1_048_576
"""Octets that the listener for released mail takes beyond the MTA's ``message_size_limit``: a message that it has
taken once is never too large for it the second time, with a Received line more."""


LOCAL_DAEMON_NAME = "groupmilter-local"
"""How the milter knows the listener to which Sendmail's own programs submit (`groupmilter sendmail`): what comes there
from loopback is local submission, as what comes without SMTP is with Postfix."""


class ReplyCodes(StrEnum):
    """Which set of codes refusals bear."""

    RFC3463 = "rfc3463"
    EXCHANGE = "exchange"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where an expansion stops: levels of nesting, members in all, octets of the MTA's ``message_size_limit``.

    :param in_place: members up to which a group is expanded in the very transaction; beyond, the desk sends batches.
    """

    depth: int = 50
    members: int = 200_000
    message_size_limit: int = 10_240_000
    in_place: int = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``messages`` in any window of ``seconds``; zero messages switches it off."""

    messages: int
    seconds: int


@dataclass(frozen=True, slots=True)
class StormGuard:
    """When a group takes no more for a while: any mail, or answers to it (a reply-all storm)."""

    rate: Rate = Rate(120, 600)
    replies: Rate = Rate(30, 600)


class Expiry(StrEnum):
    """What becomes of a held message that nobody has decided about in time."""

    REJECT = "reject"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Moderation:
    """How held mail is looked after.

    :param keep_days: how long decided items stay in their folders; what the ledger says of them stays for ever.
    :param group_quota, quota: messages that may wait for one group, and in all; beyond it 452 4.2.2.
    :param reminder_hours: how long before its expiry moderators are reminded of an item; 0 for never.
    :param claim_hours: how long somebody is said to deal with an item, unless he gives it back.
    :param letters_per_hour: letters to one moderator; beyond it one summary for the rest.
    :param links: whether requests contain links that decide without a log-in.
    :param tell_held: whether a proven sender learns that his message waits.
    :param largest_attachment: octets up to which the original comes with a request.
    """

    keep_days: int = 30
    group_quota: int = 1_000
    quota: int = 20_000
    expiry: Expiry = Expiry.REJECT
    reminder_hours: int = 24
    claim_hours: int = 4
    letters_per_hour: int = 20
    links: bool = True
    tell_held: bool = False
    largest_attachment: int = 256_000


@dataclass(frozen=True, slots=True)
class Replay:
    """What becomes of a message that comes to the same group again from somebody who isn't authenticated.

    :param window: seconds for which a message is remembered.
    :param then: ``hold``, ``refuse`` (held all the same where its sender may only have tried again) or ``accept``.
    """

    window: int = 7 * 86_400
    then: str = "hold"


@dataclass(frozen=True, slots=True)
class Bounces:
    """What follows from reports that a member's mail failed.

    :param suspend: whether an outside address whose mail goes on failing gets no group mail any more.
    :param suspend_after: days on which a message was sent that failed, within ``window`` seconds.
    :param retry: seconds after which a suspended address is tried again; 0 for never.
    :param outside_reports: whether reports that another server wrote count, beside those of our own.
    :param summary: whether owners get a weekly letter.
    """

    suspend: bool = True
    suspend_after: int = 5
    window: int = 14 * 86_400
    retry: int = 30 * 86_400
    outside_reports: bool = True
    summary: bool = True


@dataclass(frozen=True, slots=True)
class Requests:
    """How requests to be in a group, or out of it, are looked after.

    :param hours: how long owners have to decide. ``reminder_hours``: how long before the end they are reminded; 0 for
        never.
    :param confirm_hours: how long somebody has to confirm that he was it who wrote.
    :param confirmations_per_hour: letters to one address, at most, that ask for this.
    """

    hours: int = 14 * 24
    reminder_hours: int = 72
    confirm_hours: int = 48
    confirmations_per_hour: int = 3


@dataclass(frozen=True, slots=True)
class ReplyTexts:
    """Reply texts by situation and language, and whom to ask.

    ``{group}`` and ``{contact}`` are filled in; ``{domain}`` is the group's domain.
    """

    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    language: str = "en"
    contact: str = "postmaster@{domain}"


@dataclass(frozen=True, slots=True)
class TextsFor:
    """Other language, contact or texts for the groups whose address matches one of the globs."""

    groups: tuple[str, ...]
    texts: ReplyTexts


@dataclass(frozen=True, slots=True)
class RefuseThen:
    """A site rule's refusal; ``texts`` by language replace the reply's own."""

    reply: Reply
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HoldThen:
    """A site rule's hold, by other moderators, hours or quorum than the group's where set."""

    moderators: tuple[str, ...] = ()
    hours: int | None = None
    approvals: int | None = None


@dataclass(frozen=True, slots=True)
class AcceptThen:
    """Skip the remaining site rules."""


@dataclass(frozen=True, slots=True)
class TagThen:
    """Add a header field and go on; where a signature forbids it only with ``over_signature``, which breaks that."""

    name: str
    value: str
    over_signature: bool = False


@dataclass(frozen=True, slots=True)
class RateLimitThen:
    """Let at most so many through, counted per group or per sender and group; past it hold, refuse or defer."""

    rate: Rate
    per_sender: bool = False
    past: str = "defer"


Then = RefuseThen | HoldThen | AcceptThen | TagThen | RateLimitThen


@dataclass(frozen=True, slots=True)
class SiteRule:
    """One rule of a site's own: for groups matching a glob, when all conditions hold, then.

    :param file: and ``line``: where it stands, for explanations.
    :param policy: name of the policy file it came with; empty for those that concern all groups.
    """

    name: str
    groups: tuple[str, ...]
    when: tuple[Condition, ...]
    then: Then
    policy: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a decision needs beside the facts.

    :param own_domains: canonical domains of the organisation.
    :param service_domain: where tickets are addressed; never a group's domain.
    :param max_size, hold_hours: for groups that don't say.
    :param sender_gets_copy: whether a member who writes gets a copy.
    :param conceal_groups: outsiders get one answer for "unknown" and "not permitted".
    :param dmarc_is_internal: an aligned DKIM signature proves a person, not only an address.
    :param group_policies: names of the policy files that a group's ``dgPolicy`` may name.
    """

    own_domains: frozenset[str] = frozenset()
    service_domain: str = ""
    recipient_delimiter: str = "+"
    chain: tuple[str, ...] = CHAIN
    rules: tuple[SiteRule, ...] = ()
    bounds: Bounds = Bounds()
    storm: StormGuard = StormGuard()
    texts: ReplyTexts = ReplyTexts()
    texts_for: tuple[TextsFor, ...] = ()
    reply_codes: ReplyCodes = ReplyCodes.RFC3463
    max_size: int | None = None
    hold_hours: int = 72
    moderation: Moderation = Moderation()
    bounces: Bounces = Bounces()
    requests: Requests = Requests()
    replay: Replay = Replay()
    conceal_groups: bool = False
    dmarc_is_internal: bool = False
    list_headers: bool = True
    sender_gets_copy: bool = True
    group_policies: frozenset[str] = frozenset()
