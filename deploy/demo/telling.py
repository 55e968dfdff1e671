"""What the demonstration prints: each message with its dialogue, its fate and the trace; then how to go on by hand.

English, and French after it. Fails like writing to a closed terminal: BrokenPipeError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo.play import Outcome
from deploy.demo.story import STORY, Scene, Words
from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

_ANSWERS = {"hit": ("hit", "bold red"), "miss": ("missed", "dim"), "pending": ("not evaluated", "yellow")}
_REPLIES = {"2": "green", "3": "green", "4": "magenta", "5": "red"}


@dataclass(frozen=True, slots=True)
class Explained:
    """What `groupmilter explain` said of a scene's message: the command line, and its JSON."""

    command: str
    answer: Mapping[str, Any]


def opening() -> RenderableType:
    """The title."""
    text = Text.assemble(
        ("groupmilter", "bold"),
        "\n",
        "A private Postfix, a private LDAP server, five messages.\n",
        ("Un Postfix et un annuaire privés, cinq messages.", "italic"),
    )
    return Panel(text, box=box.ROUNDED, border_style="blue", expand=False, padding=(0, 2))


def step(words: Words) -> RenderableType:
    """One line of the preparation."""
    return Text.assemble(("· ", "blue"), words.en, ("  ·  ", "dim"), (words.fr, "italic dim"))


def configuration(text: str) -> RenderableType:
    """The configuration file that groupmilter runs with."""
    title = "config.yaml"
    return Panel(
        Text(text.strip(), style="cyan"),
        title=title,
        title_align="left",
        box=box.ROUNDED,
        border_style="dim",
        expand=False,
    )


def scene(
    number: int, played: Scene, outcome: Outcome, explained: Explained, held: Sequence[bytes]
) -> RenderableType:
    """One message: who and why it is telling, what was said, who got it, and which rule decided."""
    title = f"{number}/{len(STORY)}  {played.title.en}"
    heading = Text.assemble((title, "bold"), (f"  ·  {played.title.fr}", "italic"))
    body = Table.grid(padding=(0, 2))
    body.add_column(style="bold blue", no_wrap=True)
    body.add_column(overflow="fold")
    body.add_row("", Text.assemble(played.lesson.en, "\n", (played.lesson.fr, "italic")))
    body.add_row("SMTP", _dialogue(outcome))
    body.add_row("Mail", _fate(outcome, held))
    body.add_row("Why", _reasons(explained))
    body.add_row("", _verdict(played, outcome))
    return Group(Rule(heading, align="left", style="blue"), Padding(body, (0, 0, 1, 0)))


def _dialogue(outcome: Outcome) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for exchange in outcome.dialogue:
        rows.add_row(Text(exchange.command), Text(exchange.reply, _REPLIES.get(exchange.reply[:1], "")))
    return rows


def _fate(outcome: Outcome, held: Sequence[bytes]) -> RenderableType:
    lines = []
    if outcome.delivered:
        lines.append(
            Text.assemble(("✉ ", "green"), "mailboxes · boîtes  ", (", ".join(outcome.delivered), "green"))
        )
    for message in held:
        ticket = _top_line(message, b"Delivered-To")
        lines.append(Text.assemble(("⏸ ", "yellow"), "hold mailbox · boîte d'attente  ", (ticket, "dim")))
    return (
        Group(*lines)
        if lines
        else Text("nobody gets it, nothing was stored · personne, rien n'a été gardé", "dim")
    )


def _top_line(message: bytes, name: bytes) -> str:
    for line in message.split(b"\n", 8)[:8]:
        if line.lower().startswith(name.lower() + b":"):
            return line.partition(b":")[2].strip().decode("ascii", "replace")
    return ""


def _reasons(explained: Explained) -> RenderableType:
    answer = explained.answer
    [recipient] = answer["recipients"]
    parts: list[RenderableType] = [Text(f"the sender is {answer['identity']['text']}")]
    if "members" in recipient:
        ways = ", ".join(recipient["groups"])
        parts.append(Text(f"{recipient['members']} members, found through {ways}"))
    parts += [_trace(recipient["trace"]), Text(f"$ {explained.command}", "dim")]
    return Group(*parts)


def _trace(steps: Sequence[Mapping[str, str]]) -> RenderableType:
    """All rules of the first group; of each nested group what hit, or that nothing did."""
    rows = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    for title, answer, because in _rows(steps):
        style = "dim" if answer == "miss" else ""
        rows.add_row(Text(title, style), Text(*_ANSWERS[answer]), Text(because, "dim"))
    return rows


def _rows(steps: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
    first = steps[0]["group"] if steps else ""
    nested: dict[str, int] = {}
    for one in steps:
        if one["group"] == first:
            yield one["rule"], one["answer"], one["because"]
        elif one["answer"] == "miss":
            nested[one["group"]] = nested.get(one["group"], 0) + 1
        else:
            yield f"{one['group']}: {one['rule']}", one["answer"], one["because"]
    for group, count in nested.items():
        yield group, "miss", f"{count} rules asked for this nested group, none more hits"


def _verdict(played: Scene, outcome: Outcome) -> RenderableType:
    if outcome.matches(played):
        return Text("✔ as it should be · comme il se doit", "bold green")
    wanted = played.expected
    lines = (
        f"✘ wanted {wanted.reply} at {wanted.at}, copies for {', '.join(sorted(wanted.delivered)) or 'nobody'}, "
        f"{wanted.held} held",
        f"  found {outcome.reply} at {outcome.at}, copies for {', '.join(outcome.delivered) or 'nobody'}, "
        f"{len(outcome.held)} held",
    )
    return Text("\n".join(lines), "bold red")


def closing(good: int) -> RenderableType:
    """How many of the messages fared as they should."""
    if good == len(STORY):
        french = f"Les {good} messages ont eu le sort prévu."
        return Text(f"All {good} messages fared as they should. · {french}", "bold green")
    return Text(f"Only {good} of {len(STORY)} messages fared as they should.", "bold red")


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody needs who goes on by hand.

    :param ports: what listens, and where.
    :param commands: a sentence for each command line.
    """

    ports: Sequence[tuple[str, str]]
    logins: Sequence[tuple[str, str]]
    password: str
    commands: Sequence[tuple[Words, str]]
    folder: Path


def invitation(given: Invitation) -> RenderableType:
    """Addresses, log-ins and command lines, for as long as the demonstration stays up."""
    ports = _pairs(given.ports)
    people = Text("  ".join(f"{login}" for login, _ in given.logins))
    parts: list[RenderableType] = [
        Text("It stays up: now you. · Tout reste en marche : à vous.", "bold"),
        Text(),
        ports,
        Text(),
        Text.assemble(("Log-ins", "bold blue"), f"  (password · mot de passe: {given.password})"),
        Padding(people, (0, 2)),
        Text(),
    ]
    for words, line in given.commands:
        parts += [
            Text.assemble(words.en, ("  ·  ", "dim"), (words.fr, "italic dim")),
            Text(f"  {line}", "cyan"),
        ]
    parts += [
        Text(),
        Text.assemble(("Everything is in ", ""), (str(given.folder), "cyan"), ", and goes with Ctrl-C."),
    ]
    return Padding(Group(*parts), (0, 0, 1, 0))


def _pairs(pairs: Sequence[tuple[str, str]]) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    for name, value in pairs:
        rows.add_row(Text(name, "bold blue"), Text(value))
    return rows


def arrival(where: str, subject: str, sender: str) -> RenderableType:
    """One line for a message that arrives while the demonstration stays up."""
    return Text.assemble(("✉ ", "green"), (where, "bold"), f"  {sender}  ", (subject, "italic"))


def terminal() -> Console:
    """Standard output; wide enough for the traces where it is no terminal."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=130)
