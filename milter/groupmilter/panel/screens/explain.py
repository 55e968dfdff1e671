"""Explain: who may write to a group? A sender, how proven, how large; then the answer and how it came about.

The same code answers as for the command ``explain`` and for live mail. Everybody may ask for himself, about groups that
he may see; owners and administrators for any sender, and they see why. Of groups inside that are none of the visitor's
business neither name nor reason is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup
from starlette.responses import Response

from groupmilter.authentication.identity import Connection, Proofs
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import digest
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import canonical, domain_of, strict
from groupmilter.membership.roles import Roles
from groupmilter.moderation.circle import Lookup
from groupmilter.panel.reasons import because_words, rule_words
from groupmilter.panel.routes import get
from groupmilter.panel.visit import Visit
from groupmilter.policy.case import Answer, Step
from groupmilter.policy.disposition import Deferred, Expanded, Refused, Reported, Split
from groupmilter.policy.explain import word
from groupmilter.policy.facts import Identity
from groupmilter.rehearsal.case import Observed
from groupmilter.rehearsal.explanation import Explanation, explained, question

SOMEWHERE = "203.0.113.1"
"""Whoever asks comes from an address of nobody's (RFC 5737), so from the Internet."""

_LARGEST = 10_000
_MEGA = 1_000_000
_LONGEST = 320

PROOFS = (
    ("login", marked("He has logged in to our mail server")),
    ("dkim", marked("His domain has signed the message (DKIM)")),
    ("spf", marked("His domain vouches for the server it comes from (SPF)")),
    ("nothing", marked("By nothing: anybody may have put that address there")),
)

_ANSWERS = {
    "expand": (marked("Yes: the message reaches the group."), "good"),
    "split": (marked("Yes: the message reaches the group."), "good"),
    "hold": (marked("Only after approval: the message waits for the moderators."), "warn"),
    "refuse": (marked("No: the message is refused."), "bad"),
    "report": (marked("No: the message is refused."), "bad"),
    "defer": (marked("Not now: the sender's mail server is told to try again later."), "warn"),
}
_UNCLEAR = (marked("That can't be said before the message is there."), "warn")
_NO_GROUP = marked("No group has this address.")
_NO_ADDRESS = marked("That is no mail address.")
_NO_SIZE = marked("A number of megabytes is wanted, such as 2 or 0.5.")


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question as it was typed.

    :param free: whether the visitor may ask for other senders than himself, and see why.
    """

    group: Group | None
    typed: str
    sender: str
    proof: str
    size: str
    free: bool
    wrong: Mapping[str, Markup]


@dataclass(frozen=True, slots=True)
class Line:
    """One rule in the answer's trace; ``group`` is empty where it is the one that was asked about."""

    group: Markup
    rule: Markup
    answer: Answer
    because: Markup


@dataclass(frozen=True, slots=True)
class Shown:
    """The answer as the page shows it.

    :param reply: what the sender's mail server is told. ``members``: how many get it; None where that isn't shown.
    :param notes: what else becomes of it. ``lines``: why; none for whom that is none of his business.
    """

    answer: Markup
    tone: str
    reply: str
    members: int | None
    identity: Identity
    notes: Sequence[Markup]
    lines: Sequence[Line]


def show(visit: Visit) -> Response:
    """Show the form, and the answer where a group is given."""
    with visit.parts.lookups.snapshot() as directory:
        roles = visit.parts.roles(visit.me.person, directory)
        asked = _asked(visit, roles, directory)
        login = _login(asked, directory)
    logged_in = asked.proof == "login"
    connection = Connection(SOMEWHERE, (login or asked.sender) if logged_in else "")
    answer = None
    if asked.group is not None and not asked.wrong:
        found = _explained(visit, asked, asked.group, connection)
        with visit.parts.lookups.snapshot() as directory:
            answer = _shown(visit, found, roles, directory, asked)
    content = {
        "asked": asked, "wrong": asked.wrong, "proofs_known": PROOFS, "answer": answer,
        "stranger": asked.free and logged_in and not login,
    }  # fmt: skip
    return visit.page("screens/explain.html", content, 422 if asked.wrong else 200)


def _asked(visit: Visit, roles: Roles, directory: Lookup) -> _Asked:
    typed = visit.asked("group")[:_LONGEST]
    group = _group(visit, typed, roles, directory)
    free = roles.administers_everything or (group is not None and roles.may_change(group))
    sender = visit.asked("sender")[:_LONGEST] if free else ""
    wrong = {} if group is not None or not typed else {"group": visit.t(_NO_GROUP)}
    if sender and strict(sender) is None:
        wrong["sender"] = visit.t(_NO_ADDRESS)
    size = visit.asked("size")[:100]
    if size and _octets(size) is None:
        wrong["size"] = visit.t(_NO_SIZE)
    proof = visit.asked("proof") if free and sender else "login"
    known = {name for name, _ in PROOFS}
    own = sender or visit.me.person.address
    return _Asked(group, typed, own, proof if proof in known else "login", size, free, wrong)


def _group(visit: Visit, typed: str, roles: Roles, directory: Lookup) -> Group | None:
    """Return the group that is asked about; none that is hidden from the visitor."""
    if "@" in typed:
        address = canonical(typed, visit.parts.settings.own_domains)
        found = directory.find(address) if address else None
    else:
        found = directory.by_digest(digest(typed)) if typed else None
    visible = isinstance(found, Group) and (not found.hidden or bool(roles.to(found)))
    return found if isinstance(found, Group) and visible else None


def _octets(text: str) -> int | None:
    try:
        size = float(text.replace(",", "."))
    except ValueError:
        return None
    return round(size * _MEGA) if 0 < size <= _LARGEST else None


def _login(asked: _Asked, directory: Lookup) -> str:
    """Return the log-in of whose address the sender's is; empty where nobody in the directory logs in with it."""
    found = directory.find(canonical(asked.sender) or asked.sender)
    return found.logins[0] if isinstance(found, Person) and found.logins else ""


def _explained(visit: Visit, asked: _Asked, group: Group, connection: Connection) -> Explanation:
    domain = frozenset({domain_of(canonical(asked.sender) or asked.sender)})
    nobody: frozenset[str] = frozenset()
    proofs = Proofs(domain if asked.proof == "dkim" else nobody, domain if asked.proof == "spf" else nobody)
    moment = datetime.fromtimestamp(visit.parts.now()).astimezone()
    size = _octets(asked.size) if asked.size else None
    message = question(connection, asked.sender, group.address, proofs, size, moment)
    return explained(message, visit.parts.watch.site)


def _shown(visit: Visit, found: Explanation, roles: Roles, directory: Lookup, asked: _Asked) -> Shown:
    [observed] = found.observed
    disposition = observed.verdict.disposition
    sentence, tone = _ANSWERS.get(word(disposition), _UNCLEAR)
    reply = str(disposition.reply) if isinstance(disposition, Refused | Deferred | Reported) else ""
    inside = disposition.expansion if isinstance(disposition, Expanded | Split) else None
    members = len(inside.members) if inside is not None and asked.free else None
    return Shown(
        visit.t(sentence), tone, reply, members, found.identity,
        tuple(_notes(visit, observed, roles)) if asked.free else (),
        _lines(visit, found, roles, directory) if asked.free else (),
    )  # fmt: skip


def _notes(visit: Visit, observed: Observed, roles: Roles) -> list[Markup]:
    """Return what else becomes of the message, without names that are none of the visitor's business."""
    disposition = observed.verdict.disposition
    if not isinstance(disposition, Expanded | Split):
        return []
    t, expansion = visit.t, disposition.expansion
    notes = [
        t("The copy for {group} inside waits for its own moderators.", group=_name(visit, group, roles))
        for group in expansion.holds
    ]
    notes += [
        t(
            "{group} inside doesn't take it: {reply}",
            group=_name(visit, group, roles),
            reply=str(refusal.reply),
        )
        for group, refusal in expansion.refused
    ]
    if all(roles.may_change(group) for group in expansion.walked):
        notes += [t("Left out: {why}", why=_why(visit, why)) for why in expansion.left_out]
        notes += [
            t("Left out, since mail fails there: {address}", address=one) for one in expansion.suspended
        ]
    return notes


def _why(visit: Visit, because: str) -> Markup:
    return because_words(visit.t, because, attributes=visit.me.administrator)


def _name(visit: Visit, group: Group, roles: Roles) -> Markup:
    if group.hidden and not roles.to(group):
        return visit.t("a group")
    return Markup("<bdi>{}</bdi>").format(group.address)


def _lines(visit: Visit, found: Explanation, roles: Roles, directory: Lookup) -> Sequence[Line]:
    """Return the trace: of groups that the visitor may not change only what they answered."""
    [observed] = found.observed
    return tuple(_line(visit, step, found, roles, directory) for step in observed.verdict.trace)


def _line(visit: Visit, step: Step, found: Explanation, roles: Roles, directory: Lookup) -> Line:
    group = directory.find(step.group)
    asked_for = step.group == found.message.recipients[0]
    known = isinstance(group, Group)
    name = (
        Markup()
        if asked_for
        else _name(visit, group, roles)
        if isinstance(group, Group)
        else visit.t("a group")
    )
    mine = known and isinstance(group, Group) and roles.may_change(group)
    because = _why(visit, step.because) if mine else visit.t("only its owners see why")
    return Line(name, rule_words(visit.t, step.rule), step.answer, because)


ROUTES = (get("/explain", show),)
