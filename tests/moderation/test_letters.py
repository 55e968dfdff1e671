"""The letters: what they say, in which languages, and that no outsider's text can pass for ours."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.moderation.mailing import (
    ADDRESS,
    ALICE,
    GROUP,
    JEAN,
    LINK,
    MESSAGE,
    NOBODY_KNOWS,
    NOW,
    SENDER,
    delivered,
    held,
    html,
    letters,
    text,
    ways,
)
from tests.moderation.seeing import seen
from tests.support.letters import untyped

from groupmilter.moderation.item import Item, State
from groupmilter.moderation.letters import LISTED, Addressee, Ways
from groupmilter.policy.facts import Strength

HOUR = 3600


def request(item: Item, message: bytes = MESSAGE, to: Addressee = ALICE) -> str:
    return text(letters().request(item, message, to, ways(item, to), NOW))


REQUEST = """\
A message waits for your decision

To the group: {group}
From:         {sender}
              Not proven: anybody may have put this address there.
Name given:   Marie Martin
Subject:      Proposition pour l'été
Attachments:  Proposition.pdf

The message, in its sender's words:
> Bonjour,
>
> voici notre proposition pour l'été, comme convenu au téléphone.
> Les délais : trois semaines après la commande.
>
> Bien cordialement
> Marie Martin

To approve, send an empty message to:
  {own.approve}

To reject, send a message to (what you write in it is the reason):
  {own.reject}

Or decide on this page:
  {own.link}

Held because: messages to this group need approval
Received:     Tuesday, 24 November 2026 at 18:05 (UTC+1)
Size:         48 kB
Expires:      Friday, 27 November 2026 at 18:06 (UTC+1); it is rejected then
              unless somebody decides
Reference:    {item.name}

The whole message is attached.

To decide by mail, write from your own account: you have to be logged in
to your mail server, and nobody else can use these addresses. A reply to
this letter decides nothing.

The reason of a rejection is written to the sender, if the sender is
told at all.
"""


def test_a_request_in_english() -> None:
    item = held()
    own = ways(item, ALICE)
    letter = delivered(letters().request(item, MESSAGE, ALICE, own, NOW))
    assert letter["Subject"] == "To approve: Proposition pour l'été (commercial)"
    assert text(letter) == REQUEST.format(group=GROUP, sender=SENDER, own=own, item=item)


def test_french_for_who_reads_french_and_both_where_nobody_knows() -> None:
    item = held()
    french, both = request(item, to=JEAN), request(item, to=NOBODY_KNOWS)
    assert french.startswith("Un message attend votre décision\n\nPour le groupe\xa0: commercial")
    assert "waits" not in french
    assert both.startswith("Un message attend votre décision\n\nA message waits for your decision\n")
    assert "De / From\xa0:" in both
    english_first = letters(language="en").request(item, MESSAGE, NOBODY_KNOWS, ways(item), NOW)
    assert text(english_first).startswith(
        "A message waits for your decision\n\nUn message attend votre décision\n"
    )
    assert both.count("> Bonjour,") == 1, "what the sender wrote is quoted once"
    for said in (french, both):
        assert len(ADDRESS.findall(said)) == 2
        assert len(LINK.findall(said)) == 1


@pytest.mark.parametrize(
    ("language", "starts"), [("fr-CA", "Un"), ("FR", "Un"), ("en-GB", "A "), ("de", "Un")]
)
def test_languages_of_the_directory(language: str, starts: str) -> None:
    assert request(held(), to=replace(JEAN, language=language)).startswith(starts)


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"strength": Strength.DMARC},
            ("From:         marie.martin@", "Proven by the sender's domain (DMARC)."),
        ),
        ({"strength": Strength.NETWORK}, ("Sent from a trusted computer; who sent it isn't proven.",)),
        (
            {"strength": Strength.LOGIN, "sender": 5, "sender_name": "Pierre Durand"},
            (
                "Sender:       Pierre Durand",
                "Proven: the sender had logged in.",
                "From:         marie.martin@",
            ),
        ),
        ({"strength": 99}, ("Not proven: anybody may have put this address there.",)),
        ({"author": ""}, ("From:         nobody is named",)),
        ({"author": "a@x.example, b@y.example"}, ("From:         a@x.example, b@y.example",)),
        ({"subject": ""}, ("Subject:      (no subject)",)),
        ({"why": "storm"}, ("Held because: unusually many messages came in a short time",)),
        ({"why": "no-adverts"}, ("Held because: a rule of the organisation says so (no-adverts)",)),
        ({"why": ""}, ("Held because: the reason isn't known any more",)),
    ],
)
def test_what_is_said_of_a_message(changes: dict[str, object], lines: tuple[str, ...]) -> None:
    said = request(held(**untyped(changes)))
    for line in lines:
        assert line in said


def test_an_expiry_that_releases_says_so() -> None:
    item = held()
    letter = letters(releases=True).request(item, MESSAGE, ALICE, ways(item), NOW)
    assert "it is released then\n              unless somebody decides" in text(letter)
    assert "Expires" not in request(held(expires=0))


@pytest.mark.parametrize(
    ("message", "said", "attached"),
    [
        (MESSAGE, "The whole message is attached.", True),
        (b"Subject: x\n\n8-bit: \xe9 no line end", "The whole message is attached.", True),
        (b"Subject: x\n\nNUL \0", "The message can't be carried in an attachment.", False),
        (b"Subject: x\n\n" + b"x" * 300_000, "The message is too large to be attached.", False),
        (b"Subject: x\n\n" + b"y\n" * 128_001, "The message is too large to be attached.", False),
        (
            b"Content-Type: text/plain; name=a.exe\n\nx\n",
            "The message may hold a program, so it isn't attached.",
            False,
        ),
    ],
)
def test_the_original_comes_along_octet_for_octet(message: bytes, said: str, attached: bool) -> None:
    item = held()
    letter = letters().request(item, message, ALICE, ways(item), NOW)
    assert said in text(letter)
    octets = letter.as_bytes()
    boundary = delivered(letter).get_boundary()
    part = (
        b'Content-Type: message/rfc822\nContent-Disposition: attachment; filename="message.eml"\n'
        + (b"" if message.isascii() else b"Content-Transfer-Encoding: 8bit\n")
        + b"\n" + message + f"\n--{boundary}--".encode()
    )  # fmt: skip
    assert (part in octets) is attached
    assert delivered(letter)["Content-Transfer-Encoding"] == (None if octets.isascii() else "8bit")


def test_buttons_open_a_message_that_only_has_to_be_sent() -> None:
    item = held(subject="50 % & more? #1 + é")
    own = ways(item)
    found = seen(html(letters().request(item, MESSAGE, ALICE, own, NOW)))
    approve, reject, page = (urlsplit(link) for link in found.links)
    assert (approve.scheme, approve.path) == ("mailto", own.approve)
    assert parse_qs(approve.query) == {"subject": ["Approve: 50 % & more? #1 + é"]}
    assert (reject.scheme, reject.path) == ("mailto", own.reject)
    opened = parse_qs(reject.query)
    assert opened["subject"] == ["Reject: 50 % & more? #1 + é"]
    assert opened["body"] == ["\r\n\r\n-- \r\nAbove the dashes you may give a reason.\r\n"]
    assert "+" not in reject.query, "a plus is no blank there (RFC 6068)"
    assert page.geturl() == own.link


def test_a_reminder_belongs_to_its_request() -> None:
    item = held()
    asked, reminded = (
        delivered(letters().request(item, MESSAGE, ALICE, ways(item), NOW, reminder=again))
        for again in (False, True)
    )
    assert reminded["Subject"] == "Reminder, to approve: Proposition pour l'été (commercial)"
    assert text(reminded).startswith("A message still waits for your decision\n")
    assert reminded["In-Reply-To"] == reminded["References"] == asked["Message-ID"]
    assert reminded["Message-ID"] != asked["Message-ID"]


def test_a_letter_that_is_submitted_again_is_the_same_one() -> None:
    one, two = (letters().request(held(), MESSAGE, ALICE, ways(held()), NOW + later) for later in (0, 60))
    other = letters().request(held(), MESSAGE, JEAN, ways(held()), NOW)
    assert one["Message-ID"] == two["Message-ID"] != other["Message-ID"]


def test_whoever_has_no_ways_learns_the_facts_alone() -> None:
    item = held()
    letter = delivered(letters().request(item, MESSAGE, Addressee("postmaster@x.example"), Ways("", ""), NOW))
    said = text(letter)
    assert f"\ngroupmilter held show {item.name}\n" in said
    assert "Bonjour" not in said
    assert letter.get_content_type() == "multipart/alternative"
    assert seen(html(letter)).links == []


# many at once


def test_a_summary_names_fifty_with_their_own_ways() -> None:
    items = [held(number, subject=f"offer {number}") for number in range(1, LISTED + 1)]
    letter = letters().summary([(item, ways(item)) for item in items], 9_950, ALICE, NOW)
    said, found = text(letter), seen(html(letter))
    assert letter["Subject"] == "9,950 messages wait for your decision"
    assert len(LINK.findall(said)) == LISTED == len(set(LINK.findall(said)))
    assert "50. offer 50\n" in said
    assert "And 9,900 more, which follow in the next letters." in said
    assert len(found.links) == 3 * LISTED
    assert len(html(letter)) < 100_000, "what is longer some mail programs cut"


def test_without_pages_a_summary_has_the_addresses() -> None:
    items = [(item, ways(item, panel="")) for item in (held(1), held(2))]
    letter = letters().summary(items, 2, ALICE, NOW)
    assert len(set(ADDRESS.findall(text(letter)))) == 4
    assert "more" not in text(letter).replace("More came", "")


# what became of it


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"state": State.REJECTED, "way": "link", "comment": "No."},
            (
                "bob@x.example rejected it on Tuesday, 24 November 2026\nat 18:08 (UTC+1), by link.",
                "Reason given: No.",
            ),
        ),
        (
            {"state": State.RELEASED, "way": "mail"},
            ("bob@x.example approved it", "delivered to the group on"),
        ),
        (
            {"state": State.APPROVED, "way": "command"},
            ("on the command line", "It is on its way to the group."),
        ),
        ({"state": State.REJECTED, "decided_by": ALICE.address, "way": "mail"}, ("You rejected it on",)),
        (
            {"state": State.EXPIRED, "decided_by": "desk", "way": "desk"},
            ("Nobody decided in time; it was closed on",),
        ),
        (
            {"state": State.RELEASED, "decided_by": "desk", "way": "desk"},
            ("Nobody decided in time; it was released on",),
        ),
    ],
)
def test_who_comes_late_is_told_who_was_first_and_when(
    changes: dict[str, object], said: tuple[str, ...]
) -> None:
    item = held(
        **untyped({"decided_by": "bob@x.example", "decided": NOW + 90, "finished": NOW + 120} | changes)
    )
    letter = delivered(letters().decided(item, ALICE, NOW + HOUR))
    assert letter["Subject"] == "Already decided: Proposition pour l'été (commercial)"
    for line in said:
        assert " ".join(line.split()) in " ".join(text(letter).split())
    asked = letters().request(held(), MESSAGE, ALICE, ways(held()), NOW)
    assert letter["In-Reply-To"] == asked["Message-ID"]


@pytest.mark.parametrize(
    ("why", "said"), [("foreign", "no longer, among"), ("gone", "no longer there"), ("?", "no longer there")]
)
def test_an_answer_that_decided_nothing(why: str, said: str) -> None:
    letter = letters().invalid(why, ALICE, NOW)
    assert letter["Subject"] == "Nothing was decided."
    assert said in text(letter)


@pytest.mark.parametrize("kind", ["held", "rejected", "expired"])
def test_a_sender_learns_the_outcome_and_no_name(kind: str) -> None:
    item = held(state=State.REJECTED, decided_by="bob@x.example", way="mail", comment="Not here.\nSee there.")
    letter = delivered(letters().outcome(item, kind, Addressee(SENDER, language="en"), MESSAGE, NOW))
    whole = letter.as_string()
    assert "bob" not in whole
    assert "approve+" not in whole
    assert ("> Not here.\n> See there." in text(letter)) is (kind == "rejected")
    assert letter["In-Reply-To"] == "<ete@ailleurs.example>"
    (header,) = letter.iter_attachments()
    assert header.get_content_type() == "text/rfc822-headers"
    assert header.get_content().startswith("From: Marie Martin <marie.martin@ailleurs.example>\n")
    assert "Bonjour" not in whole


def test_who_decides_reads_the_groups_name_and_its_sender_only_what_he_wrote_to() -> None:
    named = letters(called={GROUP: "Équipe commerciale"}.__getitem__)
    item = held()
    asks = delivered(named.request(item, MESSAGE, ALICE, ways(item, ALICE), NOW))
    tells = delivered(named.outcome(item, "held", Addressee(SENDER, language="en"), MESSAGE, NOW))
    assert asks["From"].addresses[0].display_name == "Moderation of Équipe commerciale"
    assert str(asks["Subject"]).endswith(f"({GROUP.partition('@')[0]})"), "filters go on finding it"
    assert "quipe" not in tells.as_string()


def test_what_a_link_says_survives_the_way() -> None:
    item = held()
    own = ways(item)
    assert own.link in unquote(html(letters().request(item, MESSAGE, ALICE, own, NOW)))
