"""Cells that no spreadsheet runs and that come back as they were, whatever stands in them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from groupmilter.membership.draft import BadFile
from groupmilter.membership.table import decoded, guarded, joined, parted, rows, table, unguarded

ANY = st.text(st.characters(blacklist_categories=["Cs"]))
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\N{FULLWIDTH EQUALS SIGN}1",
    "=cmd|' /C calc'!A0",
)


@given(ANY)
@example("'")
@example("''=1")
@example("'O'Neil")
def test_every_text_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(ANY)
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    begun = guarded(text).lstrip()[:1]
    assert begun not in set("=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}")
    assert guarded(text)[:1] not in {"\t", "\r", "\n"}


@pytest.mark.parametrize("text", FORMULAS)
def test_known_formulas_are_marked(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["jean@masociete.example", "O'Neil", "a=b", "", "l'été", "3-4"])
def test_what_is_none_stays(text: str) -> None:
    assert guarded(text) == text
    assert unguarded(text) == text


def test_what_somebody_wrote_with_an_apostrophe_stays() -> None:
    assert unguarded("'tis") == "'tis"
    assert unguarded("'@partner.example") == "@partner.example"


@given(st.lists(st.fixed_dictionaries({"one": ANY, "two": ANY}), max_size=5))
def test_a_table_comes_back(content: list[dict[str, str]]) -> None:
    kept = [row for row in content if any(row.values())]
    assert rows("".join(table(("one", "two"), content))) == kept


def test_a_table_is_as_rfc_4180_has_it() -> None:
    text = "".join(table(("a", "b"), [{"a": 'say "x", y', "b": "1\n2"}]))
    assert text == 'a,b\r\n"say ""x"", y","1\n2"\r\n'
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["a", "b"], ['say "x", y', "1\n2"]]


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1)))
def test_several_values_in_a_cell_come_back(values: list[str]) -> None:
    assert parted(joined(values)) == tuple(values)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\xff\xfea\x00\xe9\x00", "aé"),
        (b"\xef\xbb\xbfa\xc3\xa9", "aé"),
        (b"a\xc3\xa9", "aé"),
        (b"a\xe9", "aé"),
        (b"", ""),
    ],
)
def test_a_files_text_whatever_wrote_it(octets: bytes, text: str) -> None:
    assert decoded(octets) == text


@pytest.mark.parametrize(
    "text",
    ["a;b\r\n1;2\r\n", "a\tb\n1\t2\n", "#TYPE X\na,b\n1,2\n", 'a,b\n\n1,2\n""\n', "a;b\n1;2\n;;\n;;;\n"],
)
def test_what_separates_is_found(text: str) -> None:
    assert rows(text) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no columns"),
        ("a,a\n1,2\n", "“a” is there twice"),
        ("a\n1,2\n", "row 2 has 2 cells under 1 columns"),
        ('a\n"1', "no CSV"),
    ],
)
def test_what_is_no_table_says_why(text: str, says: str) -> None:
    with pytest.raises(BadFile, match=says):
        rows(text)


def test_octets_of_no_text_say_where() -> None:
    with pytest.raises(BadFile, match="octet 1"):
        decoded(b"a\x81")
