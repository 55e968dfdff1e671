"""The milter callbacks: a few lines each, under one guard. The only importer of pymilter.

Whatever nobody foresaw becomes one log line with the queue id and 451 4.3.0; never an early ACCEPT, which Postfix
before August 2026 may carry over to the next message. State hangs on the connection object, never on an OS thread:
libmilter's worker pool moves a session between threads. Stages that nobody reads are not asked for: the end of the
header never, DATA only over TCP (answering it avoids a delayed acknowledgement, measured at 43 ms).

Sources: libmilter's xxfi_* and smfi_* pages, Postfix MILTER_README, pymilter's miltermodule.c.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic, time
from typing import cast

import milter
import structlog

from groupmilter.authentication.identity import Connection
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.mail.address import path
from groupmilter.mail.reply import Reply, Severity
from groupmilter.mta import certificate
from groupmilter.mta.applier import OutOfTime, answer, apply, escaped, spaced
from groupmilter.mta.collector import Collector
from groupmilter.mta.counters import Counters
from groupmilter.mta.journal import message_line, recipient_line, untold
from groupmilter.mta.parameters import declared, original, parameter, unreadable
from groupmilter.mta.site import Site
from groupmilter.policy.counting import counted
from groupmilter.policy.disposition import Decision, Deferred, Refused, Verdict
from groupmilter.policy.facts import Facts
from groupmilter.policy.plan import Mint, plan
from groupmilter.policy.replaying import taken
from groupmilter.policy.replies import reply_for
from groupmilter.policy.settings import LOCAL_DAEMON_NAME

_ACTIONS = (
    milter.ADDHDRS | milter.CHGHDRS | milter.ADDRCPT | milter.DELRCPT | milter.CHGFROM | milter.ADDRCPT_PAR
)
_NO_REPLY = milter.P_NR_CONN | milter.P_NR_HELO | milter.P_NR_MAIL | milter.P_NR_HDR
_NOT_ASKED = milter.P_NOEOH | milter.P_NOUNKNOWN
_AS_RECEIVED = milter.P_HDR_LEADSPC
"""Header values with the white space that they begin with: "simple" signatures (RFC 6376 section 3.4.1) cover it."""

_MACROS = {
    milter.M_CONNECT: "{daemon_name}",
    milter.M_ENVFROM: "{auth_authen} {mail_addr} {mail_mailer}",
    milter.M_ENVRCPT: "{rcpt_addr}",
    milter.M_EOM: "i",
}
_MESSAGE_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Front:
    """What all sessions of a worker share.

    :param tcp: whether the MTA connects over TCP.
    :param observe: decide and log, change nothing, save for mail to the service domain: it is the desk's alone.
    """

    site: Site
    log: structlog.typing.FilteringBoundLogger
    counters: Counters
    tcp: bool = False
    observe: bool = False
    sessions: set[Session] = field(default_factory=set)

    def register(self) -> None:
        """Register the callbacks with libmilter; to be called once in a process, before ``milter.main``."""
        milter.set_flags(_ACTIONS | milter.SETSYMLIST)
        milter.set_connect_callback(self._connect)
        milter.set_helo_callback(self._helo)
        milter.set_envfrom_callback(_guarded(Session.mail_from))
        milter.set_envrcpt_callback(_guarded(Session.rcpt_to))
        milter.set_header_callback(_header)
        milter.set_body_callback(_guarded(Session.body))
        milter.set_eom_callback(_guarded(Session.end_of_message))
        milter.set_abort_callback(_guarded(Session.abort))
        milter.set_close_callback(self._close)
        milter.register("groupmilter", data=_guarded(Session.answer_data), negotiate=self._negotiate)

    def open_sessions(self) -> int:
        """Return how many connections from the MTA are open."""
        return len(self.sessions)

    def oldest_callback_age(self) -> float:
        """Return for how many seconds the slowest callback has been running; 0.0 where none is."""
        began = [session.began for session in tuple(self.sessions) if session.began]
        return monotonic() - min(began) if began else 0.0

    def _negotiate(self, ctx: milter.milterContext, offered: list[int]) -> int:
        actions, protocol = offered[0], offered[1]
        if actions & _ACTIONS != _ACTIONS:
            self.log.error("the MTA lacks milter actions", offered=hex(actions), wanted=hex(_ACTIONS))
            return milter.REJECT
        wanted = _AS_RECEIVED | _NO_REPLY | _NOT_ASKED | milter.P_SKIP | (0 if self.tcp else milter.P_NODATA)
        if actions & milter.SETSYMLIST:
            for stage, names in self._macros().items():
                ctx.setsymlist(stage, names)
        offered[:] = [_ACTIONS | actions & milter.SETSYMLIST, protocol & wanted, 0, 0]
        certified = bool(actions & milter.SETSYMLIST and self.site.trust.certificates)
        ctx.setpriv(Session(self, protocol & wanted, certified=certified))
        return milter.CONTINUE

    def _macros(self) -> dict[int, str]:
        """Return what is asked for at each stage; of certificates only where some are known."""
        return _MACROS | ({milter.M_HELO: certificate.MACROS} if self.site.trust.certificates else {})

    def _connect(self, ctx: milter.milterContext, _hostname: str, _family: int, address: object) -> int:
        session = cast(Session, ctx.getpriv())
        self.sessions.add(session)
        session.connect(ctx, address)
        return session.silent(milter.P_NR_CONN)

    def _helo(self, ctx: milter.milterContext, name: str) -> int:
        session = cast(Session, ctx.getpriv())
        session.greeted(ctx, name)
        return session.silent(milter.P_NR_HELO)

    def _close(self, ctx: milter.milterContext) -> int:
        session = cast(Session, ctx.getpriv())
        self.sessions.discard(session)
        ctx.setpriv(None)
        return milter.CONTINUE


@dataclass(frozen=True, slots=True)
class _Ended:
    """A message at its end, and for how many seconds a proof was looked for; None where none was wanted."""

    facts: Facts
    decision: Decision
    proof_seconds: float | None


class Session:
    """One connection of the MTA, message after message."""

    __slots__ = (
        "_agreed",
        "_broken",
        "_certificate",
        "_certified",
        "_client",
        "_daemon",
        "_front",
        "_local",
        "_ours",
        "_simulated",
        "_smtp",
        "_started",
        "began",
        "collector",
        "header_answer",
        "helo",
        "spaced",
    )

    def __init__(self, front: Front, agreed: int, *, certified: bool = False) -> None:
        """Begin with what was negotiated.

        :param certified: whether the MTA says all that must be known before a certificate is believed.
        """
        self._front = front
        self._agreed = agreed
        self._certified = certified
        self._certificate = ("", "")
        self._client = "unknown"
        self._daemon = ""
        self.helo = ""
        self._local = self._simulated = False
        self._smtp = True
        self.collector: Collector | None = None
        self._broken = False
        self._ours = True
        self._started = 0.0
        self.began = 0.0
        self.header_answer = self.silent(milter.P_NR_HDR)
        self.spaced = bool(agreed & _AS_RECEIVED)

    def silent(self, stage: int) -> int:
        """Return "go on" as it was negotiated for a stage: with a reply or without."""
        return milter.NOREPLY if self._agreed & stage else milter.CONTINUE

    def connect(self, ctx: milter.milterContext, address: object) -> None:
        """Note the client; local submission has port 0 with Postfix, and a listener of its own with Sendmail."""
        host, port = (str(address[0]), address[1]) if isinstance(address, tuple) else ("unknown", None)
        self._client = host
        self._simulated = port == 0 and host == "127.0.0.1"
        self._daemon = _macro(ctx, "{daemon_name}")
        self._local = self._daemon == LOCAL_DAEMON_NAME and host in {"127.0.0.1", "::1"}
        self._certificate = ("", "")

    def greeted(self, ctx: milter.milterContext, name: str) -> None:
        """Note what the client calls itself, and its certificate: it greets anew after STARTTLS (RFC 3207)."""
        self.helo = name
        known = tuple(one.subject for one in self._front.site.trust.certificates)
        shown = certificate.verified(lambda macro: _macro(ctx, macro), known) if self._certified else ("", "")
        self._certificate = shown

    def mail_from(self, ctx: milter.milterContext, sender: bytes, *parameters: bytes) -> int:
        """Begin a message."""
        self.collector = None
        self._broken = False
        self._ours = True
        self._started = monotonic()
        site = self._front.site
        own = site.settings.own_domains
        texts = [parameter.decode("utf-8", "surrogateescape") for parameter in parameters]
        argument = sender.decode("utf-8", "surrogateescape")
        login = _macro(ctx, "{auth_authen}")
        # smtpd(8) always says by which mailer it would answer, cleanup(8) never (recorded with Postfix 3.7.11).
        self._smtp = not self._local and (not self._simulated or bool(_macro(ctx, "{mail_mailer}")))
        self.collector = Collector(
            site,
            Connection(
                self._client if self._smtp else "", login, self._daemon, self.helo, *self._certificate
            ),
            path(argument, own, _macro(ctx, "{mail_addr}")) or unreadable(argument),
            declared(texts),
            any(text.upper() == "SMTPUTF8" for text in texts),
        )
        return self.silent(milter.P_NR_MAIL)

    def rcpt_to(self, ctx: milter.milterContext, argument: bytes, *parameters: bytes) -> int:
        """Answer one recipient on its own, except for local submission, where everything waits for the end."""
        text, resolved = argument.decode("utf-8", "surrogateescape"), _macro(ctx, "{rcpt_addr}")
        ours = self._front.site.of_service_domain(resolved or text)
        self._ours = self._ours and ours
        collector = self._message()
        notify, orcpt = parameter(parameters, b"NOTIFY="), original(parameter(parameters, b"ORCPT="))
        verdict = collector.recipient(text, resolved, notify, orcpt)
        disposition = verdict.disposition
        if self._smtp and isinstance(disposition, Refused | Deferred):
            self._log_recipient(ctx, verdict)
            # Who only observes leaves it out as well, so that the end is decided for those whom it would concern.
            refused = answer(disposition.reply, ctx, self._front.observe and not ours)
            return _code(disposition.reply) if refused else milter.CONTINUE
        collector.accept(verdict.recipient)
        return milter.CONTINUE

    def answer_data(self, _: milter.milterContext) -> int:
        """Answer DATA, over TCP only (see above)."""
        return milter.TEMPFAIL if self._broken and not self._observes else milter.CONTINUE

    def body(self, _: milter.milterContext, chunk: bytes) -> int:
        """Count octets where a group is addressed; nobody reads the body otherwise."""
        collector = self._message()
        if not collector.groups:
            return milter.SKIP if self._agreed & milter.P_SKIP else milter.CONTINUE
        collector.body(chunk)
        return milter.CONTINUE

    def end_of_message(self, ctx: milter.milterContext) -> int:
        """Decide, and carry it out."""
        collector = self._message()
        if not collector.wants_header:
            self.collector = None
            return milter.CONTINUE
        try:
            facts, decision = collector.end()
            return self._carry_out(ctx, _Ended(facts, decision, collector.proof_seconds))
        except DirectoryUnknown as unknown:
            return self._directory_unknown(ctx, collector, str(unknown))

    def abort(self, _: milter.milterContext) -> int:
        """Forget the message: RSET, or the client is gone before the dot."""
        self.collector = None
        return milter.CONTINUE

    def surprised(self, ctx: milter.milterContext, step: str, surprise: Exception) -> int:
        """Defer whatever nobody foresaw, and all that follows in the message, with one log line."""
        late = isinstance(surprise, OutOfTime)
        collector, self.collector = self.collector, None
        known, self._broken = self._broken, True
        if not known:
            self._front.log.error(
                "out of time" if late else "surprise",
                step=step,
                queue_id=_macro(ctx, "i"),
                sender=collector.sender.received if collector else "",
                recipients=[r.address.received for r in collector.recipients] if collector else [],
                exc_info=None if late else surprise,
            )
        if step == Session.mail_from.__name__:
            # Having promised no reply there, libmilter would never answer RCPT after one: it is told instead.
            return self.silent(milter.P_NR_MAIL)
        if self._observes or (step == Session.rcpt_to.__name__ and not self._smtp):
            # Local submission is answered at the end: Postfix takes anything else for an error of its settings.
            return milter.CONTINUE
        address = collector.recipients[-1].address.canonical if collector and collector.recipients else ""
        reply = reply_for("out-of-time" if late else "surprise", address, self._front.site.settings)
        ctx.setreply(reply.smtp, reply.enhanced, escaped(reply.text))
        return milter.TEMPFAIL

    @property
    def _observes(self) -> bool:
        """Whether nothing is changed: what the desk brings back, or is told by moderators, is never only watched."""
        return self._front.observe and not self._ours

    def _message(self) -> Collector:
        if self.collector is None:
            raise RuntimeError("no message has begun")
        return self.collector

    def _directory_unknown(self, ctx: milter.milterContext, collector: Collector, why: str) -> int:
        if not collector.groups:
            return milter.CONTINUE
        self._front.log.warning("directory unknown", queue_id=ctx.getsymval("i"), why=why)
        reply = reply_for("unknown", collector.recipients[0].address.canonical, collector.site.settings)
        return _code(reply) if answer(reply, ctx, self._observes) else milter.CONTINUE

    def _carry_out(self, ctx: milter.milterContext, ended: _Ended) -> int:
        front, site = self._front, self._front.site
        facts, decision = ended.facts, ended.decision
        self.collector = None
        now = time()
        if decision.answer is not None:
            self._audit(ctx, ended, 0)
            refused = answer(decision.answer, ctx, self._observes)
            return _code(decision.answer) if refused else milter.CONTINUE
        mint = Mint(site.keys, int(now), secrets.randbits(32))
        actions = plan(decision, facts, site.settings, mint)
        if actions:
            edits = spaced(actions) if self.spaced else actions
            apply(edits, ctx, self.began + _MESSAGE_SECONDS, self._observes, site.leave_out)
            # Last of all that may still fail: who hears a 4xx comes again.
            if not self._observes and (sighting := taken(decision, facts)) is not None:
                site.remember(sighting)
            for told in untold(facts, decision):
                site.audit("left-out", facts.envelope_sender, facts.client, told)
            front.counters.add(counted(decision, facts, site.settings), now)
            self._audit(ctx, ended, len(actions))
        return milter.CONTINUE

    def _audit(self, ctx: milter.milterContext, ended: _Ended, actions: int) -> None:
        self._front.log.info(
            "message",
            queue_id=ctx.getsymval("i"),
            **message_line(ended.facts, ended.decision),
            proof_seconds=ended.proof_seconds,
            actions=actions,
            seconds=round(monotonic() - self._started, 4),
        )

    def _log_recipient(self, ctx: milter.milterContext, verdict: Verdict) -> None:
        self._front.log.info(
            "recipient",
            queue_id=ctx.getsymval("i"),
            client=self._client,
            sender=self._message().sender.canonical,
            **recipient_line(verdict),
        )


Step = Callable[..., int]


def _guarded(step: Step) -> Step:
    """Wrap a step of `Session` into a callback that never raises."""

    def callback(ctx: milter.milterContext, *arguments: bytes) -> int:
        session = cast(Session, ctx.getpriv())
        session.began = monotonic()
        try:
            return step(session, ctx, *arguments)
        except Exception as surprise:  # noqa: BLE001 - the one guard at the edge: anything else would be a lost reply
            return session.surprised(ctx, step.__name__, surprise)
        finally:
            session.began = 0.0

    return callback


def _header(ctx: milter.milterContext, name: str, value: bytes) -> int:
    session = cast(Session, ctx.getpriv())
    collector = session.collector
    if collector is not None and collector.wants_header:
        # Without it the MTA has taken one space away.
        collector.header(name, value if session.spaced else b" " + value)
    return session.header_answer


def _macro(ctx: milter.milterContext, name: str) -> str:
    """Return a macro; empty where the MTA has none or it is no text, which pymilter decodes strictly."""
    try:
        return ctx.getsymval(name) or ""
    except UnicodeDecodeError:
        return ""


def _code(reply: Reply) -> int:
    return milter.TEMPFAIL if reply.severity is Severity.TRANSIENT else milter.REJECT
