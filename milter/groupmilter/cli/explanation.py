"""What `explain` has found, as JSON and as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from groupmilter.cli.terminal import plain
from groupmilter.cli.trace import trace_table
from groupmilter.policy.disposition import (
    Answered,
    Deferred,
    Disposition,
    Expanded,
    Held,
    Passed,
    Refused,
    Reported,
    Split,
    ToOwners,
    Undecided,
    Wished,
)
from groupmilter.policy.explain import word
from groupmilter.policy.facts import Identity, Strength

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.rehearsal.case import Observed
    from groupmilter.rehearsal.explanation import Explanation

_STYLES = {
    "expand": "green",
    "pass": "green",
    "split": "green",
    "hold": "yellow",
    "answer": "yellow",
    "wish": "yellow",
    "owners": "green",
    "report": "red",
    "refuse": "red",
    "defer": "magenta",
    "undecided": "yellow",
}


def who(identity: Identity) -> str:
    """Return in a sentence who the sender is, and what proves it."""
    person = f"{identity.person.name} <{identity.person.address}>" if identity.person is not None else ""
    match identity.strength:
        case Strength.LOGIN if person:
            return f"{person}, proven by the login {identity.name}"
        case Strength.LOGIN:
            return f"the login {identity.name}, which is no person of the directory"
        case Strength.CERTIFICATE | Strength.NETWORK:
            return f"{person or identity.name}, vouched for by {identity.because}"
        case Strength.DMARC:
            way = "an aligned DKIM signature" if identity.dkim else "SPF"
            return f"{person or identity.name}, an outsider's address proven by {way}"
        case _:
            claim = f", a mere claim to be {identity.name}" if identity.name else ""
            return f"nobody: neither login nor proof{claim}"


def _whence(identity: Identity) -> str:
    """Return where the strength comes from, as far as DKIM and SPF have to do with it."""
    if identity.unasked:
        return "; nothing hangs on a proof by DKIM or SPF, so none was looked for"
    return f": {identity.because}" if identity.because else ""


def shape(explanation: Explanation) -> dict[str, object]:
    """Return the explanation for programs."""
    identity, message = explanation.identity, explanation.message
    return {
        "client": message.client or "local",
        "login": message.login,
        "certificate": message.certificate,
        "sender": message.sender,
        "identity": {
            "strength": str(identity.strength),
            "name": identity.name,
            "person": identity.person.dn if identity.person is not None else None,
            "addresses": identity.addresses,
            "authenticated": identity.authenticated,
            "because": identity.because,
            "text": who(identity),
        },
        "answer": None if explanation.answer is None else str(explanation.answer),
        "recipients": [_recipient(one) for one in explanation.observed],
    }


def _recipient(observed: Observed) -> dict[str, object]:
    disposition = observed.verdict.disposition
    found: dict[str, object] = {"recipient": observed.recipient, "verdict": word(disposition)}
    found |= {"at": observed.outcome.at or "end", "reply": _reply(disposition)}
    if isinstance(disposition, Expanded | Split):
        expansion = disposition.expansion
        found |= {
            "group": disposition.group.address,
            "members": len(expansion.members),
            "found": expansion.found,
            "groups": [group.address or group.dn for group in expansion.walked],
            "holds": [group.address for group in expansion.holds],
            "refused": [{"group": group.address, "reply": str(no.reply)} for group, no in expansion.refused],
            "left_out": expansion.left_out,
            "suspended": expansion.suspended,
        }
    if isinstance(disposition, Split):
        found |= {"why": disposition.why}
    if isinstance(disposition, Reported):
        found |= {"group": disposition.group.address}
    if isinstance(disposition, Held):
        found |= {"group": disposition.group.address, "why": disposition.why}
    found["trace"] = [
        {"group": step.group, "rule": step.rule, "answer": step.answer.value, "because": step.because}
        for step in observed.verdict.trace
    ]
    return found


def _reply(disposition: Disposition) -> str | None:
    return str(disposition.reply) if isinstance(disposition, Refused | Reported | Deferred) else None


def draw(console: Console, explanation: Explanation) -> None:
    """Print the explanation for people."""
    message, identity = explanation.message, explanation.identity
    console.print(plain(f"From    {message.sender or '<> (the null sender)'}"))
    console.print(plain(f"Client  {message.client or 'none: local submission'}"))
    console.print(plain(f"Sender  {who(identity)}"))
    console.print(
        plain(f"        strength {identity.strength}{_whence(identity)}"), style="dim", soft_wrap=True
    )
    for observed in explanation.observed:
        _draw_recipient(console, observed, explanation)
    if explanation.answer is not None and len(explanation.observed) > 1:
        console.print()
        console.print(
            plain(f"The whole message is answered: {explanation.answer}"), style="bold red", soft_wrap=True
        )


def _draw_recipient(console: Console, observed: Observed, explanation: Explanation) -> None:
    disposition = observed.verdict.disposition
    style = _STYLES[word(disposition)]
    console.print()
    first, *more = sentences(observed)
    console.print(f"[bold]To {plain(observed.recipient)}[/]  [bold {style}]{word(disposition).upper()}[/]")
    console.print(plain(first), style=style, soft_wrap=True)
    for sentence in more:
        console.print(plain(sentence), soft_wrap=True)
    if observed.verdict.trace:
        console.print(trace_table(observed.verdict.trace, explanation.chain))


def sentences(observed: Observed) -> Iterator[str]:
    """Yield what becomes of a recipient, in words; at least one sentence."""
    disposition = observed.verdict.disposition
    when = "at RCPT, before any content" if observed.outcome.at == "rcpt" else "at the end of the message"
    match disposition:
        case Passed():
            yield "No group: groupmilter leaves this recipient alone."
        case Undecided():
            yield "Undecided before the end of the message."
        case Refused(reply):
            yield f"{when}: {reply}"
        case Deferred(reply):
            yield f"{when}: {reply}"
        case Reported(_, reply):
            yield f"Taken out of the message; the sender is sent a report: {reply}"
        case Answered() | Wished() | ToOwners():
            yield _beside(disposition)
        case Held(group, why):
            yield f"Waits for the moderators of {group.address}: {why}"
        case Split(_, why):
            yield f"Goes by the moderation desk, in transactions of its own: {why}."
            yield from _expansion(disposition)
        case Expanded():
            yield from _expansion(disposition)


def _beside(disposition: Answered | Wished | ToOwners) -> str:
    match disposition:
        case Answered():
            return "An answer to a letter, for the desk."
        case Wished(group, action):
            proven = "" if disposition.strength else ", once the author's address has confirmed"
            return f"A wish to {action.name.lower()} {group.address}, for the desk{proven}."
        case ToOwners(group, addresses):
            number = f"{len(addresses)} owner{'' if len(addresses) == 1 else 's'}"
            return f"Goes to {number} of {group.address}, not to its members."


def _expansion(disposition: Expanded | Split) -> Iterator[str]:
    expansion = disposition.expansion
    members, nested = len(expansion.members), len(expansion.walked) - 1
    inside = f" through {nested} nested group{'s' if nested > 1 else ''}" if nested > 0 else ""
    yield f"Becomes {members} member{'s' if members != 1 else ''}{inside}."
    if expansion.found > members:
        twice = expansion.found - members
        yield f"{twice} more {'is' if twice == 1 else 'are'} named twice, or addressed otherwise in this message."
    for group in expansion.holds:
        yield f"The copy for {group.address} inside waits for its own moderators."
    for group, refusal in expansion.refused:
        yield f"{group.address} inside is left out: {refusal.reply}"
    for address in expansion.suspended:
        yield f"Left out: delivery to {address} is suspended, since mail fails there (groupmilter bounces show)"
    for sentence in expansion.left_out:
        yield f"Left out: {sentence}"
