"""Composing what people read: requests, reminders, summaries, outcomes, reports. Pure; never raises for a message.

Plain text and HTML say the same; French, English, or both where nobody knows which somebody reads. No letter holds
what an outsider wrote as anything but text, names a moderator to a sender, or can be answered by a machine.
Sources: RFC 3834, RFC 3464, RFC 6522, RFC 6068, RFC 2046 section 5.2.1.
"""

from __future__ import annotations

import email.policy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.utils import format_datetime, make_msgid
from html import escape
from textwrap import fill
from urllib.parse import quote

from groupmilter.mail.reply import Reply
from groupmilter.moderation.arrival import plain, text_of
from groupmilter.moderation.attaching import attachment_names, why_not_attached
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.wording import WORDS

_EXCERPT = 1_000
_LISTED = 50
_SUBJECT = 90
_WIDTH = 76
_STYLE = {
    "body": "margin:0;padding:16px;font:16px/1.5 sans-serif;color:#1a1a1a;background:#ffffff",
    "main": "max-width:600px;margin:0 auto",
    "approve": "display:inline-block;padding:12px 24px;margin:8px 8px 8px 0;background:#1b6e3c;color:#ffffff;"
    "text-decoration:none;border-radius:6px;font-weight:bold",
    "reject": "display:inline-block;padding:12px 24px;margin:8px 0;background:#a52222;color:#ffffff;"
    "text-decoration:none;border-radius:6px;font-weight:bold",
    "th": "text-align:left;vertical-align:top;padding:4px 12px 4px 0;color:#555555;font-weight:normal",
    "pre": "white-space:pre-wrap;overflow-wrap:anywhere;background:#f3f3f3;padding:12px;border-radius:6px",
    "td": "padding:4px 0;overflow-wrap:anywhere",
}


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who gets a letter; ``language`` fr or en, anything else: both."""

    address: str
    name: str = ""
    language: str = ""
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class Ways:
    """How one moderator decides about one item: two addresses and a page; empty where there is none."""

    approve: str
    reject: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """One language's part of a letter: a heading, rows of a table, paragraphs, and what may be pressed."""

    paragraphs: tuple[str, ...]
    rows: tuple[tuple[str, str], ...] = ()
    ways: Ways | None = None
    labels: tuple[str, str, str] = ("", "", "")
    excerpt: tuple[str, str] = ("", "")
    after: tuple[str, ...] = ()
    colon: str = ":"


@dataclass(frozen=True, slots=True)
class Letters:
    """Composes the letters of a site.

    :param language: which comes first where both are written. ``releases``: whether an expired item goes out.
    :param largest_attachment: octets up to which the original is attached.
    """

    service_domain: str
    largest_attachment: int
    language: str = "fr"
    releases: bool = False
    zone: tzinfo | None = None

    def request(
        self, item: Item, message: bytes, to: Addressee, ways: Ways, now: int, *, reminder: bool = False
    ) -> EmailMessage:
        """Return the request to decide about an item, with the original where it can be attached."""
        kind = "reminder" if reminder else "request"
        unattached = why_not_attached(message, self.largest_attachment)
        parts = [
            self._request(language, kind, item, message, ways, unattached) for language in self._languages(to)
        ]
        letter = self._letter(item, to, f"{kind}-subject", now)
        if not reminder:
            letter.replace_header("Message-ID", self._thread(item))
        else:
            letter["In-Reply-To"] = self._thread(item)
        self._fill(letter, parts)
        if not unattached:
            _attach_original(letter, message)
        return letter

    def _request(
        self, language: str, kind: str, item: Item, message: bytes, ways: Ways, unattached: str
    ) -> _Part:
        words = WORDS[language]
        group = item.terms.group_address
        files = attachment_names(message)
        rows = [
            (words["author"], item.arrival.author),
            (words["strength"], self._sender(words, item)),
            (words["subject"], item.arrival.subject or words["no-subject"]),
            (words["why"], _why(words, item.terms.why)),
            (words["size"], _size(item.arrival.size, language)),
        ]
        if files:
            rows.append((words["files"], ", ".join(files)))
        if item.terms.expires:
            when = "expires-release" if self.releases else "expires-text"
            rows.append((words["expires"], words[when].format(time=self._time(item.terms.expires, language))))
        after: tuple[str, ...] = (words[unattached or "attached"], words["mail-way"], words["reply"])
        if not ways.approve:
            after = (words["no-ways"],)
        return _Part(
            (words[kind].format(group=group),),
            tuple(rows),
            ways if ways.approve else None,
            (words["approve"], words["reject"], words["link-way"]),
            (words["excerpt"], _excerpt(message)),
            after,
            " :" if language == "fr" else ":",
        )

    def summary(self, items: Sequence[Item], to: Addressee, panel: str, now: int) -> EmailMessage:
        """Return one letter for many items that wait."""
        parts = []
        for language in self._languages(to):
            words = WORDS[language]
            rows = [
                (item.terms.group_address, f"{item.arrival.author}: {item.arrival.subject}")
                for item in items[:_LISTED]
            ]
            more = (words["more"].format(count=len(items) - _LISTED),) if len(items) > _LISTED else ()
            parts.append(_Part((words["summary"],), tuple(rows), after=(*more, *((panel,) if panel else ()))))
        letter = self._letter(items[0], to, "summary-subject", now, count=str(len(items)))
        self._fill(letter, parts)
        return letter

    def decided(self, item: Item, to: Addressee, now: int) -> EmailMessage:
        """Return that somebody else was first: who, and when."""
        states = {State.REJECTED: "rejected", State.EXPIRED: "expired"}
        key = f"decided-{states.get(item.state, 'approved')}"
        parts = []
        for language in self._languages(to):
            text = WORDS[language][key].format(by=item.decided_by, time=self._time(item.decided, language))
            parts.append(_Part((text,), _reason(language, item)))
        letter = self._letter(item, to, "decided-subject", now)
        letter["In-Reply-To"] = self._thread(item)
        self._fill(letter, parts)
        return letter

    def invalid(self, why: str, to: Addressee) -> EmailMessage:
        """Return that an answer decided nothing, and why."""
        key = f"invalid-{why}" if f"invalid-{why}" in WORDS["en"] else "invalid-gone"
        letter = self._letter(None, to, "invalid-subject", 0)
        self._fill(letter, [_Part((WORDS[language][key],)) for language in self._languages(to)])
        return letter

    def outcome(self, item: Item, kind: str, to: Addressee, message: bytes) -> EmailMessage:
        """Return what the sender learns: ``held``, ``rejected`` or ``expired``; no moderator is named."""
        parts = []
        for language in self._languages(to):
            words = WORDS[language]
            text = words[kind].format(group=item.terms.group_address)
            rows = _reason(language, item) if kind == "rejected" else ()
            parts.append(_Part((text,), rows, after=(words["about"],)))
        letter = self._letter(item, to, f"{kind}-subject", item.decided or item.recorded)
        if item.arrival.message_id.isascii() and item.arrival.message_id:
            letter["In-Reply-To"] = plain(item.arrival.message_id)
        self._fill(letter, parts)
        _attach_header(letter, message)
        return letter

    def report(
        self, item: Item, message: bytes, to: str, reply: Reply, reporting_mta: str, group: str
    ) -> EmailMessage:
        """Return a delivery status notification for a group that did not take a message (RFC 3464)."""
        letter = self._letter(item, Addressee(to), "report-subject", item.recorded)
        parts = [
            _Part((WORDS[language]["report"].format(group=group), str(reply)))
            for language in self._languages(Addressee(to))
        ]
        letter.set_content(_text(parts), cte="quoted-printable")
        letter.make_mixed()
        status = Message()
        status["Content-Type"] = "message/delivery-status"
        status.set_payload(
            f"Reporting-MTA: dns; {reporting_mta}\n\n"
            f"Final-Recipient: rfc822; {group}\nAction: failed\nStatus: {reply.enhanced}\n"
            f"Diagnostic-Code: smtp; {reply}\n"
        )
        letter.attach(status)  # type: ignore[arg-type]
        _attach_header(letter, message)
        letter.replace_header("Content-Type", "multipart/report")
        letter.set_param("report-type", "delivery-status")
        return letter

    # what all letters have in common

    def _letter(self, item: Item | None, to: Addressee, key: str, now: int, count: str = "") -> EmailMessage:
        letter = EmailMessage(policy=email.policy.SMTP.clone(cte_type="7bit", linesep="\n"))
        group = item.terms.group_address if item else ""
        languages = self._languages(to)
        first = WORDS[languages[0]]
        subject = plain(item.arrival.subject, _SUBJECT) if item else ""
        filled = {"group": group, "subject": subject or first["no-subject"], "count": count}
        letter["From"] = Address(
            plain(first["from"].format(group=group)) if group else "groupmilter",
            "moderation",
            self.service_domain,
        )
        letter["To"] = _address(to)
        letter["Subject"] = plain(first[key].format(**filled))
        letter["Date"] = format_datetime(datetime.fromtimestamp(now, self.zone).astimezone()) if now else None
        letter["Message-ID"] = make_msgid(domain=self.service_domain)
        letter["Auto-Submitted"] = "auto-generated"
        letter["X-Auto-Response-Suppress"] = "All"
        if not now:
            del letter["Date"]
        return letter

    def _thread(self, item: Item) -> str:
        return f"<{item.name}.request@{self.service_domain}>"

    def _languages(self, to: Addressee) -> tuple[str, ...]:
        wanted = to.language[:2].lower()
        if wanted in WORDS:
            return (wanted,)
        return (self.language, "en" if self.language == "fr" else "fr")

    def _sender(self, words: dict[str, str] | object, item: Item) -> str:
        table = words if isinstance(words, dict) else WORDS["en"]
        proof = table.get(f"strength-{item.arrival.strength}", "")
        return f"{item.terms.sender_name}, {proof}" if item.terms.sender_name else proof

    def _time(self, seconds: int, language: str) -> str:
        moment = datetime.fromtimestamp(seconds, self.zone).astimezone()
        return moment.strftime("%d/%m/%Y à %H:%M (%z)" if language == "fr" else "%Y-%m-%d %H:%M (%z)")

    def _fill(self, letter: EmailMessage, parts: Sequence[_Part]) -> None:
        letter.set_content(_text(parts), cte="quoted-printable")
        letter.add_alternative(_html(parts), subtype="html", cte="quoted-printable")


def _address(to: Addressee) -> str | Address:
    try:
        return Address(plain(to.name), addr_spec=to.address)
    except (ValueError, IndexError):
        return to.address


def _why(words: object, why: str) -> str:
    table = words if isinstance(words, dict) else WORDS["en"]
    return str(table.get(f"why-{why}") or table["why-rule"].format(rule=plain(why)))


def _reason(language: str, item: Item) -> tuple[tuple[str, str], ...]:
    return ((WORDS[language]["reason"], item.comment),) if item.comment else ()


def _size(octets: int, language: str) -> str:
    unit = "Ko" if language == "fr" else "KB"
    return f"{max(1, round(octets / 1000))} {unit}"


def _excerpt(message: bytes) -> str:
    lines = [plain(line, 500) for line in text_of(message)[: 4 * _EXCERPT].splitlines()]
    whole = "\n".join(lines).strip()
    return whole if len(whole) <= _EXCERPT else f"{whole[:_EXCERPT]}…"


def _text(parts: Sequence[_Part]) -> str:
    return f"\n\n{'-' * 60}\n\n".join(map(_plain_part, parts)) + "\n"


def _plain_part(part: _Part) -> str:
    blocks = [fill(text, _WIDTH) for text in part.paragraphs]
    if part.rows:
        width = max(len(label) for label, _ in part.rows)
        blocks.append("\n".join(f"{label:<{width}}  {value}" for label, value in part.rows))
    if part.ways:
        approve, reject, page = part.labels
        blocks.append(f"{approve}{part.colon}\n  {part.ways.approve}")
        blocks.append(f"{reject}{part.colon}\n  {part.ways.reject}")
        if part.ways.link:
            blocks.append(f"{page}{part.colon}\n  {part.ways.link}")
    blocks += [fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False) for text in part.after]
    if part.excerpt[1]:
        quoted = "\n".join(f"| {line}" for line in part.excerpt[1].splitlines())
        blocks.append(f"{part.excerpt[0]}{part.colon}\n{quoted}")
    return "\n\n".join(blocks)


def _html(parts: Sequence[_Part]) -> str:
    inside = "<hr>".join(map(_html_part, parts))
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'</head><body style="{_STYLE["body"]}"><div style="{_STYLE["main"]}">{inside}</div></body></html>'
    )


def _html_part(part: _Part) -> str:
    pieces = [f"<p>{escape(text)}</p>" for text in part.paragraphs]
    rows = "".join(
        f'<tr><th style="{_STYLE["th"]}">{escape(label)}</th><td style="{_STYLE["td"]}">{escape(value)}</td></tr>'
        for label, value in part.rows
    )
    if rows:
        pieces.append(f"<table>{rows}</table>")
    if part.ways:
        approve, reject, page = part.labels
        pieces.append(
            f"<p>{_button('approve', approve, part.ways.approve)}{_button('reject', reject, part.ways.reject)}</p>"
        )
        if part.ways.link:
            pieces.append(f'<p><a href="{escape(part.ways.link)}">{escape(page)}</a></p>')
    pieces += [f"<p>{escape(text)}</p>" for text in part.after]
    if part.excerpt[1]:
        pieces.append(
            f'<p>{escape(part.excerpt[0])}</p><div style="{_STYLE["pre"]}">{escape(part.excerpt[1])}</div>'
        )
    return "".join(pieces)


def _button(style: str, label: str, address: str) -> str:
    target = f"mailto:{quote(address, safe='@')}?subject={quote(label)}"
    return f'<a style="{_STYLE[style]}" href="{escape(target)}">{escape(label)}</a>'


def _attach_original(letter: EmailMessage, message: bytes) -> None:
    letter.make_mixed()
    original = Message()
    original["Content-Type"] = "message/rfc822"
    original["Content-Disposition"] = 'attachment; filename="message.eml"'
    if not message.isascii():
        original["Content-Transfer-Encoding"] = "8bit"
    original.set_payload(message.decode("ascii", "surrogateescape"))
    letter.attach(original)  # type: ignore[arg-type]


def _attach_header(letter: EmailMessage, message: bytes) -> None:
    head = message.partition(b"\n\n")[0][:16_384].decode("utf-8", "replace")
    shown = "\n".join(line for line in head.splitlines() if line.strip())
    letter.add_attachment(shown + "\n", subtype="rfc822-headers", cte="quoted-printable")
