"""``explain``: what would become of a message, and which rule, fact and attribute value decide that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from groupmilter.rehearsal.case import Message

SOMEWHERE = "203.0.113.1"
"""The client where none is named: an address of nobody's (RFC 5737), so somebody on the Internet."""

_EMPTY = "the null sender is written '' or '<>'"


def explain(
    ctx: typer.Context,
    to: Annotated[
        list[str],
        typer.Option("--to", "-t", metavar="ADDRESS", help="A recipient; may be given several times."),
    ],
    sender: Annotated[
        str, typer.Option("--from", "-f", metavar="ADDRESS", help=f"The envelope sender; {_EMPTY}.")
    ],
    login: Annotated[
        str, typer.Option(metavar="NAME", help="The SASL login of the client, if it has one.")
    ] = "",
    client: Annotated[
        str,
        typer.Option(
            metavar="IP", show_default=False, help=f"The client's address; {SOMEWHERE} unless given."
        ),
    ] = SOMEWHERE,
    local: Annotated[
        bool,
        typer.Option(
            "--local", metavar=FLAG, help="Submitted on this host by the sendmail command, without SMTP."
        ),
    ] = False,
    author: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Who stands in From; the envelope sender unless given."),
    ] = None,
    size: Annotated[int | None, typer.Option(metavar="OCTETS", min=1, help="The message's size.")] = None,
    message: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="A message whose header and size are used."
        ),
    ] = None,
    dkim: Annotated[
        list[str] | None,
        typer.Option(metavar="DOMAIN", help="Suppose an aligned DKIM signature of this domain."),
    ] = None,
    spf: Annotated[
        list[str] | None, typer.Option(metavar="DOMAIN", help="Suppose that SPF passes for this domain.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Explain what would become of a message: for each recipient the verdict, and every rule that was asked.

    Nothing is sent, and nothing is counted. For example:

        groupmilter explain --from jean@example.org --login jean --to staff@example.org
    """
    from groupmilter.authentication.identity import Proofs
    from groupmilter.cli.explanation import draw, explained, shape
    from groupmilter.cli.looking import opened

    call = Call.of(ctx, config, json=json)
    proofs = Proofs(frozenset(dkim or ()), frozenset(spf or ()))
    origin = "" if local else client
    made = composed(origin, login, sender.strip("<>"), tuple(to), tuple(author or ()), size, message, proofs)
    with opened(call.configuration()) as view:
        explanation = explained(made, view.site)
    call.terminal.show(shape(explanation), lambda console: draw(console, explanation))


def composed(
    client: str,
    login: str,
    sender: str,
    recipients: tuple[str, ...],
    authors: tuple[str, ...],
    size: int | None,
    file: Path | None,
    proofs: object,
) -> Message:
    """Return the message that is asked about, with the header of a file where one is given."""
    from datetime import datetime
    from email.utils import format_datetime

    from groupmilter.authentication.identity import Proofs
    from groupmilter.rehearsal.case import Message

    now = datetime.now().astimezone()
    written = authors or ((sender,) if sender else ())
    fields: tuple[tuple[str, str], ...] = (
        ("From", ", ".join(written)),
        ("To", ", ".join(recipients)),
        ("Subject", "An explanation"),
        ("Date", format_datetime(now)),
    )
    if file is not None:
        fields, octets = read_message(file)
        size = size or octets
        if authors:
            fields = (
                ("From", ", ".join(authors)),
                *(field for field in fields if field[0].lower() != "from"),
            )
    assert isinstance(proofs, Proofs)
    return Message(client, login, sender, recipients, size, size is not None, fields, proofs, now)


def read_message(file: Path) -> tuple[tuple[tuple[str, str], ...], int]:
    """Return a message's header fields as received, and its octets with CRLF line ends."""
    head, _, body = file.read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    fields: list[tuple[str, str]] = []
    for line in head.decode("utf-8", "surrogateescape").split("\n"):
        if line[:1] in (" ", "\t") and fields:
            fields[-1] = (fields[-1][0], f"{fields[-1][1]}\n{line}")
            continue
        name, colon, value = line.partition(":")
        if colon:
            fields.append((name.rstrip(), value.removeprefix(" ")))
    octets = len(head) + head.count(b"\n") + 2 + len(body) + body.count(b"\n")
    return tuple(fields), octets
