"""What master.cf lacks for moderation: who writes the hold mailbox, and the listener that approved mail comes back by.

Pure: settings in, advice out. Sources: postconf(5), virtual(8), SASL_README, and trials with Postfix 3.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from groupmilter.cli.advice import Advice, Level
from groupmilter.cli.postfix_wanted import HOLD_SERVICE, addresses, below, milters, split

if TYPE_CHECKING:
    from groupmilter.cli.postfix_installed import Installed, Service
    from groupmilter.cli.postfix_wanted import Owner
    from groupmilter.config.model import Site

_AREA = "postfix"
_PRINTED = "see: groupmilter postfix"
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost", "::1")
_CHECKS = ("header_checks", "mime_header_checks", "nested_header_checks", "body_checks")


def advise_moderation(site: Site, postfix: Installed, owner: Owner | None) -> Iterator[Advice]:
    """Yield everything that is worth saying about the two services.

    :param owner: whom the desk runs as; None where it is root, who may move anybody's files.
    """
    yield from _hold_service(postfix, owner)
    named = [service for service in postfix.listeners if brings_back(site, service)]
    if not named:
        text = (
            f"no listener has milter_macro_daemon_name={site.service.release.daemon_name}:"
            " no letter reaches a moderator, and approved mail can't come back."
        )
        yield _bad("release listener", text, _PRINTED)
    for service in named:
        yield from _place(site, service)
        yield from _login(site, service, postfix)
        yield from _content(service, postfix)
        yield from _signers(site, service, postfix)


def brings_back(site: Site, service: Service) -> bool:
    """Tell whether a service is the release listener: what comes by it has passed the rules."""
    return service.overrides.get("milter_macro_daemon_name") == site.service.release.daemon_name


def _bad(subject: str, text: str, fix: str = "") -> Advice:
    return Advice(Level.ERROR, _AREA, subject, text, fix)


def _warn(subject: str, text: str, fix: str = "") -> Advice:
    return Advice(Level.WARNING, _AREA, subject, text, fix)


def _hold_service(postfix: Installed, owner: Owner | None) -> Iterator[Advice]:
    found = next((service for service in postfix.services if service.name == HOLD_SERVICE), None)
    if found is None:
        text = f"there is no service {HOLD_SERVICE}: mail to be held stays in Postfix's queue."
        yield _bad(f"master.cf {HOLD_SERVICE}", text, _PRINTED)
        return
    writer = found.overrides.get("virtual_uid_maps", "").removeprefix("static:")
    if owner is not None and writer.isdigit() and int(writer) != owner.uid:
        text = (
            f"it writes the hold mailbox as user {writer}, while groupmilter runs as user {owner.uid},"
            " which can then neither read nor move what lies there."
        )
        fix = f"    -o virtual_uid_maps=static:{owner.uid} -o virtual_gid_maps=static:{owner.gid}"
        yield _bad(f"master.cf {HOLD_SERVICE}", text, fix)


def _place(site: Site, service: Service) -> Iterator[Advice]:
    release = site.service.release
    host, _, port = service.name.rpartition(":")
    if host not in _LOOPBACK:
        text = "the release listener can be reached from outside this host; bind it to loopback."
        yield _bad(_label(service), text)
    if port.isdigit() and int(port) != release.port:
        text = f"groupmilter brings approved mail to port {release.port}, where nobody listens."
        yield _bad(_label(service), text, f"service: {{release: {{port: {port}}}}}")


def _login(site: Site, service: Service, postfix: Installed) -> Iterator[Advice]:
    label = _label(service)
    if postfix.effective(service, "smtpd_sasl_auth_enable") != "yes":
        text = "the release listener asks for no log-in, and every account of this host can reach it."
        yield _bad(label, text, "    -o smtpd_sasl_auth_enable=yes")
        return
    queue, ours = postfix.main["queue_directory"], site.release_socket
    asked = postfix.effective(service, "smtpd_sasl_path").removeprefix("unix:")
    kind = postfix.effective(service, "smtpd_sasl_type")
    if kind != "dovecot" or asked not in (str(ours), str(below(ours, queue))):
        text = f"it asks {kind or 'nobody'} ({asked or 'no path'}) about log-ins, who has to know ours, too."
        fix = f"    -o smtpd_sasl_type=dovecot -o smtpd_sasl_path={below(ours, queue)}"
        yield _warn(label, text, fix)
    tls = postfix.effective(service, "smtpd_tls_security_level")
    if tls == "encrypt" or (tls == "may" and postfix.effective(service, "smtpd_tls_auth_only") == "yes"):
        text = "it takes log-ins inside TLS only, which groupmilter doesn't speak on loopback."
        yield _bad(label, text, "    -o smtpd_tls_security_level=none -o smtpd_tls_auth_only=no")


def _content(service: Service, postfix: Installed) -> Iterator[Advice]:
    label = _label(service)
    keywords = {word.lower() for word in split(postfix.effective(service, "smtpd_discard_ehlo_keywords"))}
    if "dsn" in keywords:
        text = "the release listener hides DSN, which carries the release ticket."
        yield _bad(label, text, "    -o smtpd_discard_ehlo_keywords=")
    if postfix.effective(service, "local_header_rewrite_clients"):
        text = "Postfix may complete headers of released mail, and its author's signature no longer holds."
        yield _warn(label, text, "    -o local_header_rewrite_clients=")
    checks = [name for name in _CHECKS if postfix.main.get(name)]
    if checks and "no_header_body_checks" not in split(
        postfix.effective(service, "receive_override_options")
    ):
        text = f"released mail, which has passed them, meets {' and '.join(checks)} a second time."
        yield _warn(label, text, "    -o receive_override_options=no_header_body_checks")
    cleanup = postfix.effective(service, "cleanup_service_name")
    if cleanup and cleanup not in {other.name for other in postfix.services}:
        text = f"it hands mail to {cleanup}, which is no service of master.cf: nothing comes back."
        yield _bad(label, text, _PRINTED)
    if postfix.effective(service, "content_filter"):
        text = "released mail, which has passed it, goes through content_filter a second time."
        yield _warn(label, text, "    -o content_filter=")


def _signers(site: Site, service: Service, postfix: Installed) -> Iterator[Advice]:
    """Name a milter that changes what comes back before we compare it with what was approved."""
    ours = addresses(site.listen, postfix.main["queue_directory"])
    listed = milters(postfix.effective(service, "smtpd_milters"))
    if not ours.isdisjoint(listed) and listed[0] not in ours:
        text = (
            f"{listed[0]} stands before groupmilter on the release listener: what it adds to an approved message"
            " makes that another one, which is refused. Put a signer behind groupmilter there."
        )
        order = (*(one for one in listed if one in ours), *(one for one in listed if one not in ours))
        yield _bad(_label(service), text, f"    -o smtpd_milters={','.join(order)}")


def _label(service: Service) -> str:
    return f"master.cf {service.name}"
