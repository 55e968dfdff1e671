"""Held messages as JSON, and the words that every ``held`` command uses for them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groupmilter.cli.times import brief, iso, local

if TYPE_CHECKING:
    from groupmilter.moderation.item import Item
    from groupmilter.moderation.rows import AuditRow, Posted

STYLES = {
    "held": "yellow",
    "approved": "cyan",
    "released": "green",
    "rejected": "red",
    "expired": "magenta",
    "shunted": "bold red",
    "reported": "blue",
}
_PROOFS = {
    "claimed": "not proven",
    "machine": "not proven, from a trusted computer",
    "dmarc": "proven by the domain",
    "network": "proven by the network",
    "certificate": "proven by a certificate",
    "login": "proven by log-in",
}
_REASONS = {
    "moderation": "the group is moderated",
    "storm": "unusually much mail came in a short time",
    "replay": "the same message came before",
    "bound": "the group is too large to be expanded at once",
    "unknown": "it bears no ticket of ours",
}
_PAST = {"approve": "approved", "reject": "rejected", "expire": "expired"}


def shape(item: Item) -> dict[str, object]:
    """Return an item for programs."""
    arrival, terms = item.arrival, item.terms
    return {
        "name": item.name,
        "state": item.state.value,
        "group": terms.group_address,
        "author": arrival.author,
        "strength": strength(item),
        "sender": terms.sender_name,
        "return_path": arrival.return_path,
        "subject": arrival.subject,
        "message_id": arrival.message_id,
        "queue_id": arrival.queue_id,
        "size": arrival.size,
        "why": terms.why,
        "since": iso(item.recorded),
        "expires": iso(terms.expires),
        "asked": iso(item.noticed),
        "decided": iso(item.decided),
        "decided_by": item.decided_by,
        "way": item.way,
        "comment": item.comment,
        "finished": iso(item.finished),
        "attempts": item.attempts,
        "next_attempt": iso(item.next_attempt),
        "note": item.note,
        "file": arrival.file,
        "claimed_by": item.claim.name if item.claim else "",
        "claimed": iso(item.claim.at if item.claim else 0),
        "approvals_needed": terms.approvals,
        "approved_by": [
            {"name": one.name, "uuid": one.person, "way": one.way, "at": iso(one.at)}
            for one in item.approved_by
        ],
    }


def event_shape(row: AuditRow) -> dict[str, object]:
    """Return an audit row for programs."""
    return {
        "id": row.id,
        "at": iso(row.at),
        "action": row.action,
        "actor": row.actor,
        "way": row.way,
        "origin": row.origin,
        "item": row.item,
        "group": row.group,
        "group_uuid": row.group_uuid,
        "before": row.before,
        "after": row.after,
        "detail": row.detail,
    }


def letter_shape(letter: Posted) -> dict[str, object]:
    """Return a letter for programs."""
    return {
        "kind": letter.kind,
        "to": letter.address,
        "planned": iso(letter.planned),
        "sent": iso(letter.sent),
        "attempts": letter.attempts,
        "next_attempt": None if letter.sent else iso(letter.next_attempt),
        "why": letter.why,
    }


def strength(item: Item) -> str:
    """Return how well the sender is proven, in the word that policies use."""
    from groupmilter.policy.facts import Strength

    return str(Strength(item.arrival.strength))


def proof(item: Item) -> str:
    """Return how well the sender is proven, for people, and who he is where the author names somebody else."""
    from groupmilter.moderation.wording import proof as word

    name = item.terms.sender_name
    return _PROOFS[word(item.arrival)] + (f" as {name}" if name and name not in item.arrival.author else "")


def proven(item: Item) -> bool:
    """Tell whether somebody is proven to have sent it."""
    from groupmilter.moderation.wording import proof as word
    from groupmilter.moderation.wording import sound

    return sound(word(item.arrival))


def because(item: Item) -> str:
    """Return why an item is held, for people."""
    return _REASONS.get(item.terms.why, f"the rule {item.terms.why} says so" if item.terms.why else "")


def agreement(item: Item) -> str:
    """Return how many have approved, and who, where that takes several: ``1 of 2 approvals, by a@b``."""
    if item.terms.approvals <= 1:
        return ""
    names = ", ".join(one.name for one in item.approved_by)
    return f"{len(item.approved_by)} of {item.terms.approvals} approvals" + (f", by {names}" if names else "")


def dealing(item: Item, now: float) -> str:
    """Return who is dealing with an item: ``a@b has been dealing with it for 2 h``."""
    claim = item.claim
    return f"{claim.name} has been dealing with it for {brief(now - claim.at)}" if claim else ""


def doer(row: AuditRow) -> str:
    """Return who did something, how, and from where."""
    actor = row.actor or "somebody"
    by = f"{actor}, by {row.way}" if row.way in {"mail", "link", "command", "panel"} else actor
    # Of a decision by mail it is the Message-ID, which says nothing to people.
    said = row.origin and (row.way != "mail" or "@" not in row.origin)
    return f"{by} ({row.origin})" if said else by


def decided(item: Item) -> str:
    """Return in words what became of an item, by whom, when and how."""
    what = item.state.value if item.state.value in _PAST.values() else "approved"
    by = f" by {item.decided_by}" if item.decided_by else ""
    way = {"mail": ", by mail", "link": ", by link", "command": ", by command"}.get(item.way, "")
    return f"{what}{by} on {local(item.decided)}{way}"


def many(count: int, word: str = "message") -> str:
    """Return a number with its word: ``1 message``, ``10,000 messages``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
