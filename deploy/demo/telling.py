"""What the demonstration prints: each message with its dialogue, its fate and the trace; then how to go on by hand.

English, and French after it. Fails like writing to a closed terminal: BrokenPipeError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.demo.play import Exchange, Outcome
from deploy.demo.story import STORY, Scene, Words
from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

_TOKEN = re.compile(r"([a-z0-9]{12})[a-z0-9]{30,}")
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
        "A private Postfix, a private LDAP server, five messages, four decisions.\n",
        ("Un Postfix et un annuaire privés, cinq messages, quatre décisions.", "italic"),
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
    body = part("blue", played.lesson)
    body.add_row("SMTP", dialogue(outcome.dialogue))
    body.add_row("Mail", _fate(outcome, held))
    body.add_row("Why", _reasons(explained, whole=number == 1))
    body.add_row("", _verdict(played, outcome))
    return Group(heading(f"{number}/{len(STORY)}", played.title, "blue"), Padding(body, (0, 0, 1, 0)))


def heading(number: str, title: Words, colour: str) -> RenderableType:
    """A heading in both languages."""
    return Group(
        Rule(Text(f"{number}   {title.en}", "bold"), align="left", style=colour),
        Text(f"{' ' * len(number)}   {title.fr}", "bold italic"),
    )


def part(colour: str, lesson: Words) -> Table:
    """A table of labels and contents that begins with why it is told."""
    body = Table.grid(padding=(0, 2))
    body.add_column(style=f"bold {colour}", no_wrap=True)
    body.add_column(overflow="fold")
    body.add_row("", Text.assemble(lesson.en, "\n", (lesson.fr, "italic")))
    return body


def dialogue(steps: Sequence[Exchange]) -> RenderableType:
    """What was said, each line with the answer below it; of long tokens the beginning."""
    lines: list[RenderableType] = []
    for step in steps:
        lines.append(Text(_TOKEN.sub(r"\1…", step.command), overflow="fold"))
        lines.append(Padding(Text(step.reply, _REPLIES.get(step.reply[:1], "")), (0, 0, 0, 2)))
    return Group(*lines)


def _fate(outcome: Outcome, held: Sequence[bytes]) -> RenderableType:
    lines = []
    if outcome.delivered:
        lines.append(
            Text.assemble(("✉ ", "green"), "mailboxes · boîtes  ", (", ".join(outcome.delivered), "green"))
        )
    for message in held:
        ticket = _top_line(message, b"Delivered-To")
        lines.append(Text.assemble(("⏸ ", "yellow"), "hold mailbox · boîte d'attente"))
        lines.append(Text(f"  {ticket}", "dim", overflow="fold"))
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


def _reasons(explained: Explained, *, whole: bool) -> RenderableType:
    answer = explained.answer
    [recipient] = answer["recipients"]
    parts: list[RenderableType] = [Text(f"the sender is {answer['identity']['text']}")]
    if "members" in recipient:
        ways = ", ".join(recipient["groups"])
        parts.append(Text(f"{recipient['members']} members, found through {ways}"))
    steps = recipient["trace"]
    told = steps if whole else [one for one in steps if one["answer"] != "miss"]
    if told:
        parts.append(_trace(told))
    if len(told) < len(steps):
        parts.append(
            Text(f"{len(steps) - len(told)} {'more ' if told else ''}rules asked, and missed", "dim")
        )
    parts.append(Text(f"$ {explained.command}", "dim"))
    return Group(*parts)


def _trace(steps: Sequence[Mapping[str, str]]) -> RenderableType:
    rows = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    for one in steps:
        style = "dim" if one["answer"] == "miss" else ""
        rows.add_row(Text(one["rule"], style), Text(*_ANSWERS[one["answer"]]), Text(one["because"], "dim"))
    return rows


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


def panel(url: str, address: str, *, shows: bool) -> RenderableType:
    """Whether the panel, in a browser, shows the administrator his groups."""
    words = Words("The panel: the administrator logs in", "Le panneau : l'administrateur se connecte")
    verdict = (
        Text(f"✔ {address} is on the list · figure dans la liste", "bold green")
        if shows
        else Text(f"✘ {address} is not on the list · absent de la liste", "bold red")
    )
    body = Table.grid(padding=(0, 2))
    body.add_row(Text("Panel", "bold blue"), Text(f"{url}/groups?q={address}"))
    body.add_row("", verdict)
    return Group(
        Rule(Text(words.en, "bold"), align="left", style="blue"), Text(words.fr, "italic"), body, Text()
    )


def closing(good: int, wanted: int) -> RenderableType:
    """How many of the messages and decisions fared as they should."""
    if good == wanted:
        text = f"All {wanted} messages, decisions and pages fared as they should."
        french = f"Les {wanted} messages, décisions et pages ont eu le sort prévu."
        return Text(f"{text}\n{french}\n", "bold green")
    return Text(f"Only {good} of {wanted} messages, decisions and pages fared as they should.\n", "bold red")


def arrival(where: str, subject: str, sender: str) -> RenderableType:
    """One line for a message that arrives while the demonstration stays up."""
    return Text.assemble(("✉ ", "green"), (where, "bold"), f"  {sender}  ", (subject, "italic"))


def terminal() -> Console:
    """Standard output; wide enough for most lines where it is no terminal."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=100)
