"""The certificate that a client has shown in its TLS handshake, as the MTA tells of it at HELO. Pure.

Sendmail tells of every certificate, by its distinguished names, and says in ``{verify}`` whether it trusts it; Postfix
tells of those only that it trusts, by their common names, and has no ``{verify}``. A name that could be of the other
kind proves nothing.

Sources: Sendmail, doc/op/op.me, "STARTTLS macros"; Postfix, MILTER_README and smtpd_milter.c.
"""

from __future__ import annotations

from collections.abc import Callable

MACROS = "{verify} {cert_subject} {cert_issuer} {cn_subject} {cn_issuer}"
"""What is asked for at HELO, the five names that pymilter takes for one stage."""


def verified(macro: Callable[[str], str], names: tuple[str, ...]) -> tuple[str, str]:
    """Return subject and issuer of a client certificate that the MTA trusts; both empty where there is none.

    :param macro: gives a macro's value, empty where the MTA has none.
    :param names: subjects that are known; Sendmail's whole name counts where it is among them, else its common name.
    """
    verify, subject, issuer = macro("{verify}"), macro("{cert_subject}"), macro("{cert_issuer}")
    if verify == "OK":
        whole = subject.casefold() in (name.casefold() for name in names)
        return (subject, issuer) if whole else (macro("{cn_subject}"), macro("{cn_issuer}"))
    # A distinguished name without a word on its proof: a Sendmail that doesn't tell.
    return (subject, issuer) if not verify and not subject.startswith("/") else ("", "")
