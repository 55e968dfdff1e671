"""One message of the corpus through a real MTA, and everything that can be compared of it at the far end.

The same for every MTA: what differs is said in the tests of each. Compared: the SMTP replies, what the sink received
(who, how often, with which NOTIFY, ORCPT, return path and added header), and the tickets in the hold mailbox.
"""

from __future__ import annotations

import ssl
from collections import Counter
from dataclasses import dataclass

from tests.support.certificates import Authority, client_context
from tests.support.corpus import Pure, octets, opened, parameters
from tests.support.installation import Site, delivered_to, recipients, return_path
from tests.support.sink import SunkMessage
from tests.support.smtp_client import SmtpReply

from groupmilter.groups.group import Group
from groupmilter.groups.ticket import Kind, digest
from groupmilter.mail.action import AddHeader, AddRecipient, ChangeSender, InsertHeader
from groupmilter.policy.disposition import Deferred, Refused
from groupmilter.policy.plan import LOOP_HEADER
from groupmilter.rehearsal.case import Message
from groupmilter.rehearsal.cases import plain


@dataclass
class Delivery:
    """One message of a case, by SMTP, and what is compared of it."""

    site: Site
    run: Pure
    identity: str
    replies: tuple[SmtpReply, ...] = ()
    end: SmtpReply | None = None

    @property
    def message(self) -> Message:
        """The message as the case has it."""
        return self.run.message

    @property
    def content(self) -> bytes:
        """The message as it is sent, with a Message-ID of its own."""
        return octets(self.message, self.identity)

    @property
    def accepted(self) -> bool:
        """Whether the MTA took responsibility for it."""
        return self.end is not None and self.end.code == 250

    @property
    def sunk(self) -> list[SunkMessage]:
        """What the sink got of it."""
        return self.site.delivered(self.identity)

    def send(self) -> None:
        """Send it, and keep the replies."""
        sent = self.site.send(
            self.message.sender, self.message.recipients, self.content, *parameters(self.message),
            client=self.message.client, login=self.message.login, tls=self.tls(),
        )  # fmt: skip
        assert sent.mail.code == 250, sent.mail
        self.replies, self.end = sent.recipients, sent.end

    def tls(self) -> ssl.SSLContext | None:
        """The client's side of TLS, with the certificate that the case says."""
        if not self.message.certificate:
            return None
        return client_context(self.site_authority().issue(self.message.certificate))

    def site_authority(self) -> Authority:
        """Who issues what the MTA trusts: a case that says another issuer can't be played here."""
        authority = Authority(self.site.service.folder / "authority")
        assert self.message.issuer in ("", authority.name)
        return authority

    def said(self, reply: SmtpReply | None) -> str:
        """A reply as the milter gave it, without what the MTA puts around it."""
        return str(reply)

    def refused_with(self, answer: str) -> None:
        """The MTA itself refused every recipient, and nobody got anything."""
        assert all(str(reply).startswith(answer) for reply in self.replies)
        assert self.end is None
        self.nobody_got_it()

    def as_expected(self) -> None:
        """Replies, copies and holds are what the case expects of them."""
        wanted = {plain(address): expected for address, expected in self.message.expected}
        for address, reply in zip(self.message.recipients, self.replies, strict=True):
            expected = wanted.get(plain(address))
            if expected is not None and (expected.refuse or expected.defer):
                early = reply.code != 250
                assert str(reply if early else self.end).startswith(expected.refuse or expected.defer)
                assert expected.at in ("", "rcpt" if early else "end")
            elif expected is not None:
                assert self.accepted, (reply, self.end)
        if self.accepted and wanted.keys() == {plain(address) for address in self.message.recipients}:
            passed = {address for address, expected in wanted.items() if expected.passed}
            reached = passed.union(*(expected.deliver for expected in wanted.values())) - self.run.later
            assert set(map(plain, recipients(self.sunk))) == reached
            assert max(Counter(recipients(self.sunk)).values(), default=1) == 1
            groups = frozenset[str]().union(*(expected.hold for expected in wanted.values()))
            assert self.held_groups() == sorted(groups)

    def as_in_the_pure_core(self) -> None:
        """And, beyond what the case says, the same as in the pure core."""
        for reply, seen in zip(self.replies, self.run.transcript.observed, strict=True):
            disposition = seen.verdict.disposition
            if seen.outcome.at == "rcpt" and isinstance(disposition, Refused | Deferred):
                assert self.said(reply) == str(disposition.reply), reply
            else:
                assert reply.code == 250
        decision = self.run.transcript.decision
        if decision is not None and decision.answer is not None:
            assert self.said(self.end) == str(decision.answer)
            self.nobody_got_it()
        elif self.end is not None:
            assert self.accepted, self.end
            self.edits_arrived()

    def nobody_got_it(self) -> None:
        """A refused message reaches no mailbox."""
        assert self.sunk == []
        assert self.site.held() == []

    def edits_arrived(self) -> None:
        """The plan's edits, as far as they can be seen at the far end."""
        actions = self.run.actions
        added = [
            one for one in actions if isinstance(one, AddRecipient) and not one.address.startswith("hold+")
        ]
        parameters_ = {plain(r.address): sorted(r.parameters) for m in self.sunk for r in m.recipients}
        for one in added:
            assert parameters_[plain(one.address)] == sorted(one.parameters.split())
        changed = [one for one in actions if isinstance(one, ChangeSender)]
        for sunk in self.sunk:
            self.sender_is(sunk.sender, changed=bool(changed))
            for header in (one for one in actions if isinstance(one, AddHeader | InsertHeader)):
                self.header_is(sunk, header)
        for held in self.site.held():
            self.sender_is(return_path(held), changed=bool(changed))
        self.tickets_are(actions)

    def sender_is(self, sender: str, *, changed: bool) -> None:
        """The return path is the client's, or a bounce ticket of ours."""
        if not changed:
            assert sender == self.message.sender
            return
        ticket = opened(sender, self.site.service.keys)
        assert ticket is not None
        assert ticket.kind is Kind.BOUNCE

    def header_is(self, sunk: SunkMessage, header: AddHeader | InsertHeader) -> None:
        """One header of the plan is there; the digests in the loop trace are of slapd's own UUIDs."""
        text = sunk.content.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").decode("utf-8", "replace")
        lines = [line for line in text.split("\r\n") if line.startswith(f"{header.name}: ")]
        if header.name == LOOP_HEADER:
            assert 1 + len(header.value.split()) in [len(line.split()) for line in lines]
        else:
            assert f"{header.name}: {header.value}" in lines

    def tickets_are(self, actions: tuple[object, ...]) -> None:
        """As many tickets as planned, of the same strength; whose they are, `held_groups` says."""
        keys = self.site.service.keys
        planned = [
            one.address
            for one in actions
            if isinstance(one, AddRecipient) and one.address.startswith("hold+")
        ]
        wanted = sorted((t.kind, t.strength, t.smtputf8) for a in planned if (t := opened(a, keys)))
        held = [opened(delivered_to(message), keys) for message in self.site.held()]
        assert sorted((t.kind, t.strength, t.smtputf8) for t in held if t) == wanted
        assert self.held_groups() == sorted(self.run.held)

    def held_groups(self) -> list[str]:
        """The groups whose tickets are in the hold mailbox, with this message behind each."""
        held = self.site.held()
        assert all(self.identity.encode() in message for message in held)
        tickets = [opened(delivered_to(message), self.site.service.keys) for message in held]
        known = self._digests()
        return sorted(known[t.group] for t in tickets if t is not None and t.kind is Kind.HOLD)

    def _digests(self) -> dict[int, str]:
        candidates = self.run.held | {e for _, expected in self.message.expected for e in expected.hold}
        with self.site.service.directory() as directory:
            found = [directory.find(address) for address in candidates]
        return {digest(group.uuid): plain(group.address) for group in found if isinstance(group, Group)}


class Submission(Delivery):
    """One message of a case by sendmail(1): nothing is answered; a refusal is a report to the sender."""

    def send(self) -> None:
        """Submit it, and take what became of it for the answer."""
        self.site.submit(self.message.sender, self.message.recipients, self.content)
        self.replies = tuple(SmtpReply(250, "2.1.5 Ok") for _ in self.message.recipients)
        reports = self.site.reports(self.identity)
        self.end = SmtpReply(250, "2.0.0 Ok")
        if reports:
            answer = self.run.transcript.decision.answer if self.run.transcript.decision else None
            assert answer is not None
            assert len(reports) == 1
            assert answer.text.encode() in b" ".join(reports[0].content.split())
            code, _, text = str(answer).partition(" ")
            self.end = SmtpReply(int(code), text)
