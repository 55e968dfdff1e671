"""The name under which somebody logs in, as it is compared: without case, and without a realm that adds nothing."""

from __future__ import annotations

from collections.abc import Collection

from groupmilter.mail.address import canonical_domain


def login_name(login: str, realms: Collection[str]) -> str:
    """Return a login (RFC 4422, the authorisation identity) in the form in which it is compared.

    :param realms: canonical domains that make no difference: ``jean@example.org`` is then ``jean``. Any other realm
        stays, so that it never becomes somebody of ours.
    """
    name = login.strip().casefold()
    local, _, realm = name.rpartition("@")
    return local if local and realm and canonical_domain(realm) in realms else name
