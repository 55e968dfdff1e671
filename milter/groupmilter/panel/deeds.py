"""What the journal's short words say to people: what was done, by whom, which letter. Pure.

A word that isn't known here is shown as it stands: the journal is never silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup

from groupmilter.language.catalogue import marked
from groupmilter.mail.shown import shown
from groupmilter.moderation.item import Item, Way
from groupmilter.moderation.rows import AuditRow
from groupmilter.moderation.wording import proof, sound, way_in_words
from groupmilter.panel.labels import label, typed_label

Say = Callable[..., Markup]

ACTIONS: Mapping[str, str] = {
    "record": marked("Message held"),
    "approve": marked("Message approved"),
    "agree": marked("Approval counted"),
    "claim": marked("Somebody deals with the message"),
    "give-back": marked("Message given back"),
    "claim-end": marked("Claim on a message ended"),
    "reject": marked("Message rejected"),
    "expire": marked("Message expired"),
    "release": marked("Message delivered to the group"),
    "release-again": marked("Delivery tried again"),
    "report": marked("Sender told of a refusal"),
    "shunt": marked("Message put aside"),
    "reopen": marked("Message held again"),
    "rebuild": marked("Message recorded again"),
    "decided-before": marked("Decision came too late"),
    "answer-ignored": marked("Answer by mail ignored"),
    "allow-sender": marked("Sender always allowed"),
    "block-sender": marked("Sender always blocked"),
    "request-sent": marked("Decision asked for by mail"),
    "reminder-sent": marked("Reminder sent"),
    "left-out": marked("Left out: a nested group refused the message"),
    "letter-refused": marked("Letter refused by the mail server"),
    "letter-returned": marked("Letter came back"),
    "confirmation-sent": marked("Address asked to confirm"),
    "suspend": marked("Delivery to an address suspended"),
    "resume": marked("Delivery to an address resumed"),
    "try-again": marked("Delivery to an address tried again"),
    "token-forged": marked("Invalid link or address used"),
    "token-expired": marked("Expired link or address used"),
    "token-gone": marked("Link to a message that is gone used"),
    "token-foreign": marked("Link of somebody who may not decide used"),
    "token-nowhere": marked("Approved, but there is no group any more"),
    "group-create": marked("Group created"),
    "group-edit": marked("Group changed"),
    "group-delete": marked("Group deleted"),
    "group-undo": marked("Change undone"),
    "log-in": marked("Logged in"),
    "log-in-failed": marked("Log-in failed"),
    "log-out": marked("Logged out"),
    "log-out-everywhere": marked("Logged out everywhere"),
    "session-end": marked("Log-in ended by itself"),
    "access-token-create": marked("Access token made"),
    "access-token-revoke": marked("Access token revoked"),
    "access-token-end": marked("Access token ended"),
    "request-join": marked("Asked to join"),
    "request-leave": marked("Asked to leave"),
    "request-ask": marked("Request put to the owners"),
    "request-accept": marked("Request accepted"),
    "request-reject": marked("Request rejected"),
    "request-withdraw": marked("Request withdrawn"),
    "request-expire": marked("Request expired"),
    "request-refuse": marked("Request refused by the group's rules"),
    "request-finish": marked("Request carried out"),
    "request-fail": marked("Request couldn't be carried out"),
    "confirmation-withheld": marked("Confirmation not asked for: too many in an hour"),
    "contact-create": marked("External contact made"),
    "backup": marked("Backup made"),
    "restore": marked("Backup restored"),
}
"""The journal's word for an action: what it says to people."""

LETTERS: Mapping[str, str] = {
    "request": marked("request to decide"),
    "reminder": marked("reminder"),
    "decided": marked("decided already"),
    "counted": marked("approval counted"),
    "invalid": marked("answer that decides nothing"),
    "held": marked("to the sender: it waits"),
    "rejected": marked("to the sender: rejected"),
    "expired": marked("to the sender: expired"),
}

_REASONS: Mapping[str, Mapping[str, str]] = {
    "log-in-failed": {
        "wrong": marked("wrong log-in name or password"),
        "expired": marked("the password has expired"),
        "must-change": marked("the password has to be changed first"),
        "unseen": marked("the mirror doesn't know the account yet"),
    },
    "session-end": {
        "time": marked("unused for too long, or open for as long as may be"),
        "replaced": marked("another log-in in the same browser"),
        "gone": marked("the account is locked or gone"),
        "password": marked("the password was changed"),
    },
}

_BY_ITSELF = frozenset({Way.DESK, Way.MILTER})


def action_words(t: Say, action: str) -> Markup:
    """Return what was done."""
    return t(ACTIONS[action]) if action in ACTIONS else Markup.escape(shown(action, 60))


def detail_words(t: Say, row: AuditRow) -> Markup:
    """Return what stands beside a deed: why a log-in failed or ended, in words, all else as it stands."""
    reasons = _REASONS.get(row.action, {})
    if row.detail in reasons:
        return t(reasons[row.detail])
    return Markup("<bdi>{}</bdi>").format(shown(row.detail))


def letter_words(t: Say, kind: str) -> Markup:
    """Return what a letter is."""
    return t(LETTERS[kind]) if kind in LETTERS else Markup.escape(shown(kind, 60))


def doer_words(t: Say, row: AuditRow) -> Markup:
    """Return who did something, and how."""
    if row.way in _BY_ITSELF and row.actor in {"", "desk"}:
        return t(way_in_words(row.way))
    who = Markup("<bdi>{}</bdi>").format(shown(row.actor)) if row.actor else t("Somebody")
    return Markup('{} <span class="quiet">{}</span>').format(who, t(way_in_words(row.way)))


def proven(item: Item) -> bool:
    """Tell whether somebody is proven to have sent a message."""
    return sound(proof(item.arrival))


WORDS: Mapping[str, object] = {
    "action_words": action_words,
    "detail_words": detail_words,
    "doer_words": doer_words,
    "label_words": label,
    "letter_words": letter_words,
    "proven": proven,
    "typed_words": typed_label,
}
"""For templates."""
