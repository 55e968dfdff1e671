"""A certificate's names as Sendmail writes them, `+XX` for whatever might confuse a log or a map."""

from __future__ import annotations

import pytest

from groupmilter.mta.certificate import verified


def told(names: tuple[str, ...] = (), **macros: str) -> tuple[str, str]:
    """What comes of these macros."""
    return verified(lambda name: macros.get(name.strip("{}"), ""), names)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Example+20CA", "Example CA"),
        ("a+2Bb+28c+29+22+3C+3E", 'a+b(c)"<>'),
        ("R+C3+A9union", "R\N{LATIN SMALL LETTER E WITH ACUTE}union"),
        ("no+FFtext", "no+FFtext"),
        ("100%25", "100%25"),
        ("plain", "plain"),
    ],
)
def test_common_names_are_read_as_they_stand_in_the_certificate(written: str, meant: str) -> None:
    found = told(
        verify="OK", cert_subject="/CN=x", cert_issuer="/CN=y", cn_subject=written, cn_issuer=written
    )
    assert found == (meant, meant)


def test_distinguished_names_too() -> None:
    names = ("/O=My+20House/CN=backup", "/CN=Example+20CA")
    found = told(("/O=My House/CN=backup",), verify="OK", cert_subject=names[0], cert_issuer=names[1])
    assert found == ("/O=My House/CN=backup", "/CN=Example CA")


def test_what_postfix_tells_is_left_as_it_is() -> None:
    assert told(cert_subject="a+20b", cert_issuer="c+20d") == ("a+20b", "c+20d")
