"""Whether a client may send for a domain: SPF (RFC 7208; the only importer of pyspf).

The library evaluates; each of its questions goes through our resolver, so that deadline, cache and "unknown" are ours.
Only `pass` says yes. `temperror` is `DnsUnknown`; everything else, whatever the library raises on a stranger's record
among it, is a no with its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import spf

from groupmilter.authentication.resolver import DnsUnknown, Resolver

_LARGEST_RECORD = 4_096
_MOST_VOID = 2
"""Octets of a record, and questions without an answer, after which an evaluation is in error (section 4.6.4)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What tells whether SPF passes."""

    resolver: Resolver

    def fault(self, client: str, sender: str, helo: str, until: float) -> str:
        """Return why SPF doesn't pass for the envelope sender's domain; empty where it does.

        :param client: IP address; an IPv4-mapped one counts as the IPv4 one.
        :param sender: canonical; empty for the null sender, and then the HELO name is asked about (section 2.4).
        :param until: by `time.monotonic`.
        :raises DnsUnknown: where DNS can't tell.
        """

        def ask(name: str, kind: str) -> list[Any]:
            try:
                return list(self.resolver.ask(name, kind, until))
            except DnsUnknown as error:
                raise spf.TempError(str(error)) from error

        try:
            result, _, said = _Query(client, sender, helo or "unknown", ask).check()
        except Exception as error:  # noqa: BLE001 - the library was not written for every record that strangers publish
            return f"not readable ({type(error).__name__})"
        if result == "temperror":
            raise DnsUnknown(
                said.removeprefix("SPF Temporary Error: DNS ").removeprefix("SPF Temporary Error: ")
            )
        return "" if result == "pass" else f"result {result}"


class _Query(spf.query):
    """An evaluation whose questions are asked by our resolver, which follows aliases itself."""

    def __init__(self, client: str, sender: str, helo: str, ask: Callable[[str, str], list[Any]]) -> None:
        super().__init__(client, sender, helo, strict=True)
        self.ask = ask

    def dns(self, name: object, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:  # noqa: ARG002
        """Answer one of the library's questions: for TXT each record as a tuple of strings."""
        found = self.ask(str(name), qtype)
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > _MOST_VOID:
                raise spf.PermError(f"more than {_MOST_VOID} questions without an answer")
        if qtype != "TXT":
            return found
        if any(len(text) > _LARGEST_RECORD and text[:6].lower() == b"v=spf1" for text in found):
            raise spf.PermError("a record that is too long")
        return [(text,) for text in found]

    def get_explanation(self, spec: str) -> None:
        """Ask for no explanation: nobody would read it."""
