"""Which held messages come with a letter: none that holds a program, and none that can't be carried as it is."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from groupmilter.moderation.attaching import attachment_names, why_not_attached

LARGEST = 256_000
PLAIN = b"Subject: x\n\nhello\n"


def enclosing(disposition: str, kind: str = "application/octet-stream", body: bytes = b"data") -> bytes:
    lines = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nsee there\n--b",
        f"Content-Type: {kind}\nContent-Disposition: attachment{disposition}\n".encode(
            "utf-8", "surrogateescape"
        ),
        body,
        b"--b--\n",
    )
    return b"\n".join(lines)


def zipped(*names: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return written.getvalue()


def carrying(octets: bytes, name: str = "data.zip", kind: str = "zip") -> bytes:
    whole = MIMEMultipart()
    whole.attach(MIMEText("see there"))
    part = MIMEApplication(octets, kind)
    part.add_header("Content-Disposition", "attachment", filename=name)
    whole.attach(part)
    return whole.as_bytes()


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (PLAIN, ""),
        (b"no header at all", ""),
        (b"", ""),
        ("Subject: x\n\nété\n".encode(), ""),
        (b"Subject: x\n\n" + b"y" * 998 + b"\n", ""),
        (b"Subject: x\n\n" + b"y" * 999 + b"\n", "unfit"),
        (b"Subject: x\n\na\0b\n", "unfit"),
        (b"Subject: x\n\na\rb\n", "unfit"),
        (b"Subject: x\r\n\r\nx\r\n", "unfit"),
        (b"Subject: x\n\n" + b"y\n" * 128_000, "too-large"),
    ],
)
def test_what_can_be_carried(message: bytes, why: str) -> None:
    assert why_not_attached(message, LARGEST) == why


@pytest.mark.parametrize(
    "disposition",
    [
        "; filename=report.pdf",
        "; filename=exe",
        "; filename=notes.exe.txt",
        '; filename="=?utf-8?q?r=C3=A9sum=C3=A9.docx?="',
        "; filename=archive.tar.gz",
        "; filename=.bashrc",
        "",
    ],
)
def test_files_that_are_no_programs(disposition: str) -> None:
    assert why_not_attached(enclosing(disposition), LARGEST) == ""


@pytest.mark.parametrize(
    "disposition",
    [
        "; filename=setup.exe",
        "; filename=SETUP.EXE",
        '; filename="invoice.pdf.js"',
        '; filename="setup.exe."',
        '; filename="setup.exe  . "',
        '; filename="=?utf-8?q?setup=2Eexe?="',
        '; filename="=?utf-8?b?c2V0dXAuZXhl?="',
        "; filename*=utf-8''setup%2Eexe",
        "; filename*0=set; filename*1=up.exe",
        "; filename*0*=utf-8''setup; filename*1*=%2Eexe",
        '; filename="invoice\u202efdp.exe"',
        '; filename="setup.ex\u200be"',
        "; filename=macros.docm",
        "; filename=link.lnk",
        "; filename=page.hta",
        "; filename=disk.iso",
        "; filename=script.ps1",
    ],
)
def test_programs_by_their_name(disposition: str) -> None:
    assert why_not_attached(enclosing(disposition), LARGEST) == "program"


def test_a_name_in_broken_base64_is_said_to_be_unreadable_and_its_message_stays() -> None:
    message = enclosing('; filename="=?utf-8?b?A?="')
    assert why_not_attached(message, LARGEST) == "unfit"
    assert attachment_names(message) == ("?",)


def test_either_name_of_a_part_counts() -> None:
    named = enclosing("; filename=a.txt", "application/octet-stream; name=setup.exe")
    assert why_not_attached(named, LARGEST) == "program"
    other = enclosing("; filename=setup.exe", "text/plain; name=a.txt")
    assert why_not_attached(other, LARGEST) == "program"


@pytest.mark.parametrize(
    "kind",
    ["application/x-msdownload", "application/javascript", "message/external-body", "application/ms-tnef"],
)
def test_programs_by_their_type(kind: str) -> None:
    assert why_not_attached(enclosing("; filename=a.bin1", kind), LARGEST) == "program"


@pytest.mark.parametrize("octets", [b"MZ\x90\0", b"\x7fELF\2\1", b"#!/bin/sh\n", b"\xca\xfe\xba\xbe"])
def test_programs_by_their_beginning(octets: bytes) -> None:
    assert why_not_attached(carrying(octets, "photo.jpg", "octet-stream"), LARGEST) == "program"


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (zipped("a.txt", "folder/b.pdf"), ""),
        (zipped("a.txt", "folder/setup.exe"), "program"),
        (zipped("word/document.xml", "word/vbaProject.bin"), "program"),
        (zipped(*(f"{number}.txt" for number in range(2_001))), "program"),
        (b"PK\x03\x04 this is no archive", "program"),
    ],
)
def test_archives_by_their_list_of_names(octets: bytes, why: str) -> None:
    assert why_not_attached(carrying(octets), LARGEST) == why


def test_a_program_inside_an_enclosed_message() -> None:
    outer = EmailMessage()
    outer.set_content("forwarded")
    inner = EmailMessage()
    inner.set_content("see there")
    inner.add_attachment(b"MZ", "application", "octet-stream", filename="setup.exe")
    outer.add_attachment(inner)
    assert why_not_attached(outer.as_bytes(), LARGEST) == "program"


def test_a_program_in_the_text() -> None:
    assert why_not_attached(PLAIN + b"\nbegin 644 setup.exe\nM\nend\n", LARGEST) == "program"
    assert why_not_attached(PLAIN + b"\nbegin 644 notes.txt\nM\nend\n", LARGEST) == ""


def test_names_for_people() -> None:
    assert attachment_names(PLAIN) == ()
    assert attachment_names(enclosing("; filename*=utf-8''r%C3%A9sum%C3%A9.pdf")) == ("résumé.pdf",)
    assert attachment_names(enclosing('; filename="=?utf-8?q?r=C3=A9sum=C3=A9.pdf?="')) == ("résumé.pdf",)
    assert attachment_names(enclosing('; filename="a\u202eb.exe"', "text/plain")) == ("a�b.exe",)
    assert attachment_names(enclosing('; filename="a\tb.txt"')) == ("a b.txt",)
    (long,) = attachment_names(enclosing(f"; filename={'x' * 200}.txt"))
    assert len(long) == 80
    named = (b"--b\nContent-Type: a/b; name=%d.txt\n\n" % number for number in range(100))
    many = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"".join(named)
    assert attachment_names(many) == tuple(f"{number}.txt" for number in range(20))


def test_both_names_are_shown_where_they_differ() -> None:
    assert attachment_names(enclosing("; filename=a.txt", "text/plain; name=a.txt")) == ("a.txt",)
    assert attachment_names(enclosing("; filename=a.txt", "text/plain; name=b.txt")) == ("b.txt", "a.txt")
    far = PLAIN + b"x\n" * 1_000_000 + enclosing("; filename=late.pdf")
    assert attachment_names(far) == ("late.pdf",)
