"""The whole of it with Sendmail: a private one set up by `groupmilter sendmail`, a running groupmilter, and a sink.

    with Slapd(content=[office]) as slapd, Service(slapd.uri) as service, sendmail_installation(service) as site:
        ...

The printed lines go into sendmail.mc and submit.mc exactly as printed, and the printed command makes the desk's log-in.
Fails with what its parts fail with, and with `ServingFailed` where the command fails.
"""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.installation import OUTSIDER, Site
from tests.support.ports import free_port
from tests.support.postfix_files import Tls
from tests.support.sendmail import HOSTNAME, Sendmail
from tests.support.service import MAILBOX_USER, Service
from tests.support.serving import Serving, ServingFailed, command
from tests.support.sink import Sink
from tests.support.smtp_client import SmtpClient

PASSWORD = "for tests"


@dataclass(frozen=True)
class SendmailInstallation(Site):
    """What runs together with Sendmail."""

    sendmail: Sendmail

    def session(
        self, client: str = OUTSIDER, login: str = "", tls: ssl.SSLContext | None = None
    ) -> AbstractContextManager[SmtpClient]:
        """An SMTP session that Sendmail takes for this client's; a log-in is a real one."""
        return self.sendmail.session(client, login, tls)

    def submit(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """By sendmail(8), which comes as a client of loopback, to a listener that has a name."""
        text = message.replace(b"\r\n", b"\n")
        self.sendmail.sendmail(recipients, text, "-f", sender or "<>")
        self.settle()

    def settle(self) -> None:
        """Return once Sendmail has nothing left to deliver."""
        self.sendmail.wait_idle()


@contextmanager
def sendmail_installation(
    service: Service,
    local_domains: Sequence[str] = ("masociete.example",),
    logins: Sequence[str] = (),
    tls: Tls | None = None,
) -> Iterator[SendmailInstallation]:
    """Set Sendmail and a sink up around a running service; `logins`: who may log in, with `PASSWORD`."""
    shape = printed(service)
    with (
        Sink() as sink,
        Sendmail(
            sink_port=sink.port,
            printed=lines(shape, "sendmail.mc"),
            submit=lines(shape, "submit.mc"),
            local_domains=tuple(local_domains),
            logins=dict.fromkeys(logins, PASSWORD),
            tls=tls,
        ) as sendmail,
    ):
        for login in lines(printed(service, database=f"{sendmail.layout.sasl}/sasldb2"), "login"):
            subprocess.run(["bash", "-c", login], check=True, capture_output=True)
        yield SendmailInstallation(service, sink, sendmail)


def printed(service: Service, **options: str) -> Mapping[str, Any]:
    """What `groupmilter sendmail` prints for a service, as JSON."""
    given = {"user": MAILBOX_USER, "program": str(command()), "host": HOSTNAME, **options}
    given.setdefault("local-port", str(free_port()))
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    ran = Serving(service.folder, "", service.control).run("--json", "sendmail", *words)
    if ran.returncode != 0:
        raise ServingFailed(f"groupmilter sendmail: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}")
    shape: Mapping[str, Any] = json.loads(ran.stdout)
    return shape


def lines(shape: Mapping[str, Any], name: str) -> list[str]:
    """The printed lines of one file."""
    return [line for piece in shape[name] for line in piece["lines"]]
