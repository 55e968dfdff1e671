"""What somebody wrote himself in an answer: the lines above the quote, without signature. Pure; never raises.

A quote is told by its marks (``>``), by the line that introduces it (Gmail, Apple Mail, Thunderbird in several
languages, also where that line was broken in two or three), by Outlook's block of fields, or by a rule.
"""

from __future__ import annotations

import re

from groupmilter.mail.shown import prose
from groupmilter.moderation.arrival import message_of
from groupmilter.moderation.reading import text_of

_MOST = 1_000
_MOST_LINES = 400
_BROKEN = 3
"""Lines into which mail programs break the line that introduces a quote."""

_MARK = re.compile(r"^\s*(>|--\s?$|_{10,}\s*$|={10,}\s*$)")
_RULE = re.compile(
    r"^\s*-{2,}\s*(original message|original appointment|forwarded message|message d['’]origine|message original"
    r"|message transféré|message initial|ursprüngliche nachricht|originalnachricht|weitergeleitete nachricht"
    r"|mensaje original|messaggio originale|oorspronkelijk bericht|mensagem original|ursprungligt meddelande"
    r"|alkuperäinen viesti|wiadomość oryginalna)\s*-{2,}\s*$",
    re.IGNORECASE,
)
_INTRODUCTION = re.compile(
    r"^(?=.*\d)\s*(?:(?:on|le|el|il|op|em|den|w dniu)\b.{4,300}"
    r"(?:wrote|a écrit|escribió|ha scritto|het volgende|schreef.{0,200}|escreveu|skrev.{0,200}|napisał.{0,20})"
    r"|am\b.{4,200}\bschrieb\b.{0,200})\s*:\s*$",
    re.IGNORECASE,
)
_NAMED = re.compile(r"^.{1,200}<[^<>\s]{3,200}>\s*(?:wrote|a écrit|schrieb)\s*:\s*$", re.IGNORECASE)
_FROM = re.compile(r"^\s*\*?(from|de|von|da|van|från|lähettäjä|od)\s*\*?\s*:", re.IGNORECASE)
_FIELD = re.compile(
    r"^\s*\*?(sent|date|to|subject|envoyé|à|objet|gesendet|an|betreff|datum|enviado|para|asunto|inviato|a|oggetto"
    r"|verzonden|aan|onderwerp|skickat|till|ämne)\s*\*?\s*:",
    re.IGNORECASE,
)
_DEVICE = re.compile(
    r"^\s*(sent from (my|outlook|mail|yahoo|proton|samsung)\b|get outlook for\b|télécharger outlook\b"
    r"|envoyé (de mon|à partir d|depuis (mon|l['’]|outlook|yahoo|proton))|obtenez outlook\b|holen sie sich outlook\b"
    r"|von meinem .{2,40} gesendet|gesendet (von meinem|von outlook|mit der)\b|enviado desde mi\b"
    r"|inviato da(l mio| outlook)\b|verzonden vanaf (mijn|outlook)\b|enviado do meu\b|skickat från min\b)",
    re.IGNORECASE,
)


def own_text(octets: bytes) -> str:
    """Return what somebody wrote above the quote, up to 1,000 characters; empty where nothing can be read."""
    lines = [line.replace("\xa0", " ") for line in text_of(message_of(octets)).splitlines()[:_MOST_LINES]]
    own: list[str] = []
    for number, line in enumerate(lines):
        if _ends(lines[number : number + _BROKEN + 1]):
            break
        own.append(prose(line, _MOST))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(own)).strip()
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def _ends(following: list[str]) -> bool:
    """Tell whether what somebody wrote himself ends before the first of these lines."""
    line = following[0][:500]
    if any(mark.match(line) for mark in (_MARK, _RULE, _DEVICE, _NAMED)):
        return True
    if _FROM.match(line) and any(_FIELD.match(other[:100]) for other in following[1:]):
        return True
    whole = ""
    for part in following[:_BROKEN]:
        if not part.strip():
            return False
        whole = f"{whole} {part[:500]}".strip()
        if _INTRODUCTION.match(whole):
            return True
    return False
