"""Which domains belong to one organisation, by the list of public suffixes (the only importer of publicsuffixlist).

The list comes with the library and is read from disk once, when `alignment` is called; no network is asked. A domain
that nobody's list knows belongs to the organisation right below its top-level domain. Never fails: what is no domain
belongs to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from publicsuffixlist import PublicSuffixList


@dataclass(frozen=True, slots=True)
class Alignment:
    """Comparison of domains as DMARC does it (RFC 7489 section 3.1)."""

    suffixes: PublicSuffixList

    def organisation(self, domain: str) -> str:
        """Return the organisational domain (RFC 7489 section 3.2) of a canonical domain; empty for a public suffix."""
        return self.suffixes.privatesuffix(domain) or ""

    def related(self, one: str, other: str) -> bool:
        """Tell whether two canonical domains are aligned in relaxed mode: the same, or of one organisation.

        A public suffix is nobody's organisation, so it is aligned with itself alone.
        """
        if not one or not other:
            return False
        return one == other or (self.organisation(one) == self.organisation(other) != "")


def alignment() -> Alignment:
    """Return the comparison by the list that is installed; takes some 50 ms."""
    return Alignment(PublicSuffixList())
