"""What MAIL FROM and RCPT TO say beside the address: ESMTP parameters, as far as anybody here reads them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from groupmilter.mail.address import Address

_SIZE_DIGITS = 20
"""RFC 1870 section 3; Python refuses to read thousands of them."""


def unreadable(argument: str) -> Address:
    """Return a sender that is no mailbox as a claim that can be compared, never as the null sender."""
    return Address(argument, argument.strip("<>").encode("utf-8", "replace").decode() or argument)


def declared(parameters: Sequence[str]) -> int | None:
    """Return the value of SIZE= (RFC 1870), None where it is absent or no number."""
    for parameter in parameters:
        if parameter.upper().startswith("SIZE=") and parameter[5:].isascii() and parameter[5:].isdigit():
            return int(parameter[5:][:_SIZE_DIGITS])
    return None


def parameter(parameters: Sequence[bytes], name: bytes) -> str:
    """Return the value of a parameter, empty where it is absent.

    :param name: in capitals, with its equals sign.
    """
    for parameter in parameters:
        if parameter.upper().startswith(name):
            return parameter[len(name) :].decode("ascii", "replace")
    return ""


def original(parameter: str) -> str:
    """Return the address of an ORCPT parameter of type rfc822 (RFC 3461 section 4.2); a ticket needs no decoding."""
    kind, _, address = parameter.partition(";")
    return address if kind.lower() == "rfc822" else ""
