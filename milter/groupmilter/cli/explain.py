"""``explain``: what would become of a message, and which rule, fact and attribute value decide that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption
from groupmilter.mail.content import parted

if TYPE_CHECKING:
    from datetime import datetime

    from groupmilter.authentication.identity import Connection, Proofs
    from groupmilter.config.reload import Configuration
    from groupmilter.rehearsal.case import Message
    from groupmilter.rehearsal.run import Prove

SOMEWHERE = "203.0.113.1"
"""The client where none is named: an address of nobody's (RFC 5737), so somebody on the Internet."""

Texts = list[str] | None
ToOption = Annotated[
    list[str],
    typer.Option("--to", "-t", metavar="ADDRESS", help="A recipient; may be given several times."),
]
FromOption = Annotated[
    str,
    typer.Option(
        "--from", "-f", metavar="ADDRESS", help="The envelope sender; the null sender is written '' or '<>'."
    ),
]
LoginOption = Annotated[
    str, typer.Option(metavar="NAME", help="The SASL login of the client, if it has one.")
]
CertificateOption = Annotated[
    str,
    typer.Option(metavar="SUBJECT", help="The subject of its TLS certificate, which the MTA has verified."),
]
IssuerOption = Annotated[str, typer.Option(metavar="ISSUER", help="Who has issued that certificate.")]
ClientOption = Annotated[
    str,
    typer.Option(metavar="IP", show_default=False, help=f"The client's address; {SOMEWHERE} unless given."),
]
LocalOption = Annotated[
    bool,
    typer.Option(
        "--local", metavar=FLAG, help="Submitted on this host by the sendmail command, without SMTP."
    ),
]
AuthorOption = Annotated[
    Texts, typer.Option(metavar="ADDRESS", help="Who stands in From; the envelope sender unless given.")
]
SizeOption = Annotated[int | None, typer.Option(metavar="OCTETS", min=1, help="The message's size.")]
MessageOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A message: its header and size are used, and what DKIM and SPF prove of it is looked up in DNS.",
    ),
]
DkimOption = Annotated[
    Texts, typer.Option(metavar="DOMAIN", help="Suppose an aligned DKIM signature of this domain.")
]
SpfOption = Annotated[Texts, typer.Option(metavar="DOMAIN", help="Suppose that SPF passes for this domain.")]


def explain(
    ctx: typer.Context,
    to: ToOption,
    sender: FromOption,
    login: LoginOption = "",
    certificate: CertificateOption = "",
    issuer: IssuerOption = "",
    client: ClientOption = SOMEWHERE,
    local: LocalOption = False,
    author: AuthorOption = None,
    size: SizeOption = None,
    message: MessageOption = None,
    dkim: DkimOption = None,
    spf: SpfOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Explain what would become of a message: for each recipient the verdict, and every rule that was asked.

    Nothing is sent, and nothing is counted. For example:

        groupmilter explain --from jean@example.org --login jean --to staff@example.org
    """
    from groupmilter.authentication.identity import Connection
    from groupmilter.cli.explanation import draw, shape
    from groupmilter.cli.looking import opened
    from groupmilter.rehearsal.explanation import explained

    call = Call.of(ctx, config, json=json)
    _require_address(client)
    headed = header(sender.strip("<>"), tuple(to), tuple(author or ()), message)
    shown = Connection("" if local else client, login, certificate=certificate, issuer=issuer)
    made = sent(shown, sender.strip("<>"), tuple(to), size, headed, _proofs(dkim, spf))
    # An author of one's own would break every signature of the file.
    live = message is not None and not (dkim or spf or author)
    made = replace(made, content=with_crlf(message)) if live and message is not None else made
    configuration = call.configuration()
    with opened(configuration) as view:
        explanation = explained(made, view.site, proving(configuration) if live else None)
    call.terminal.show(shape(explanation), lambda console: draw(console, explanation))


def _proofs(dkim: Texts, spf: Texts) -> Proofs:
    from groupmilter.authentication.identity import Proofs

    return Proofs(frozenset(dkim or ()), frozenset(spf or ()))


def proving(configuration: Configuration) -> Prove:
    """Return what looks proofs up, as the milter does."""
    from groupmilter.bootstrap.proving import prover

    return prover(configuration).prove


def with_crlf(file: Path) -> bytes:
    """Return a message's octets with the line ends of SMTP."""
    return file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _require_address(client: str) -> None:
    from ipaddress import ip_address

    try:
        ip_address(client)
    except ValueError as error:
        raise typer.BadParameter("wants an IP address", param_hint="--client") from error


def sent(
    connection: Connection,
    sender: str,
    recipients: tuple[str, ...],
    size: int | None,
    headed: tuple[Fields, int | None],
    proofs: Proofs,
) -> Message:
    """Return the message that is asked about.

    :param size: octets; None for those that come with the header, if any do.
    """
    from groupmilter.rehearsal.case import Message

    fields, octets = headed
    said = size or octets
    return Message(
        connection.client,
        connection.login,
        sender,
        recipients,
        said,
        said is not None,
        fields,
        proofs,
        _now(),
        certificate=connection.certificate,
        issuer=connection.issuer,
    )


def _now() -> datetime:
    from datetime import datetime

    return datetime.now().astimezone()


Fields = tuple[tuple[str, str], ...]


def header(
    sender: str, recipients: tuple[str, ...], authors: tuple[str, ...], file: Path | None
) -> tuple[Fields, int | None]:
    """Return the header that is asked about, and the octets of the message where a file is given.

    :param authors: who stands in From instead of the sender, or of what the file says.
    """
    from groupmilter.rehearsal.explanation import usual_header

    if file is None:
        return usual_header(sender, recipients, authors, _now()), None
    fields, octets = read_message(file)
    if authors:
        others = (field for field in fields if field[0].lower() != "from")
        fields = (("From", ", ".join(authors)), *others)
    return fields, octets


def read_message(file: Path) -> tuple[Fields, int]:
    """Return a message's header fields as a milter is told them, and its octets with CRLF line ends."""
    fields, body = parted(file.read_bytes().replace(b"\r\n", b"\n"))
    octets = sum(len(name) + len(value) + value.count(b"\n") + len(":\r\n") for name, value in fields)
    told = ((_text(name).rstrip(" \t"), _text(value).removeprefix(" ")) for name, value in fields)
    return tuple(told), octets + len(body) + body.count(b"\n")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
