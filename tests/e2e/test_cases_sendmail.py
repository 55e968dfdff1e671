"""Height three of the corpus, with the other MTA: every case through a real Sendmail 8.17, set up by
`groupmilter sendmail`, with the directory in a real slapd.

Compared is what `test_cases_postfix.py` compares. Where the two MTAs differ stands here, in one place, and in
docs/install.md; no verdict of ours does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import pytest
from tests.support.corpus import corpus, name_of, parameters, pure, setting, stage_for
from tests.support.corpus_delivery import Delivery, Submission
from tests.support.corpus_sites import Sites
from tests.support.postfix_files import Tls
from tests.support.sendmail_installation import SendmailInstallation, sendmail_installation
from tests.support.service import Service
from tests.support.smtp_client import SmtpReply

from groupmilter.rehearsal.case import Case, Message
from groupmilter.rehearsal.stage import Stage

CASES = corpus()
NUMBERS = {id(case): number for number, case in enumerate(CASES, 1)}
LOGINS = sorted({message.login for case in CASES for message in case.messages if message.login})
WITHOUT_SMTPUTF8 = {
    "utf8: an alias with an accent",
    "utf8: in capitals",
    "utf8: for an outsider",
}
"""Cases that can't be told through Sendmail: Debian builds it without SMTPUTF8, and it refuses the parameter of MAIL
before any milter is asked. Nobody gets such a message, so no verdict of ours is another one."""


class Sent(Delivery):
    """One message of a case, by SMTP. Sendmail names the recipient before what a milter says of it at RCPT."""

    def said(self, reply: SmtpReply | None) -> str:
        """The reply without the recipient's name."""
        return re.sub(r"^(\d{3} \d\.\d+\.\d+) <[^>]*>\.\.\. ", r"\1 ", str(reply))


def beside(service: Service, local: Sequence[str], tls: Tls) -> AbstractContextManager[SendmailInstallation]:
    """Sendmail beside a service."""
    return sendmail_installation(service, local, LOGINS, tls)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as opened_stage:
        yield opened_stage


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites[SendmailInstallation]]:
    with Sites(CASES, beside).entered() as entered:
        yield entered


def test_what_cannot_be_told_is_in_the_corpus() -> None:
    assert {name_of(case) for case in CASES} >= WITHOUT_SMTPUTF8


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_case(case: Case, stage: Stage, sites: Sites[SendmailInstallation]) -> None:
    site = sites.get(setting(case, stage.site(case)))
    for index, run in enumerate(pure(case, stage, site.service.keys)):
        identity = f"case-{NUMBERS[id(case)]:05d}-{index:03d}@corpus.example"
        stage_for(site.service, run.message, NUMBERS[id(case)])
        site.forget()
        if name_of(case) in WITHOUT_SMTPUTF8:
            refused_without_smtputf8(site, run.message)
            continue
        sent = (Submission if not run.message.client else Sent)(site, run, identity)
        sent.send()
        site.settle()
        sent.as_expected()
        sent.as_in_the_pure_core()
    assert site.service.surprises() == []


def refused_without_smtputf8(site: SendmailInstallation, message: Message) -> None:
    """Sendmail doesn't offer the extension, so no client would send such a message, and refuses its parameter."""
    with site.session(message.client, message.login) as session:
        assert "SMTPUTF8" not in session.ehlo().lines
        assert session.mail(message.sender, *parameters(message)).code == 555
