"""SMTP smuggling (CVE-2023-51764): an end of data that is none, octet by octet, against a real Postfix.

Set up as `groupmilter postfix` prints it, exactly one message arrives, whatever stands before and after the dot; what
a client may rightly say after its message is a message of its own, judged by the rules as what it is. With Postfix's
old default a second message comes out of the first one's text, under its log-in: the hole that `check` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import product

import pytest
from tests.support.installation import Installation, recipients
from tests.support.office import ALICE, BOB, CLOSED, CONTACT, JEAN, OPEN, PIERRE, identity, message
from tests.support.serving import Serving
from tests.support.smtp_client import SmtpClient, SmtpReply

STRANGER = "x@outside.example"
_BEFORE = {"LF": b"\n", "CR": b"\r", "CRLF": b"\r\n", "NUL": b"\0", "CRLF NUL": b"\r\n\0"}
_AFTER = {
    "LF": b"\n",
    "CR": b"\r",
    "CRLF": b"\r\n",
    "CRCRLF": b"\r\r\n",
    "CR LF": b"\r \n",
    "NUL CRLF": b"\0\r\n",
}
ENDS_OF_DATA = {
    f"{before}.{after}": _BEFORE[before] + b"." + _AFTER[after]
    for before, after in product(_BEFORE, _AFTER)
    if (before, after) != ("CRLF", "CRLF")
}
"""Every end of data but the right one."""
OPEN_BY_DEFAULT = {"LF.LF", "LF.CRLF", "LF.CRCRLF", "CRLF.LF", "CRLF.CRCRLF"}
"""Those that Postfix 3.7 takes for an end of data unless it is told otherwise."""

every_end = pytest.mark.parametrize("end", ENDS_OF_DATA)


@dataclass(frozen=True)
class Outer:
    """Whose session carries the message that the other one hides in."""

    login: str
    sender: str
    to: str
    reached: tuple[str, ...]


OUTSIDE = Outer("", STRANGER, OPEN, (BOB, JEAN))
INSIDE = Outer("alice", ALICE, CONTACT, (JEAN, PIERRE))
both_sessions = pytest.mark.parametrize("outer", [OUTSIDE, INSIDE], ids=["outsider", "login"])


def hidden(mark: str, author: str = ALICE, to: str = CLOSED) -> bytes:
    """A whole transaction, as a smuggler writes it into the text of his message."""
    letter = message(mark, author)
    return b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (author.encode(), to.encode()) + letter


def say(session: SmtpClient, outer: Outer, content: bytes) -> SmtpReply:
    """Send one message's content as it is; its last dot is the only right one."""
    assert session.mail(outer.sender).code == 250
    assert session.rcpt(outer.to).code == 250
    assert session.command("DATA").code == 354
    session.send(content + b".\r\n")
    return session.reply()


def rest(session: SmtpClient) -> list[int]:
    """Say goodbye; return the codes of all replies until the answer to that, or until Postfix hangs up."""
    codes: list[int] = []
    with suppress(ConnectionError):
        session.send(b"QUIT\r\n")
        while codes[-1:] != [221]:
            codes.append(session.reply().code)
    return codes


def sent_as(site: Installation, mark: str) -> list[str]:
    """Who sent the messages that the sink has with this text in their own Message-ID."""
    own = f"Message-ID: <{mark}@".encode()
    heads = ((m.sender, m.content.partition(b"\r\n\r\n")[0]) for m in site.sink.messages)
    return [sender for sender, head in heads if own in head]


@contextmanager
def set_to(site: Installation, settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: site.postfix.postconf(name) for name in settings}
    site.postfix.edit(settings)
    site.postfix.restart()
    try:
        yield
    finally:
        site.postfix.edit(before)
        site.postfix.restart()


@both_sessions
@every_end
def test_one_message_arrives(site: Installation, outer: Outer, end: str) -> None:
    mark, smuggled = identity(), identity()
    text = message(mark, outer.sender, body=b"hello" + ENDS_OF_DATA[end] + hidden(smuggled))
    with site.session(login=outer.login) as session:
        assert say(session, outer, text).code == 250
        assert rest(session) == [221], "commands were read out of the text"
    site.settle()
    assert sent_as(site, smuggled) == []
    assert recipients(site.delivered(mark)) == list(outer.reached)
    assert site.held() == []


@both_sessions
@every_end
def test_one_message_arrives_in_chunks(site: Installation, outer: Outer, end: str) -> None:
    """BDAT (RFC 3030) counts octets: no dot ends anything, wherever a chunk ends."""
    mark, smuggled = identity(), identity()
    head, tail = message(mark, outer.sender, body=b"hello"), ENDS_OF_DATA[end] + hidden(smuggled) + b".\r\n"
    with site.session(login=outer.login) as session:
        session.mail(outer.sender)
        session.rcpt(outer.to)
        for chunk, last in ((head + tail[:2], b""), (tail[2:], b" LAST")):
            session.send(b"BDAT %d%s\r\n" % (len(chunk), last) + chunk)
            assert session.reply().code == 250
        assert rest(session) == [221]
    site.settle()
    assert sent_as(site, smuggled) == []
    assert recipients(site.delivered(mark)) == list(outer.reached)


def test_what_follows_a_last_chunk_is_judged_as_what_it_is(site: Installation) -> None:
    mark, second = identity(), identity()
    chunk = message(mark, STRANGER)
    with site.session() as session:
        session.mail(STRANGER)
        session.rcpt(OPEN)
        session.send(b"BDAT %d LAST\r\n" % len(chunk) + chunk + hidden(second, to=CONTACT) + b".\r\n")
        assert session.reply().code == 250
        assert rest(session)[:2] == [250, 550]
    site.settle()
    assert sent_as(site, second) == []


RIGHT_ENDS = {"right": b"\r\n.\r\n", "a CR before it": b"\r\r\n.\r\n", "a NUL before it": b"\0\r\n.\r\n"}
"""Ends of data as RFC 5321 section 4.1.1.4 has them: what follows is the client's next command."""


@pytest.mark.parametrize("end", RIGHT_ENDS)
def test_a_strangers_second_message_is_a_strangers(site: Installation, end: str) -> None:
    mark, second = identity(), identity()
    text = message(mark, STRANGER, body=b"hello" + RIGHT_ENDS[end] + hidden(second))
    with site.session() as session:
        assert say(session, OUTSIDE, text).code == 250
        assert rest(session)[:2] == [250, 550]
    site.settle()
    assert sent_as(site, second) == []
    assert recipients(site.delivered(mark)) == [BOB, JEAN]


@pytest.mark.parametrize("end", RIGHT_ENDS)
@pytest.mark.parametrize(("author", "heard"), [(ALICE, True), (JEAN, False)])
def test_a_logins_second_message_is_that_logins(
    site: Installation, end: str, author: str, heard: bool
) -> None:
    """In Alice's name it may go out, since it is Alice's session; in nobody else's."""
    mark, second = identity(), identity()
    text = message(mark, ALICE, body=b"hello" + RIGHT_ENDS[end] + hidden(second, author))
    with pipelining_as_before(site), site.session(login="alice") as session:
        assert say(session, INSIDE, text).code == 250
        codes = rest(session)
    site.settle()
    assert codes[:4] == [250, 250, 354, 250 if heard else 550]
    assert recipients(site.delivered(second)) == ([ALICE, JEAN] if heard else [])


@contextmanager
def pipelining_as_before(site: Installation) -> Iterator[None]:
    """As Postfix before 3.9: it takes a content that comes before it has been asked for."""
    with set_to(site, {"smtpd_forbid_unauth_pipelining": "no"}):
        yield


def test_who_does_not_wait_for_the_go_ahead_is_cut_off(site: Installation) -> None:
    mark, second = identity(), identity()
    commands = b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (STRANGER.encode(), OPEN.encode())
    two = message(mark, STRANGER) + b".\r\n" + hidden(second, STRANGER, OPEN) + b".\r\n"
    with site.session() as session:
        session.send(commands + two)
        codes = [session.reply().code for _ in range(3)]
        with pytest.raises(ConnectionError):
            session.reply()
    site.settle()
    assert codes == [250, 250, 554]
    assert site.sink.messages == []


@pytest.mark.parametrize("setting", ["no", "reject"])
def test_the_hole_that_check_names(site: Installation, setting: str) -> None:
    """Old default: a second message under the first one's log-in. `reject`: such clients are refused whole."""
    with set_to(site, {"smtpd_forbid_bare_newline": setting, "smtpd_forbid_unauth_pipelining": "no"}):
        found = {end for end in ENDS_OF_DATA if smuggles(site, end)}
        said = checked(site)
    assert found == (OPEN_BY_DEFAULT if setting == "no" else set())
    assert ("a second message can be smuggled inside a first one" in said) == (setting == "no")


def smuggles(site: Installation, end: str) -> bool:
    """Tell whether a second message, in Alice's session and name, reaches a group of which she alone is a sender."""
    smuggled = identity()
    text = message(identity(), ALICE, body=b"hello" + ENDS_OF_DATA[end] + hidden(smuggled))
    with suppress(ConnectionError), site.session(login="alice") as session:
        say(session, INSIDE, text)
        rest(session)
    site.settle()
    return bool(sent_as(site, smuggled))


def checked(site: Installation) -> str:
    """What `groupmilter check` says of this Postfix."""
    program = Serving(site.service.folder, "", site.service.control)
    return " ".join(
        program.run("check", "--postfix-config", str(site.postfix.config_directory)).stdout.split()
    )
