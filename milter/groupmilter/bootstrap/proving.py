"""What computes proofs by DKIM and SPF, from the configuration. Never fails: what DNS can't tell, it says itself."""

from __future__ import annotations

from groupmilter.authentication.alignment import alignment
from groupmilter.authentication.proof import Bounds, Prover, Relay
from groupmilter.authentication.resolver import resolver
from groupmilter.config.reload import Configuration


def prover(configuration: Configuration) -> Prover:
    """Return the prover of one process (not to be carried over a fork); takes some 50 ms."""
    site = configuration.site
    asked = site.authentication
    relays = tuple(Relay(relay.net, relay.authserv_id) for relay in site.trusted_relays)
    bounds = Bounds(asked.signatures, asked.largest, float(asked.deadline))
    return Prover(resolver(asked.servers, float(asked.timeout)), alignment(), relays, bounds)
