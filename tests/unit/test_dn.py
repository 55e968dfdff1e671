"""Distinguished names: every spelling of one name compares equal, and different names never do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.directory.dn import normalise, parent, within

VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Cf")),
    min_size=1,
    max_size=8,
)
NAMES = st.lists(st.tuples(st.sampled_from(["cn", "ou", "dc", "uid"]), VALUES), min_size=1, max_size=4)
SPECIAL = ',+"\\<>;='


def written(value: str, style: int) -> str:
    """Spell a value as RFC 4514 allows: by backslash, by hexadecimal pairs, or quoted as RFC 2253 did."""
    if style == 0:
        text = "".join(f"\\{c}" if c in SPECIAL else c for c in value)
        return f"\\{text}" if text[0] == "#" else text
    if style == 1:
        return "".join(f"\\{octet:02X}" for octet in value.encode())
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(NAMES, st.lists(st.integers(0, 2), min_size=4, max_size=4), st.sampled_from([",", ", ", " , ", ";"]))
def test_spellings_compare_equal(name: list[tuple[str, str]], styles: list[int], separator: str) -> None:
    plain = ",".join(f"{kind}={written(value, 1)}" for kind, value in name)
    spelt = separator.join(
        f"{kind.upper()} = {written(value, style)}"
        for (kind, value), style in zip(name, styles, strict=False)
    )
    assert normalise(plain) is not None
    assert normalise(spelt) == normalise(plain)


@given(NAMES)
def test_normal_form_is_stable_and_splits_at_commas(name: list[tuple[str, str]]) -> None:
    normal = normalise(",".join(f"{kind}={written(value, 0)}" for kind, value in name))
    assert normal is not None
    assert normalise(normal) == normal
    assert normal.count(",") == len(name) - 1
    assert within(normal, parent(normal))


@given(NAMES, NAMES)
def test_different_names_stay_different(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    folded = [[(kind, value.casefold()) for kind, value in name] for name in (one, other)]
    texts = [normalise(",".join(f"{k}={written(v, 0)}" for k, v in name)) for name in (one, other)]
    if texts[0] == texts[1]:
        assert len(folded[0]) == len(folded[1])
        assert [kind for kind, _ in folded[0]] == [kind for kind, _ in folded[1]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Durand\\, Pierre,OU=x", "cn=durand\\2C  pierre,ou=x"),
        ("cn=a+sn=b,dc=c", "SN=B+CN=A,dc=c"),
        ("2.5.4.3=a,0.9.2342.19200300.100.1.25=b", "cn=a,dc=b"),
        ("userid=a,domainComponent=b", "uid=a,dc=b"),
        ("cn=\u00c9va", "cn=e\u0301va"),
        ("cn=a  b", "cn=a b"),
        ("cn=a\\ ", "cn=a"),
        ("cn=a=b,dc=c", "cn=a\\3db,dc=c"),
    ],
)
def test_known_pairs(one: str, other: str) -> None:
    assert normalise(one) == normalise(other) is not None


@pytest.mark.parametrize(
    "text", ["x", "cn=", "cn=a,,dc=b", "=a", "cn=a\\", 'cn="a', "c n=a", "cn=a,", "1.=b"]
)
def test_what_is_no_name(text: str) -> None:
    assert normalise(text) is None


def test_below_is_decided_at_real_separators() -> None:
    trap = normalise("cn=x\\,dc=example")
    assert trap is not None
    assert not within(trap, "dc=example")
    assert within("uid=a,dc=example", "dc=example")
    assert within("dc=example", "dc=example")
    assert not within("xdc=example", "dc=example")
    assert within("uid=a", "")
    assert normalise("") == ""
