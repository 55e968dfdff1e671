"""Found in review: From fields in which two readers see two authors."""

import pytest
from tests.support.letters import Office

from groupmilter.mail.header import mailboxes


@pytest.mark.parametrize(
    "field",
    [
        # A quote means nothing inside a comment (RFC 5322 section 3.2.2): others see the boss in brackets.
        '(a "b) <boss@own.example> (c" d) bob@own.example',
        r"(a \( b) <boss@own.example> c) bob@own.example",
        r"bob@own.example (\) boss@own.example",
        # White space between two atoms is no address; another reader may drop either.
        "bo b@own.example",
        "bob@own.exam ple",
        "Boss boss@own.example",
    ],
)
def test_what_another_reader_may_see_otherwise_is_unreadable(field: str) -> None:
    assert mailboxes(field) is None


@pytest.mark.parametrize("field", ["bob@own.example (Bob (the builder))", "Bob B. <bob@own.example>"])
def test_plain_comments_and_names_are_read(field: str) -> None:
    assert mailboxes(field) == ("bob@own.example",)


def test_a_login_cant_show_another_author_by_a_comment() -> None:
    office = Office()
    office.person("bob", login="bob")
    office.group("contact", office.person("boss"))
    letter = office.letter("bob@own.example", login="bob").to("contact@own.example")
    field = '(a "b) <boss@own.example> (c" d) bob@own.example'
    assert letter.answered(**{"from": field}) == "550 5.7.1"
