"""Height three of the corpus: every case through a real Postfix, set up by `groupmilter postfix`, with the
directory in a real slapd that the synchroniser follows by refreshAndPersist.

Compared: the SMTP replies, what the sink received (who, how often, with which NOTIFY, ORCPT, return path and
added header), and the tickets in the hold mailbox. Client and login are played by XCLIENT; a message without a
client is submitted by sendmail(1), and its refusal is a report to its sender.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import pytest
from tests.support.corpus import corpus, name_of, pure, setting, stage_for
from tests.support.corpus_delivery import Delivery, Submission
from tests.support.corpus_sites import Sites
from tests.support.installation import Installation, installation
from tests.support.postfix_files import Tls
from tests.support.service import Service

from groupmilter.rehearsal.case import Case
from groupmilter.rehearsal.stage import Stage

CASES = corpus()
NUMBERS = {id(case): number for number, case in enumerate(CASES, 1)}
REFUSED_BY_POSTFIX = {
    f"routes: {route}@masociete.example, {sender}": "554 5.7.1"
    for route in ("staff%masociete.example", "masociete.example!staff")
    for sender in ("an insider", "an outsider")
}
"""Cases that can't be told through Postfix, and its own answer: it relays to no address that routes by % or !
(postconf(5), allow_untrusted_routing), and says so before any milter is asked."""


def beside(service: Service, local: Sequence[str], tls: Tls) -> AbstractContextManager[Installation]:
    """Postfix beside a service; it asks each client for a certificate."""
    main = {
        "smtpd_tls_security_level": "may", "smtpd_tls_ask_ccert": "yes",
        "smtpd_tls_cert_file": str(tls.certificate), "smtpd_tls_key_file": str(tls.key),
        "smtpd_tls_CAfile": str(tls.client_ca),
    }  # fmt: skip
    return installation(service, local, main=main)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as opened_stage:
        yield opened_stage


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites[Installation]]:
    with Sites(CASES, beside).entered() as entered:
        yield entered


def test_what_postfix_refuses_by_itself_is_in_the_corpus() -> None:
    assert REFUSED_BY_POSTFIX.keys() <= {name_of(case) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_case(case: Case, stage: Stage, sites: Sites[Installation]) -> None:
    site = sites.get(setting(case, stage.site(case)))
    for index, run in enumerate(pure(case, stage, site.service.keys)):
        identity = f"case-{NUMBERS[id(case)]:05d}-{index:03d}@corpus.example"
        assert len(identity) == len("rehearsal@groupmilter.example"), "sizes must stay as they are"
        stage_for(site.service, run.message, NUMBERS[id(case)])
        site.forget()
        sent = (Submission if not run.message.client else Delivery)(site, run, identity)
        sent.send()
        site.settle()
        if name_of(case) in REFUSED_BY_POSTFIX:
            sent.refused_with(REFUSED_BY_POSTFIX[name_of(case)])
        else:
            sent.as_expected()
            sent.as_in_the_pure_core()
    assert site.service.surprises() == []
