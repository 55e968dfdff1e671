"""A reply is one value that can't contradict itself and always fits into SMTP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.mail.reply import one_line, reply


def test_codes_agree() -> None:
    made = reply("550 5.7.1", "No")
    assert (made.smtp, made.enhanced, str(made)) == ("550", "5.7.1", "550 5.7.1 No")


@pytest.mark.parametrize("status", ["550 4.7.1", "250 2.0.0", "550", "5500 5.7.1", "abc 5.7.1", "550 5.7"])
def test_contradictions_are_refused(status: str) -> None:
    with pytest.raises(ValueError, match=r"status|differ|refusal"):
        reply(status)


def test_accents_are_dropped_not_lost() -> None:
    assert (
        one_line("L\u2019expéditeur n’est pas autorisé\r\nà écrire")
        == "L'expediteur n'est pas autorise a ecrire"
    )


@given(st.text())
def test_any_text_fits(text: str) -> None:
    line = one_line(text)
    assert line.isascii()
    assert len(line) <= 900
    assert not set(line) & set("\r\n\0")
