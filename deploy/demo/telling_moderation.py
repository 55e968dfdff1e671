"""What the demonstration prints of moderation: letters as their readers see them, decisions, the folders at the end.

English, and French after it. Fails like writing to a closed terminal: BrokenPipeError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from email.message import EmailMessage

from deploy.demo.deciding import Came
from deploy.demo.decisions import DECISIONS, Decided
from deploy.demo.post import FOLDERS, text_of
from deploy.demo.story import Words
from deploy.demo.telling import dialogue, heading, part
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_HEADER = ("From", "To", "Subject")
_MEANINGS = {
    "": Words("just delivered", "à peine remis"),
    "Held": Words("waits, or is on its way", "en attente ou en route"),
    "Approved": Words("went to its group", "remis au groupe"),
    "Rejected": Words("went to nobody", "remis à personne"),
    "Expired": Words("nobody decided in time", "sans décision à temps"),
    "Shunted": Words("for a human to look at", "à examiner"),
    "Reports": Words("of mail that couldn't be delivered", "rapports de non-remise"),
}


def chapter() -> RenderableType:
    """The heading of this part."""
    text = Text.assemble(
        ("What moderators do with held mail", "bold"),
        ("  ·  Ce que font les modérateurs", "italic"),
        "\n",
        "Mail to commercial@ waits. Jean, Hélène and Siân get a letter about each,\n",
        "in their languages, and decide in different ways. The first decision stands.\n",
        ("Le courrier pour commercial@ attend. Jean, Hélène et Siân reçoivent un\n", "italic"),
        ("courriel pour chacun, dans leur langue, et décident de diverses manières.", "italic"),
    )
    return Panel(text, box=box.ROUNDED, border_style="magenta", expand=False, padding=(0, 1))


def shown(letter: EmailMessage, words: Words) -> RenderableType:
    """A letter as a mail program on a terminal shows it: the header lines that people see, and the text."""
    lines = [f"{name}: {letter[name]}" for name in _HEADER]
    attached = [part.get_content_type() for part in letter.iter_attachments()]
    if attached:
        lines.append(f"Attached: {', '.join(attached)}")
    text = Text.assemble(("\n".join(lines), "bold"), "\n\n", text_of(letter))
    title = Text.assemble(words.en, ("  ·  ", "dim"), (words.fr, "italic"))
    return Panel(text, title=title, title_align="left", box=box.ROUNDED, border_style="dim", padding=(0, 1))


def decision(number: int, decided: Decided, came: Came) -> RenderableType:
    """One decision: who decides how, what was said, who got the message, and where it lies now."""
    body = part("magenta", decided.lesson)
    body.add_row(decided.way.value.capitalize(), dialogue(came.steps))
    body.add_row("Then", _fate(came))
    body.add_row("", _verdict(decided, came))
    title = heading(f"{number}/{len(DECISIONS)}", decided.title, "magenta")
    return Group(title, Padding(body, (0, 0, 1, 0)))


def _fate(came: Came) -> RenderableType:
    lines = []
    if came.delivered:
        lines.append(
            Text.assemble(("✉ ", "green"), "mailboxes · boîtes  ", (", ".join(came.delivered), "green"))
        )
    lines += [
        Text.assemble(("✉ ", "yellow"), "letter · courriel  ", (login, "yellow"))
        for login in sorted(came.told)
    ]
    lines.append(Text.assemble("hold mailbox · boîte d'attente  ", (f".{came.folder}/", "cyan")))
    passed = f"{came.seconds:.1f} s after the decision · après la décision"
    lines.append(Text(passed if came.seconds >= 0.1 else "at once · aussitôt", "dim"))
    return Group(*lines)


def _verdict(decided: Decided, came: Came) -> RenderableType:
    if came.matches(decided):
        return Text("✔ as it should be · comme il se doit", "bold green")
    lines = (
        f"✘ wanted copies for {_names(decided.delivered)}, letters to {_names(decided.told)}",
        f"  found copies for {_names(came.delivered)}, letters to {_names(came.told)}, in .{came.folder}/",
    )
    return Text("\n".join(lines), "bold red")


def _names(logins: Iterable[str]) -> str:
    return ", ".join(sorted(logins)) or "nobody"


def folders(where: Mapping[str, str], path: str) -> RenderableType:
    """How many messages are in each folder of the hold mailbox.

    :param where: the folder of each file.
    """
    counts = Counter(where.values())
    rows = Table.grid(padding=(0, 2))
    for name in FOLDERS[1:]:
        words = _MEANINGS[name]
        rows.add_row(
            Text(str(counts[name]), "bold"),
            Text(f".{name}/", "cyan"),
            Text.assemble(words.en, ("  ·  ", "dim"), (words.fr, "italic dim")),
        )
    return Group(
        Text.assemble(("The hold mailbox", "bold"), ("  ·  La boîte d'attente  ", "italic")),
        Text(path, "cyan"),
        Padding(rows, (0, 0, 1, 2)),
    )
