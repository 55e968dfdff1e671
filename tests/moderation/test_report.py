"""Delivery status notifications as RFC 3464 and RFC 6522 want them; a program reads the group and nobody in it."""

from __future__ import annotations

import email
import re
from email.message import Message

import pytest
from tests.moderation.mailing import MESSAGE, NOW, SENDER, delivered, held, letters

from groupmilter.mail.reply import Reply, reply

GROUP = "direction@masociete.example"
REFUSAL = reply("550 5.7.1", f"Only members may write to {GROUP}. Contact postmaster@masociete.example.")

HELD = held(group_address=GROUP)


def report(group: str = GROUP, refusal: Reply = REFUSAL, message: bytes = MESSAGE, to: str = SENDER) -> bytes:
    letter = letters().report(HELD, message, to, refusal, "mx.masociete.example", group)
    return letter.as_bytes()


def delivered_parts(octets: bytes) -> list[Message]:
    made = email.message_from_bytes(octets)
    return [part for part in made.walk() if not part.is_multipart()]


def test_its_three_parts() -> None:
    made = delivered(letters().report(HELD, MESSAGE, SENDER, REFUSAL, "mx.masociete.example", GROUP))
    assert made.get_content_type() == "multipart/report"
    assert made.get_param("report-type") == "delivery-status"
    assert made["Auto-Submitted"] == "auto-generated"
    assert made["In-Reply-To"] == "<ete@ailleurs.example>"
    assert made["To"] == SENDER
    parts = list(made.iter_parts())
    assert [part.get_content_type() for part in parts] == [
        "text/plain", "message/delivery-status", "text/rfc822-headers",
    ]  # fmt: skip


def test_people_read_it_in_both_languages() -> None:
    made = delivered(letters().report(HELD, MESSAGE, SENDER, REFUSAL, "mx.masociete.example", GROUP))
    part = made.get_body(("plain",))
    assert part is not None
    said = " ".join(str(part.get_content()).split())
    assert f"Votre message n’a pas été remis à {GROUP}." in said
    assert f"Your message was not delivered to {GROUP}." in said
    assert f"550 5.7.1 Only members may write to {GROUP}." in said
    assert made["Subject"] == "Non remis / Not delivered : Proposition pour l'été (direction)"


def test_programs_read_its_fields() -> None:
    made = delivered(letters().report(HELD, MESSAGE, SENDER, REFUSAL, "mx.masociete.example", GROUP))
    whole, recipient = (part for part in list(made.iter_parts())[1].iter_parts())
    assert dict(whole.items()) == {
        "Reporting-MTA": "dns; mx.masociete.example",
        "Arrival-Date": "Tue, 24 Nov 2026 17:05:40 +0000",
    }
    fields = dict(recipient.items())
    assert list(fields) == ["Original-Recipient", "Final-Recipient", "Action", "Status", "Diagnostic-Code"]
    assert fields["Original-Recipient"] == fields["Final-Recipient"] == f"rfc822; {GROUP}"
    assert (fields["Action"], fields["Status"]) == ("failed", "5.7.1")
    assert " ".join(fields["Diagnostic-Code"].split()) == f"smtp; {REFUSAL}"


def test_nobody_in_the_group_is_named() -> None:
    octets = report()
    whole = " ".join(str(part.get_payload()) for part in delivered_parts(octets))
    named = set(re.findall(r"[\w.+-]+@[\w.-]+\w", whole.replace("=\n", "")))
    assert named <= {
        GROUP,
        SENDER,
        "commercial@masociete.example",
        "postmaster@masociete.example",
        "ete@ailleurs.example",
    }
    assert b"Bonjour" not in octets, "the header comes back, not the text"


@pytest.mark.parametrize(
    ("message", "header"),
    [
        (b"Subject: x\n\nbody\n", "Subject: x\n"),
        (b"Subject: x\n\ty\nFrom: a@x.example\n\nbody\n", "Subject: x\n\ty\nFrom: a@x.example\n"),
        (b"Subject: caf\xe9\0\n\nbody\n", "Subject: caf\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\n"),
        (b"\nbody\n\nmore\n", ""),
        (b"", ""),
        (b"Subject: " + b"x" * 5_000 + b"\n\n", "Subject: " + "x" * 5_000 + "\n"),
        (b"X: y\n" * 100_000 + b"\n", None),
    ],
)
def test_the_header_comes_back(message: bytes, header: str | None) -> None:
    made = delivered(letters().report(HELD, message, SENDER, REFUSAL, "mx.masociete.example", GROUP))
    found = list(made.iter_parts())[2].get_content()
    assert len(found) < 17_000
    if header is not None:
        assert found.strip("\n") == header.strip("\n")
    assert max(map(len, report(message=message).split(b"\n"))) <= 998


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_a_line_end_ends_a_line_of_the_header_that_comes_back(odd: str) -> None:
    """Else a signature over that field no longer holds, and what stood behind it is a field of its own."""
    returned = delivered_parts(report(message=f"Subject: a{odd}X-Own: b\nFrom: {SENDER}\n\nx\n".encode()))[-1]
    header = returned.get_payload(decode=True)
    assert isinstance(header, bytes)
    assert header.decode().rstrip("\n") == f"Subject: a{odd}X-Own: b\nFrom: {SENDER}"


def test_a_group_beyond_ascii_has_the_form_for_it() -> None:
    octets = report(group="größe+a=b@köln.example")
    typed = rb"utf-8; gr\x{F6}\x{DF}e\x{2B}a\x{3D}b@k\x{F6}ln.example"
    assert b"Final-Recipient: " + typed in octets.replace(b"\n ", b" ")


def test_the_longest_refusal_is_folded() -> None:
    octets = report(refusal=reply("552 5.2.3", "word " * 200))
    (line,) = [one for one in octets.replace(b"\n ", b" ").split(b"\n") if one.startswith(b"Diagnostic-Code")]
    assert line.split() == b"Diagnostic-Code: smtp; 552 5.2.3".split() + [b"word"] * 180
    assert max(map(len, octets.split(b"\n"))) <= 200


def test_a_sender_beyond_ascii_is_written_to() -> None:
    assert "\nTo: zoë@x.example\n".encode() in report(to="zoë@x.example")


def test_the_time_is_not_invented() -> None:
    item = held(sent=0, group_address=GROUP)
    octets = letters().report(item, MESSAGE, SENDER, REFUSAL, "mx.masociete.example", GROUP).as_bytes()
    assert b"Arrival-Date" not in octets
    assert item.recorded == NOW
