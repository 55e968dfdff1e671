"""Addresses: as received and canonical, a strict grammar for the directory's, and patterns for rights.

An MTA takes one mailbox in many spellings and, worse, repairs what it can't parse into somebody else's address.
So comparison always uses the *canonical* form (domain as lower-case A-labels, local part case-folded only in
own domains) and nothing reaches the envelope that `strict` has not passed. What doesn't parse is ``None``,
never a guess.

Sources: RFC 5321 section 4.1.2 and 4.5.3.1, RFC 6531 section 3.3, RFC 5891 (IDNA), Postfix's postconf(5)
``strict_rfc821_envelopes`` and ``allow_percent_hack``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import idna

_ATEXT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~")
# Postfix and Sendmail give these a meaning of their own (percent hack, bang path, command, file, option).
_REWRITTEN = frozenset("%!")
_COMMENT = re.compile(r"\([^()\"]*\)")
_LEADING = frozenset("-|/:")
# Persian and the scripts of India can't be written without; all else that can't be seen is no text of an address.
_JOINERS = frozenset("\u200c\u200d")
_MAX_LOCAL = 64
_MAX_DOMAIN = 255
_MAX_ADDRESS = 254


@dataclass(frozen=True, slots=True)
class Address:
    """One envelope address: the argument exactly as received, and its canonical form.

    ``received`` may hold surrogates for bytes that are not UTF-8. ``canonical`` is empty for the null sender.
    ``routed`` tells of a source route (RFC 5321 appendix C) or another detour, which is never followed.
    """

    received: str
    canonical: str
    routed: bool = False

    @property
    def domain(self) -> str:
        """The canonical domain, or an empty string."""
        return domain_of(self.canonical)


def domain_of(canonical: str) -> str:
    """Return what stands right of the last ``@`` of a canonical address; empty where there is none."""
    return canonical.rpartition("@")[2] if "@" in canonical else ""


@lru_cache(maxsize=4096)
def canonical_domain(domain: str) -> str | None:
    """Return a domain as lower-case A-labels without a trailing dot (RFC 5891); None where it is no host name."""
    name = domain.removesuffix(".")
    if not name or len(name) > _MAX_DOMAIN:
        return None
    if name.isascii():
        return name.lower() if all(_ldh(label) for label in name.split(".")) else None
    try:
        # Other dots than the full stop are mapped to it, at the end too.
        return idna.encode(name, uts46=True).decode("ascii").lower().removesuffix(".")
    except idna.IDNAError:
        return None


def _ldh(label: str) -> bool:
    if not 0 < len(label) <= 63 or label[0] == "-" or label[-1] == "-":
        return False
    return label.replace("-", "").replace("_", "").isalnum()


def _text(character: str) -> bool:
    if character in _ATEXT or character in _JOINERS:
        return True
    return character >= "\xa0" and unicodedata.category(character)[0] not in "ZC"


def _unquoted(local: str) -> str | None:
    """Return the content of a quoted or backslashed local part (RFC 5321 4.1.2), None where it is malformed."""
    if local.isalnum():
        return local
    if len(local) >= 2 and local[0] == local[-1] == '"':
        local = local[1:-1]
        if '"' in local.replace("\\\\", "").replace('\\"', ""):
            return None
    kept: list[str] = []
    characters = iter(local)
    for character in characters:
        kept.append(next(characters, "") if character == "\\" else character)
    return "".join(kept)


def _encodable(text: str) -> bool:
    """Tell whether text holds no surrogate, the mark of an octet that is not UTF-8."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def canonical(address: str, own_domains: frozenset[str] = frozenset()) -> str | None:
    """Return the canonical form of a mailbox ``local@domain``, None where it is none.

    :param address: without angle brackets, comments or route.
    :param own_domains: canonical domains of the organisation; only there the local part is case-folded, since
        elsewhere its case belongs to the receiving host (RFC 5321 section 2.4).
    """
    local, at, domain = address.strip(" \t").rpartition("@")
    host = canonical_domain(domain.strip(" \t")) if at else None
    plain = _unquoted(local.strip(" \t"))
    if host is None or not plain or not _encodable(plain):
        return None
    return f"{plain.casefold() if host in own_domains else plain}@{host}"


def readable(canonical: str) -> str:
    """Return a canonical address, its domain in U-labels (RFC 5890) as people write it, where they mean the same."""
    local, at, domain = canonical.rpartition("@")
    try:
        shown = idna.decode(domain) if "xn--" in domain else domain
    except idna.IDNAError:
        return canonical
    return f"{local}{at}{shown}" if canonical_domain(shown) == domain else canonical


def strict(address: str) -> str | None:
    """Return an address from the directory ready for the envelope, or None: refuse what an MTA would repair.

    Only dot-atom local parts (RFC 5321, RFC 6531) without the characters that MTAs rewrite; the domain as
    A-labels; at most 64 octets before the ``@`` and 254 in all.
    """
    local, at, domain = address.partition("@")
    host = canonical_domain(domain) if at else None
    if host is None or domain.endswith(".") or not _dot_atom(local) or "." not in host:
        return None
    whole = f"{local}@{host}"
    return whole if len(whole.encode()) <= _MAX_ADDRESS else None


def unmistakable(address: str) -> bool:
    """Tell whether every reader takes an address for the same one: what a right may hang on.

    Not so for encoded words (RFC 2047 section 5: none stands in an address), for characters that only look like
    others or can't be seen, and for domains that are not written as IDNA2008 wants them (RFC 5890 section 2.3.2.1);
    the case of U-labels and the composition of their characters don't matter.
    """
    local, _, domain = address.partition("@")
    if "=?" in local or "?=" in local:
        return False
    return _as_it_looks(local) and all(map(_is_label, domain.split(".")))


def _as_it_looks(local: str) -> bool:
    if local.isascii():
        return True
    composed = unicodedata.normalize("NFC", local)
    if not _JOINERS.isdisjoint(local):
        return False
    return not composed.isascii() and unicodedata.normalize("NFKC", local) == composed


def _is_label(label: str) -> bool:
    """Tell whether a label is plain ASCII, a U-label in any case, or the A-label of one."""
    if label.isascii() and not label.lower().startswith("xn--"):
        return True
    try:
        if label.isascii():
            return idna.encode(idna.decode(label)).decode("ascii") == label.lower()
        return idna.encode(unicodedata.normalize("NFC", label.lower())).startswith(b"xn--")
    except (idna.IDNAError, UnicodeError):
        return False


def _dot_atom(local: str) -> bool:
    if not local or local[0] in _LEADING or len(local.encode("utf-8", "replace")) > _MAX_LOCAL:
        return False
    if not _REWRITTEN.isdisjoint(local):
        return False
    return all(atom and all(map(_text, atom)) for atom in local.split("."))


@lru_cache(maxsize=4096)
def path(argument: str, own_domains: frozenset[str], resolved: str | None = None) -> Address | None:
    """Read the argument of MAIL or RCPT (RFC 5321 section 4.1.2), None where no mailbox can be read from it.

    :param argument: as the milter got it, with or without angle brackets.
    :param own_domains: see `canonical`.
    :param resolved: the MTA's own reading, macro ``{mail_addr}`` or ``{rcpt_addr}``; it decides where given, as
        only the MTA knows its domain completion.
    """
    inner = argument.strip()
    if inner.startswith("<") and inner.endswith(">"):
        inner = inner[1:-1].strip()
    if not inner:
        return Address(argument, "")
    # Sendmail's macro is a bare user where delivery is local; then the argument says more.
    mailbox = resolved if resolved and "@" in resolved else inner
    if mailbox.startswith("@"):
        mailbox = mailbox.partition(":")[2]
    whole = canonical(mailbox, own_domains)
    if whole is None:
        return None
    final = _unrouted(whole, own_domains)
    return Address(argument, final, final != whole or _detour(inner, whole))


def spelt(argument: str) -> str:
    """Return an argument of RCPT as Postfix repeats it in a reply: its case, without brackets, route and quotes.

    :param argument: as the milter got it; what can't be read comes back as it is.
    """
    inner = _COMMENT.sub("", argument.strip()).strip()
    if inner.startswith("<") and inner.endswith(">"):
        inner = inner[1:-1].strip()
    if inner.startswith("@"):
        inner = inner.partition(":")[2]
    local, at, domain = inner.rpartition("@") if not inner.endswith('"') else (inner, "", "")
    if not at:
        local, domain = inner, ""
    local = local.strip()
    return f"{_unquoted(local) or local}{at}{domain.strip()}"


def _detour(inner: str, whole: str) -> bool:
    """Tell whether an argument has a route, behind a comment too, or octets that can't be sent back."""
    return inner.startswith("@") or (":" in inner and ":" not in whole) or not _encodable(inner)


def _unrouted(whole: str, own_domains: frozenset[str]) -> str:
    """Return where ``user%host@own`` or ``host!user@own`` would end up, else the address as it is."""
    while True:
        local, _, domain = whole.rpartition("@")
        if domain not in own_domains or _REWRITTEN.isdisjoint(local):
            return whole
        host, bang, user = local.partition("!")
        if not bang:
            user, _, host = local.rpartition("%")
        further = canonical(f"{user}@{host}", own_domains)
        if further is None:
            return whole
        whole = further


@dataclass(frozen=True, slots=True)
class Pattern:
    """Whom an address right names: one address, a domain (``@domain``), or it and all below (``@.domain``)."""

    local: str
    domain: str
    below: bool

    def matches(self, address: str) -> bool:
        """Tell whether a canonical address is meant; local parts compare without case, as people write them."""
        local, _, domain = address.rpartition("@")
        if self.local:
            return local.casefold() == self.local and domain == self.domain
        return domain == self.domain or (self.below and domain.endswith(f".{self.domain}"))

    def covers(self, other: Pattern) -> bool:
        """Tell whether every address that the other pattern means is meant by this one."""
        if self.local:
            return self == other
        within = other.domain == self.domain and (self.below or not other.below)
        return within or (self.below and other.domain.endswith(f".{self.domain}"))

    def __str__(self) -> str:
        """Return the pattern as it is written in the directory."""
        return f"{self.local}@{'.' if self.below else ''}{self.domain}"


def pattern(text: str) -> Pattern | None:
    """Read ``address``, ``@domain`` or ``@.domain`` (also a bare domain); None where it is none of them."""
    local, at, domain = text.strip().rpartition("@")
    if at and local:
        whole = canonical(f"{local}@{domain}")
        return (
            None
            if whole is None
            else Pattern(whole.rpartition("@")[0].casefold(), domain_of(whole), below=False)
        )
    host = canonical_domain(domain.removeprefix("."))
    return None if host is None else Pattern("", host, domain.startswith("."))


def first_match(patterns: Iterable[Pattern], addresses: Iterable[str]) -> Pattern | None:
    """Return the first pattern that names one of the canonical addresses, else None."""
    known = tuple(addresses)
    return next((p for p in patterns if any(p.matches(address) for address in known)), None)


def extended(address: str, delimiters: str) -> tuple[str, str]:
    """Return an address without its extension, and that; both empty where it has none.

    :param delimiters: any one of them begins an extension (postconf(5), ``recipient_delimiter``).
    """
    local, _, domain = address.rpartition("@")
    marks = [place for mark in delimiters if (place := local.find(mark, 1)) > 0]
    if not marks:
        return "", ""
    return f"{local[: min(marks)]}@{domain}", local[min(marks) + 1 :]


def with_extension(address: str, extension: str, delimiters: str) -> str:
    """Return an address with an extension, by the first of the delimiters; empty where no MTA would take that."""
    local, _, domain = address.rpartition("@")
    return (strict(f"{local}{delimiters[0]}{extension}@{domain}") or "") if delimiters else ""


def xtext(text: str) -> str:
    """Encode for ORCPT (RFC 3461 section 4): ``+``, ``=`` and what is not printable ASCII become ``+XX``."""
    return "".join(
        c
        if "!" <= c <= "~" and c not in "+="
        else "".join(f"+{byte:02X}" for byte in c.encode("utf-8", "replace"))
        for c in text
    )
