"""Sets a private Postfix up with what `groupmilter postfix` prints for it, exactly as printed.

It fails with `ServingFailed` when the command does, and with `PostfixError` when Postfix refuses a line.
"""

from __future__ import annotations

import json

from tests.support.postfix import Postfix
from tests.support.serving import Serving, ServingFailed


def apply(postfix: Postfix, serving: Serving, mailbox_user: str = "nobody") -> None:
    """Put the printed lines into main.cf and master.cf and restart, so that no process has the old settings."""
    where = ("--postfix-config", str(postfix.config_directory))
    ran = serving.run("--json", "postfix", *where, "--user", mailbox_user)
    if ran.returncode != 0:
        raise ServingFailed(f"groupmilter postfix: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}")
    printed = json.loads(ran.stdout)
    postfix.edit({line["name"]: line["value"] for line in printed["main"]})
    with (postfix.config_directory / "master.cf").open("a", encoding="utf-8") as services:
        services.writelines(f"{line}\n" for entry in printed["master"] for line in entry["lines"])
    postfix.restart()


def pass_by(postfix: Postfix) -> None:
    """What docs/install.md tells an administrator to do in an emergency: mail goes on without any milter."""
    postfix.edit({"smtpd_milters": "", "non_smtpd_milters": ""})
    postfix.restart()
