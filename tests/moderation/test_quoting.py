"""The reason of a rejection: what a moderator wrote himself, above the quote, in the mail programs there are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.moderation.quoting import own_text

REASON = "Pas pour ce groupe.\nVoyez le service achats."
ANSWERS = {
    "nothing quoted": "",
    "signature": "-- \nJean Dupont\nDirecteur",
    "signature without its blank": "--\nJean Dupont",
    "our line of dashes": "\n-- \nAu-dessus des tirets, vous pouvez indiquer un motif.\n\nJean Dupont\nTél. 01",
    "marks": "> Un message attend votre décision\n>   approve+x@groups.own.example",
    "gmail, english": "On Tue, 24 Nov 2026 at 18:06, Modération <\nm@groups.own.example> wrote:\n\n> Un",
    "gmail, french": "Le mar. 24 nov. 2026 à 18:06, Modération <m@groups.own.example> a écrit :\n\n> Un",
    "gmail, french, broken": "Le mar. 24 nov. 2026 à 18:06, Modération\n<m@groups.own.example> a\nécrit :\n\nUn",
    "gmail, german": "Am Di., 24. Nov. 2026 um 18:06 Uhr schrieb Modération <m@groups.own.example>:\n\n> Un",
    "gmail, german, broken": "Am Di., 24. Nov. 2026 um 18:06 Uhr schrieb Modération <\nm@groups.own.example>:\n\nUn",
    "apple, english": "On 24 Nov 2026, at 18:06, Modération <m@groups.own.example> wrote:\n\nUn message",
    "apple, french": "Le 24 nov. 2026 à 18:06, Modération <m@groups.own.example> a écrit :\n\nUn message",
    "apple, german": "Am 24.11.2026 um 18:06 schrieb Modération <m@groups.own.example>:\n\nUn message",
    "thunderbird, english": "On 11/24/26 18:06, Modération wrote:\n> Un message",
    "thunderbird, french": "Le 24/11/2026 à 18:06, Modération a écrit\xa0:\n> Un message",
    "thunderbird, german": "Am 24.11.26 um 18:06 schrieb Modération:\n> Un message",
    "mutt": "On Tue, Nov 24, 2026 at 06:06:40PM +0100, Modération wrote:\n> Un message",
    "spanish": "El mar, 24 nov 2026 a las 18:06, Moderación (<m@groups.own.example>) escribió:\n\nUn",
    "italian": "Il giorno mar 24 nov 2026 alle ore 18:06 Moderazione <m@groups.own.example> ha scritto:\n\nUn",
    "dutch": "Op di 24 nov 2026 om 18:06 schreef Moderatie <m@groups.own.example>:\n\nUn",
    "outlook, english": "________________________________\nFrom: Modération\nSent: Tuesday\nTo: Jean",
    "outlook, english, bare": "From: Modération\nSent: Tuesday, November 24\nTo: Jean\nSubject: x",
    "outlook, french": "De\xa0: Modération\nEnvoyé\xa0: mardi 24 novembre\nÀ\xa0: Jean\nObjet\xa0: x",
    "outlook, german": "Von: Modération\nGesendet: Dienstag\nAn: Jean\nBetreff: x",
    "outlook, marked up": "*From:* Modération\n*Sent:* Tuesday\n*To:* Jean",
    "old outlook, english": "-----Original Message-----\nFrom: Modération",
    "old outlook, french": "-----Message d'origine-----\nDe : Modération",
    "old outlook, curly": "-----Message d’origine-----\nDe : Modération",
    "old outlook, german": "-----Ursprüngliche Nachricht-----\nVon: Modération",
    "iphone, english": "Sent from my iPhone\n\n> On 24 Nov 2026, at 18:06, x wrote:",
    "iphone, french": "Envoyé de mon iPhone\n\n> Le 24 nov. 2026 à 18:06",
    "iphone, german": "Von meinem iPhone gesendet",
    "android, outlook": "Télécharger Outlook pour Android<https://aka.ms/x>\n________________________________\nDe : x",
    "android, orange": "Envoyé depuis mon mobile Orange\n-------- Message d'origine --------",
}  # fmt: skip


def mail(body: str, kind: str = "text/plain") -> bytes:
    head = f"Return-Path: <jean@own.example>\nSubject: Rejeter\nContent-Type: {kind}; charset=utf-8\n\n"
    return head.encode() + body.encode()


@pytest.mark.parametrize("client", ANSWERS)
def test_the_quote_is_left_out(client: str) -> None:
    assert own_text(mail(f"\n{REASON}\n\n{ANSWERS[client]}\n")) == REASON


@pytest.mark.parametrize("client", [name for name in ANSWERS if name != "nothing quoted"])
def test_who_wrote_nothing_gave_no_reason(client: str) -> None:
    assert own_text(mail(f"\n\n{ANSWERS[client]}\n")) == ""


@pytest.mark.parametrize(
    "reason",
    [
        "On Monday we decided otherwise. Please ask Marie.",
        "Le 24 novembre, le comité a décidé : pas de publicité.",
        "From: is a word like any other: see there",
        "From my point of view this is not for us.",
        "Von meinem Standpunkt aus nicht.",
        "Envoyé de la mauvaise adresse.",
        "Sent too late.",
        "- one\n- two\n\n--- three ---",
        "a > b, and 3 < 4",
        "Op zich goed, maar niet hier.",
        "C’est tout.\n\nMerci : Jean",
    ],
)
def test_a_reason_that_begins_like_a_quote_is_one(reason: str) -> None:
    assert own_text(mail(reason)) == reason


HTML = {
    "gmail": '<div dir="ltr">Pas ici.</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">Le 24 nov. '
    'a écrit :<br></div><blockquote class="gmail_quote">Un message</blockquote></div>',
    "apple": '<html><body>Pas ici.<br><blockquote type="cite"><div>Le 24 nov.</div>Un</blockquote></body></html>',
    "outlook": "<html><head><style>p {margin:0}</style></head><body><p>Pas ici.</p><hr tabindex=-1>"
    '<div id="divRplyFwdMsg"><b>De :</b> Modération</div></body></html>',
    "outlook, classic": '<p>Pas ici.</p><div style="border-top:solid"><p><b>De&nbsp;:</b> Modération<br>'
    "<b>Envoyé&nbsp;:</b> mardi<br><b>À&nbsp;:</b> Jean</p></div>",
    "thunderbird": '<p>Pas ici.</p><div class="moz-cite-prefix">Le 24/11/2026, x a écrit :<br></div>'
    "<blockquote>Un</blockquote>",
    "mobile": "<div>Pas ici.</div><div><br></div><div>Envoyé de mon iPhone</div><div>Jean Dupont</div>",
}  # fmt: skip


@pytest.mark.parametrize("client", HTML)
def test_an_answer_in_html_alone(client: str) -> None:
    assert own_text(mail(HTML[client], "text/html")) == "Pas ici."


def test_the_plain_part_goes_before_the_other() -> None:
    body = "--b\nContent-Type: text/plain\n\nplain\n\n--b\nContent-Type: text/html\n\n<p>other</p>\n--b--\n"
    assert own_text(mail(body, 'multipart/alternative; boundary="b"')) == "plain"


def test_a_reason_is_one_text_of_bounded_length() -> None:
    assert own_text(mail("one\n\n\n\n\ntwo\x1b[2J\u202e")) == "one\n\ntwo�[2J�"
    assert own_text(mail("x " * 5000)) == ("x " * 5000)[:999] + "…"
    assert len(own_text(mail("y\n" * 5000))) <= 1000


@given(st.text(max_size=400) | st.sampled_from(list(ANSWERS.values())))
def test_reading_an_answer_never_raises(body: str) -> None:
    for kind in ("text/plain", "text/html", 'multipart/mixed; boundary="b"'):
        octets = mail("", kind) + body.encode("utf-8", "replace")
        assert len(own_text(octets)) <= 1000


@pytest.mark.parametrize(
    "body",
    [
        "On 1 " + "wrote " * 100_000 + ":",
        "op 1 schreef " * 40_000 + ":",
        "am 1 schrieb " * 40_000 + ":",
        ("Le 1 " + "a écrit" * 60 + "\n") * 2_000,
        "x <a@b" * 50_000,
        "<1@" * 100_000 + "wrote:",
        "\n" * 500_000,
        "-" * 500_000,
    ],
)
def test_a_costly_answer_takes_no_time(body: str) -> None:
    begun = time.process_time()
    own_text(mail(body))
    assert time.process_time() - begun < 2
