"""The members of one group as a table: what is exported is read again, and so is what others write."""

from __future__ import annotations

import pytest

from groupmilter.membership.draft import BadFile
from groupmilter.membership.roster import lines, named

GROUP = "contact@masociete.example"
A, B = "a@x.example", "b@x.example"


def test_what_is_exported_comes_back_and_no_spreadsheet_runs_it() -> None:
    members = [
        {"address": "+weird@x.example", "name": "=HYPERLINK(1)", "kind": "person"},
        {"address": A, "name": "Anaïs", "kind": "outsider"},
    ]
    text = "".join(lines(members))
    assert text.splitlines()[1] == "'+weird@x.example,'=HYPERLINK(1),person"
    assert named(text, GROUP) == ("+weird@x.example", A)
    assert named("\ufeff" + text, GROUP) == ("+weird@x.example", A)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{A}\n{B}\n", (A, B)),
        (f"Name;E-Mail\nA;{A}\nB;{B}\n", (A, B)),
        (f'"Adresse"\t"Nom"\n{A}\tA\n', (A,)),
        ("displayName\nJean Dupont\nPierre Durand\n", ("Jean Dupont", "Pierre Durand")),
        (f'address,members\nother@x.example,c@x.example\n{GROUP.upper()},"{A}\n{B}"\n', (A, B)),
        (f'[{{"email": "{A}", "role": "member"}}, {{"email": "{B}", "role": "owner"}}]', (A,)),
        (
            f"address,name,kind\n{A},,person\n{B},,dynamic\nuid=x,,left-out\nc@x.example,,left-out\n",
            (A, "c@x.example"),
        ),
        ("Jean Dupont\nPierre Durand", ("Jean Dupont", "Pierre Durand")),
        ("", ()),
    ],
)
def test_whom_a_file_names(text: str, wanted: tuple[str, ...]) -> None:
    assert named(text, GROUP) == wanted


@pytest.mark.parametrize("text", ["address,name\n,\nx,y\n,only a name,too many\n", "{", 'mail\n"open'])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadFile):
        named(text, GROUP)
