"""The options about proofs from outside: whom DNS is asked of, how long, and which relays are believed.

A section of ``config.yaml``; see `groupmilter.config.model`.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from groupmilter.config.fields import Listing, Net, Octets, Seconds, host_and_port
from groupmilter.config.validation import STRICT

_DOMAIN_PORT = 53
_AUTHSERV_ID = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")


def _server(value: object) -> tuple[str, int]:
    wanted = "wants the IP address of a DNS server, such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53"
    if not isinstance(value, str):
        raise ValueError(wanted)
    try:
        return str(ip_address(value)), _DOMAIN_PORT
    except ValueError:
        pass
    try:
        host, port = host_and_port(value)
        return str(ip_address(host)), port
    except ValueError as error:
        raise ValueError(wanted) from error


def _authserv_id(value: object) -> str:
    if not isinstance(value, str) or not _AUTHSERV_ID.fullmatch(value):
        raise ValueError("wants the name at the head of its Authentication-Results, such as mx.example.org")
    return value.lower()


DnsServer = Annotated[tuple[str, int], BeforeValidator(_server)]


class Authentication(BaseModel):
    """How DKIM, SPF and DMARC are asked about, for messages that need such a proof.

    :param servers: address and port of DNS servers; none: those of resolv.conf(5).
    :param timeout: seconds for one question to DNS, with all servers and repetitions.
    :param deadline: seconds for everything that one message needs.
    :param signatures: how many DKIM signatures of one message are verified.
    :param largest: octets of a body; the signatures of a larger one are not verified.
    """

    model_config = STRICT

    servers: Annotated[tuple[DnsServer, ...], Listing] = ()
    timeout: Annotated[Seconds, Field(le=15)] = 2
    deadline: Annotated[Seconds, Field(le=15)] = 5
    signatures: Annotated[int, Field(ge=1, le=50)] = 8
    largest: Octets = 25_000_000


class TrustedRelay(BaseModel):
    """A relay in front of us, and the name under which it writes Authentication-Results (RFC 8601)."""

    model_config = STRICT

    net: Net
    authserv_id: Annotated[str, BeforeValidator(_authserv_id)]

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(
                f"wants the relay's authserv-id too: {{net: {value}, authserv_id: mx.example.org}}, "
                "as it stands at the head of its Authentication-Results"
            )
        return value
