"""From a decision to the ordered actions at the MTA: everything is added before anything is deleted.

Pure: time, nonce and keys are arguments. An envelope never ends up without recipients, because a decision that
would leave none is an answer (`decide`), not a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from groupmilter.groups.group import BouncesTo, Group, JoinPolicy
from groupmilter.groups.person import Node
from groupmilter.groups.ticket import Keys, Kind, Ticket, digest, loop_digest, seal
from groupmilter.mail.action import (
    Action,
    AddHeader,
    AddRecipient,
    ChangeSender,
    DeleteHeader,
    DeleteRecipient,
    InsertHeader,
    LeaveOut,
)
from groupmilter.mail.address import with_extension, xtext
from groupmilter.policy.disposition import (
    Answered,
    Decision,
    Disposition,
    Expanded,
    Held,
    Reported,
    Split,
    ToOwners,
    Verdict,
    Wished,
)
from groupmilter.policy.facts import Facts
from groupmilter.policy.friendly import as_owners
from groupmilter.policy.listing import QUIET, list_fields, of_another_list
from groupmilter.policy.reasons import number
from groupmilter.policy.replies import contact_for
from groupmilter.policy.returning import bounces, told
from groupmilter.policy.settings import Settings
from groupmilter.policy.veiling import veil, veiled

LOOP_HEADER = "X-Groupmilter-Loop"
RESULTS_HEADER = "Authentication-Results"
_REPORTS = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_DIGESTS_A_LINE = 4
_DIGESTS_A_FIELD = 400
"""A libmilter packet holds 65,535 octets; more groups than this go into further fields."""


@dataclass(frozen=True, slots=True)
class Mint:
    """What tickets of one message are made with.

    :param now: seconds since 1970; ``nonce``: 32 random bits, counted up from ticket to ticket.
    """

    keys: Keys
    now: int
    nonce: int


def plan(decision: Decision, facts: Facts, settings: Settings, mint: Mint) -> tuple[Action, ...]:
    """Return what to ask of the MTA for an accepted message; empty where no group is addressed.

    :param decision: with no ``answer``.
    """
    drawing = _Plan(decision, facts, settings, mint)
    ours = Expanded | Split | Held | Answered | Wished | ToOwners | Reported
    groups = [v for v in decision.verdicts if isinstance(v.disposition, ours)]
    if not groups:
        return ()
    return (
        *drawing.notes(),
        *drawing.members(),
        *drawing.owners(),
        *drawing.tickets(),
        *drawing.answers(),
        *drawing.forgeries(),
        *drawing.headers(),
        *drawing.sender(),
        *(action for verdict in groups for action in _deletions(verdict)),
    )


def alone(decision: Decision) -> bool:
    """Tell whether a message goes to exactly one group and nobody else, so that its envelope is that copy's."""
    only = decision.verdicts[0].disposition if len(decision.verdicts) == 1 else None
    return isinstance(only, Expanded) and not only.expansion.holds


@dataclass(frozen=True, slots=True)
class _Copy:
    """One copy for the desk.

    :param partly: a group inside this one refused, not this one itself.
    :param left_out: addresses that a split copy need not reach.
    """

    kind: Kind
    group: Group
    reason: str = ""
    partly: bool = False
    left_out: tuple[str, ...] = ()


def _deletions(verdict: Verdict) -> Iterator[Action]:
    received, canonical = verdict.recipient.address.received, f"<{verdict.recipient.address.canonical}>"
    yield DeleteRecipient(received)
    if received != canonical:
        yield DeleteRecipient(canonical)


def _cut(whole: list[str], length: int) -> Iterator[list[str]]:
    for start in range(0, len(whole), length):
        yield whole[start : start + length]


@dataclass(frozen=True, slots=True)
class _Plan:
    decision: Decision
    facts: Facts
    settings: Settings
    mint: Mint

    def members(self) -> Iterator[Action]:
        for verdict in self.decision.verdicts:
            if isinstance(verdict.disposition, Expanded):
                parameters = self._parameters(verdict.disposition, verdict.recipient.notify)
                for member in verdict.disposition.expansion.members:
                    yield AddRecipient(member.address, parameters)

    def owners(self) -> Iterator[Action]:
        """Yield the owners to whom a message goes; a report names them, so strangers get none."""
        for verdict in self.decision.verdicts:
            to = verdict.disposition
            if isinstance(to, ToOwners):
                orcpt = f"ORCPT=rfc822;{xtext(verdict.recipient.address.canonical)}"
                quiet = to.veiled and self._only_owners is None
                for address in to.addresses:
                    yield AddRecipient(address, f"NOTIFY=NEVER {orcpt}" if quiet else orcpt)

    @property
    def _only_owners(self) -> ToOwners | None:
        """The one disposition of a message that goes to a group's owners and nobody else."""
        only = self.decision.verdicts[0].disposition if len(self.decision.verdicts) == 1 else None
        return only if isinstance(only, ToOwners) else None

    def _parameters(self, expanded: Expanded, notify: str) -> str:
        orcpt = f"ORCPT=rfc822;{xtext(expanded.group.address)}"
        wanted = self._notify(expanded, notify)
        return f"NOTIFY={wanted} {orcpt}" if wanted else orcpt

    def _notify(self, expanded: Expanded, asked: str) -> str:
        way = bounces(expanded.group, expanded.expansion, self.facts)
        if way is BouncesTo.NOBODY or (way is BouncesTo.OWNER and not self._own_path):
            return "NEVER"
        wanted = set(asked.upper().split(",")) if asked else set[str]()
        if not wanted or (wanted != {"NEVER"} and not wanted <= _REPORTS):
            return ""
        # A success report names the member that was reached; who wants nothing else, wants no report.
        return ",".join(word for word in ("FAILURE", "DELAY") if word in wanted) or "NEVER"

    @property
    def _alone(self) -> bool:
        """Whether the message goes to exactly one group and nobody else, so that its header is that copy's."""
        return alone(self.decision)

    @property
    def _own_path(self) -> bool:
        """Whether the return path is that copy's, too: the sender is not told of a part by the same envelope."""
        return self._alone and not told(self._expanded()[0].expansion, self.facts)

    def notes(self) -> Iterator[Action]:
        """Yield what the desk has to know of split copies before the MTA has them: whom others reach."""
        for place, copy in enumerate(self._copies()):
            if copy.left_out:
                yield LeaveOut(self._sealed(place, copy), copy.left_out)

    def tickets(self) -> Iterator[Action]:
        for place, copy in enumerate(self._copies()):
            address = f"hold+{self._sealed(place, copy)}@{self.settings.service_domain}"
            yield AddRecipient(address, f"NOTIFY=FAILURE ORCPT=rfc822;{xtext(copy.group.address)}")

    def _copies(self) -> list[_Copy]:
        """Return the copies for the desk, each once, in an order that stays the same."""
        every = (*self._held(), *self._split(), *self._reported())
        return list({(one.kind, one.group.node, one.reason): one for one in every}.values())

    def _held(self) -> Iterator[_Copy]:
        held: dict[Node, _Copy] = {}
        for disposition in self._dispositions():
            if isinstance(disposition, Held):
                group, reason = disposition.group, disposition.reason
                held[group.node] = _Copy(Kind.HOLD, group, reason)
            elif isinstance(disposition, Expanded):
                nested = disposition.expansion.holds
                held.update((group.node, _Copy(Kind.HOLD, group, "moderation")) for group in nested)
        yield from held.values()

    def _split(self) -> Iterator[_Copy]:
        for disposition in self._dispositions():
            if isinstance(disposition, Split):
                yield _Copy(Kind.SPLIT, disposition.group, left_out=disposition.expansion.elsewhere)

    def _reported(self) -> Iterator[_Copy]:
        """Yield what the sender is told of; a group inside that refuses is told as a part of the one written to."""
        for disposition in self._dispositions():
            if isinstance(disposition, Reported):
                yield _Copy(Kind.REFUSE, disposition.group, disposition.reason)
            elif isinstance(disposition, Expanded):
                for refusal in told(disposition.expansion, self.facts):
                    yield _Copy(Kind.REFUSE, disposition.group, refusal.reason, partly=True)

    def _dispositions(self) -> Iterator[Disposition]:
        return (verdict.disposition for verdict in self.decision.verdicts)

    def _sealed(self, place: int, copy: _Copy) -> str:
        ticket = self._ticket(copy.kind, copy.group, place, copy.reason)
        return seal(replace(ticket, partly=copy.partly), self.mint.keys)

    def answers(self) -> Iterator[Action]:
        """Yield a ticket for each answer and each wish, by which the desk knows who has proven to write it."""
        for offset, verdict in enumerate(self.decision.verdicts):
            answer = verdict.disposition
            if isinstance(answer, Answered):
                about, action = answer.token.item, answer.token.action
            elif isinstance(answer, Wished):
                about, action = digest(answer.group.uuid), answer.action
            else:
                continue
            ticket = Ticket(
                Kind.ANSWER, self.mint.now, self.mint.nonce + offset, about, answer.sender, int(answer.strength),
                self.facts.smtputf8, int(action),
            )  # fmt: skip
            address = f"hold+{seal(ticket, self.mint.keys)}@{self.settings.service_domain}"
            yield AddRecipient(address, "NOTIFY=NEVER")

    def _ticket(self, kind: Kind, group: Group, offset: int, reason: str = "") -> Ticket:
        person = self.facts.identity.person
        return Ticket(
            kind,
            self.mint.now,
            self.mint.nonce + offset,
            digest(group.uuid),
            digest(person.uuid) if person else 0,
            int(self.facts.identity.strength),
            self.facts.smtputf8,
            number(reason, self.settings.rules),
        )

    def forgeries(self) -> Iterator[Action]:
        """Yield the deletion of results that no relay of ours has written (RFC 8601 section 5): members' mail programs
        would believe them.
        """
        content = self.facts.content
        for place in content.forged if content is not None else ():
            yield DeleteHeader(RESULTS_HEADER, place)

    def headers(self) -> Iterator[Action]:
        walked = [g for d in self._expanded() for g in d.expansion.walked]
        walked += [as_owners(d.group) for d in self._dispositions() if isinstance(d, ToOwners)]
        key = self.mint.keys.keys[self.mint.keys.current]
        digests = list(dict.fromkeys(loop_digest(group.uuid, key) for group in walked))
        for part in _cut(digests, _DIGESTS_A_FIELD):
            yield InsertHeader(LOOP_HEADER, "\n\t".join(map(" ".join, _cut(part, _DIGESTS_A_LINE))))
        for verdict in self.decision.verdicts:
            if isinstance(verdict.disposition, Expanded | Split | Held):
                yield from verdict.disposition.tags
        if self._alone:
            yield from self._of_the_group(self._expanded()[0])
        elif self._hidden_owners is not None and self.facts.content is not None:
            yield from veil(self.facts.content)

    @property
    def _hidden_owners(self) -> Group | None:
        """The group to whose owners alone a stranger writes: their programs shall not tell him who they are."""
        only = self._only_owners
        return only.group if only is not None and only.veiled else None

    def _expanded(self) -> list[Expanded]:
        return [v.disposition for v in self.decision.verdicts if isinstance(v.disposition, Expanded)]

    def _of_the_group(self, expanded: Expanded) -> Iterator[Action]:
        hidden = veiled(expanded.expansion)
        if hidden and self.facts.content is not None:
            yield from veil(self.facts.content)
        if self.settings.list_headers:
            yield from self._list_headers(
                expanded.group, quiet=not hidden and not expanded.group.auto_replies
            )

    def _list_headers(self, group: Group, *, quiet: bool) -> Iterator[Action]:
        """Yield the fields of a list, each where no signature names it and the message has none."""
        content = self.facts.content
        if content is None:
            return
        fields = dict(QUIET) if quiet else {}
        if not of_another_list(content):
            contact = contact_for(group.address, self.settings)
            fields = list_fields(group.address, contact, self._leave(group)) | fields
        signed = content.signed
        for name, value in fields.items():
            if name.lower() not in signed and not content.values(name.lower()):
                yield AddHeader(name, value)

    def _leave(self, group: Group) -> str:
        """Return the address by which members leave a group; empty where its rules, or its being hidden, forbid it."""
        if group.leave_policy is JoinPolicy.CLOSED or group.hidden:
            return ""
        return with_extension(group.address, "leave", self.settings.recipient_delimiter)

    def sender(self) -> Iterator[Action]:
        if self._hidden_owners is not None:
            yield self._reports_to(self._hidden_owners)
        if not self._own_path:
            return
        expanded = self._expanded()[0]
        if bounces(expanded.group, expanded.expansion, self.facts) is BouncesTo.OWNER:
            yield self._reports_to(expanded.group)

    def _reports_to(self, group: Group) -> ChangeSender:
        ticket = seal(self._ticket(Kind.BOUNCE, group, 0), self.mint.keys)
        return ChangeSender(f"bounce+{ticket}@{self.settings.service_domain}")
