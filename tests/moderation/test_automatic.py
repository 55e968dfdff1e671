"""Which answers a program has written: those decide nothing, and nobody is told of it (RFC 3834)."""

from __future__ import annotations

import pytest

from groupmilter.moderation.arrival import automatic

ABSENT = {
    "en": (
        "Automatic reply: To approve",
        "I am out of the office until Monday and will read your mail then.",
    ),
    "fr": (
        "Réponse automatique : À approuver",
        "Je suis absent jusqu'à lundi et lirai votre message à mon retour.",
    ),
    "de": ("Automatische Antwort: Zur Freigabe", "Ich bin bis Montag nicht im Büro."),
    "es": ("Respuesta automática: Por aprobar", "Estoy fuera de la oficina hasta el lunes."),
    "it": ("Risposta automatica: Da approvare", "Sono fuori ufficio fino a lunedì."),
    "nl": ("Automatisch antwoord: Goed te keuren", "Ik ben tot maandag afwezig."),
    "pt": ("Resposta automática: Para aprovar", "Estou ausente até segunda-feira."),
    "sv": ("Autosvar: Att godkänna", "Jag är inte på kontoret förrän på måndag."),
    "fi": ("Automaattinen vastaus: Hyväksyttävä", "Olen poissa maanantaihin asti."),
    "pl": ("Odpowiedź automatyczna: Do zatwierdzenia", "Jestem nieobecny do poniedziałku."),
    "ru": ("Автоматический ответ: На утверждение", "Меня нет в офисе до понедельника."),
    "ja": ("自動応答: 承認待ち", "月曜日まで不在です。"),
}


def answer(*fields: str, sender: str = "jean@own.example", body: str = "yes") -> bytes:
    head = "".join(f"{field}\n" for field in fields)
    return f"Return-Path: <{sender}>\nDelivered-To: approve+x@groups.own.example\n{head}\n{body}\n".encode()


@pytest.mark.parametrize("language", ABSENT)
@pytest.mark.parametrize("marked", [True, False])
def test_an_out_of_office_reply(language: str, marked: bool) -> None:
    subject, body = ABSENT[language]
    quoted = f"{body}\n\n> A message waits for your decision\n>   approve+x@groups.own.example\n"
    fields = (f"Subject: {subject}", *(("Auto-Submitted: auto-replied",) if marked else ()))
    assert automatic(answer(*fields, body=quoted))


def test_an_encoded_subject_of_an_out_of_office_reply() -> None:
    assert automatic(answer("Subject: =?iso-8859-1?Q?R=E9ponse_automatique_=3A_x?="))


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-generated",
        "auto-submitted: AUTO-REPLIED (vacation)",
        "Auto-Submitted: (first a comment) auto-replied; owner-email=jean@own.example",
        "Auto-Submitted: auto-notified",
        "Auto-Submitted: no\nAuto-Submitted: auto-replied",
        "Precedence: bulk",
        "Precedence: auto_reply",
        "X-Precedence: junk",
        "List-Id: <sales.own.example>",
        "X-Autoreply: yes",
        "X-Autorespond: x",
        "X-MS-Exchange-Inbox-Rules-Loop: jean@own.example",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        'Content-Type: multipart/report;\n\treport-type=disposition-notification; boundary="b"',
        "Content-Type: message/disposition-notification",
    ],
)
def test_fields_that_say_so(field: str) -> None:
    assert automatic(answer("Subject: Approve: x", field))


def test_a_bounce_has_no_return_path() -> None:
    assert automatic(answer("Subject: Undelivered Mail Returned to Sender", sender=""))
    assert automatic(b"Subject: without any line of the delivery agent\n\n")


@pytest.mark.parametrize(
    "fields",
    [
        ("Subject: Approuver : Proposition pour l'été",),
        ("Subject: Approve: Automatic reply: I am away",),
        ("Subject:",),
        (),
        ("Subject: x", "Auto-Submitted: no", "Precedence: normal"),
        (
            "Subject: x",
            "Auto-Submitted: no (typed by hand)",
            'Content-Type: multipart/alternative; boundary="b"',
        ),
        ("Subject: x", "X-Auto-Response-Suppress: OOF"),
    ],
)
def test_what_a_person_wrote(fields: tuple[str, ...]) -> None:
    assert not automatic(answer(*fields, body="Auto-Submitted: auto-replied\nSubject: Automatic reply: x\n"))
