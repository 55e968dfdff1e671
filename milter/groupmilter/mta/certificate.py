"""The certificate that a client has shown in its TLS handshake, as the MTA tells of it at HELO. Pure.

Sendmail tells of every certificate, by its distinguished names, and says in ``{verify}`` whether it trusts it; Postfix
tells of those only that it trusts, by their common names, and has no ``{verify}``. A name that could be of the other
kind proves nothing. Sendmail writes a space, ``"``, ``(``, ``)``, ``+``, ``<``, ``>`` and what isn't printable ASCII as
``+XX``; here it is read as it stands in the certificate.

Sources: Sendmail, doc/op/op.me, "STARTTLS macros"; Postfix, MILTER_README and smtpd_milter.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

MACROS = "{verify} {cert_subject} {cert_issuer} {cn_subject} {cn_issuer}"
"""What is asked for at HELO, the five names that pymilter takes for one stage."""


def verified(macro: Callable[[str], str], names: tuple[str, ...]) -> tuple[str, str]:
    """Return subject and issuer of a client certificate that the MTA trusts; both empty where there is none.

    :param macro: gives a macro's value, empty where the MTA has none.
    :param names: subjects that are known; Sendmail's whole name counts where it is among them, else its common name.
    """
    verify, subject, issuer = macro("{verify}"), macro("{cert_subject}"), macro("{cert_issuer}")
    if verify == "OK":
        whole = _plain(subject).casefold() in (name.casefold() for name in names)
        chosen = (subject, issuer) if whole else (macro("{cn_subject}"), macro("{cn_issuer}"))
        return _plain(chosen[0]), _plain(chosen[1])
    # A distinguished name without a word on its proof: a Sendmail that doesn't tell.
    return (subject, issuer) if not verify and not subject.startswith("/") else ("", "")


def _plain(name: str) -> str:
    """Return a name without Sendmail's way of writing it; what is no UTF-8 then stays as it was written."""
    octets = unquote_to_bytes(re.sub(r"\+([0-9A-Fa-f]{2})", r"%\1", name.replace("%", "%25")))
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return name
