"""What somebody does by hand in the demonstration: `./send` a message, `./read` a mailbox.

    python -m deploy.demo.by_hand FOLDER send WHO TO [SUBJECT [TEXT]]
    python -m deploy.demo.by_hand FOLDER read [WHO]

WHO sends is a log-in, or a stranger's address. Exit code: 0, 1 where the message was refused or there is no such
mailbox, 2 for bad arguments. The demonstration writes the scripts that call it (`write_scripts`).
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path

from deploy.demo.people import PASSWORD
from deploy.demo.post import parsed, text_of
from deploy.demo.story import OUTSIDE
from tests.support.smtp_client import SmtpClient, SmtpReply

_FACTS = "by-hand.json"
_ROOT = Path(__file__).resolve().parents[2]


def write_scripts(
    folder: Path, mx: int, submission: int, people: Mapping[str, str], groupmilter: str
) -> None:
    """Write `send`, `read` and `groupmilter` into the demonstration's folder.

    :param people: addresses by log-in.
    :param groupmilter: the command line that reaches the running service.
    """
    facts = {"mx": mx, "submission": submission, "people": dict(people)}
    (folder / _FACTS).write_text(json.dumps(facts), "utf-8")
    ours = f"cd {shlex.quote(str(_ROOT))} && PYTHONDONTWRITEBYTECODE=1 exec {shlex.quote(sys.executable)} -m {__name__}"
    for name in ("send", "read"):
        _script(folder / name, f'{ours} {shlex.quote(str(folder))} {name} "$@"')
    _script(folder / "groupmilter", f'exec {groupmilter} "$@"')


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", "utf-8")
    path.chmod(0o755)


def main(arguments: Sequence[str]) -> int:
    """Send or read; return the exit code."""
    parser = argparse.ArgumentParser(prog="by hand")
    parser.add_argument("folder", type=Path, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    sending = commands.add_parser("send", prog="./send", description="Send a message.")
    sending.add_argument("who", help="a log-in such as bob, or a stranger's address")
    sending.add_argument("to", help="an address")
    sending.add_argument("subject", nargs="?", default="By hand")
    sending.add_argument("text", nargs="?", default="")
    reading = commands.add_parser("read", prog="./read", description="Show the newest message in a mailbox.")
    reading.add_argument("who", nargs="?", default="", help="a log-in; all mailboxes are counted without")
    given = parser.parse_args(arguments)
    facts = json.loads((given.folder / _FACTS).read_text("utf-8"))
    if given.command == "read":
        return _read(given.folder / "mail", given.who, facts["people"])
    return _send(facts, given.who, given.to, _composed(facts, given))


def _composed(facts: Mapping[str, Mapping[str, str]], given: argparse.Namespace) -> EmailMessage:
    message = EmailMessage(policy=SMTP.clone(cte_type="8bit"))
    message["From"] = facts["people"].get(given.who, given.who)
    message["To"] = given.to
    message["Subject"] = given.subject
    message["Date"] = formatdate(localtime=True)
    message.set_content(given.text)
    return message


def _send(facts: Mapping[str, int], who: str, to: str, message: EmailMessage) -> int:
    insider = "@" not in who
    with SmtpClient(facts["submission"] if insider else facts["mx"]) as client:
        client.ehlo("client.example")
        if insider:
            _said(f"AUTH PLAIN ({who})", client.login(who, PASSWORD))
        else:
            client.xclient(ADDR=OUTSIDE, NAME="mail.outside.example")
            client.ehlo("mail.outside.example")
        mail, rcpt = client.mail(str(message["From"])), client.rcpt(to)
        _said(f"MAIL FROM:<{message['From']}>", mail)
        _said(f"RCPT TO:<{to}>", rcpt)
        if rcpt.code != 250:
            return 1
        answer = client.content(message.as_bytes())
        _said("DATA", answer)
        client.quit()
    return 0 if answer.code == 250 else 1


def _read(mail: Path, who: str, people: Mapping[str, str]) -> int:
    if who and who not in people:
        sys.stderr.write(f"{who}: no such mailbox; there are {', '.join(people)}\n")
        return 1
    if not who:
        for login in people:
            _say(f"{len(list((mail / login / 'new').glob('*'))):4}  {login}")
        return 0
    found = sorted((mail / who / "new").glob("*"), key=lambda path: path.stat().st_mtime)
    if not found:
        _say("no mail")
        return 0
    newest = parsed(found[-1])
    _say(
        *(f"{name}: {newest[name] or ''}" for name in ("From", "To", "Subject", "Date")), "", text_of(newest)
    )
    return 0


def _said(asked: str, answer: SmtpReply) -> None:
    _say(asked, f"    {answer}")


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
