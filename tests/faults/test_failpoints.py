"""The fail-points themselves: each still names something of the product, and the product names none of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.qa.source import PACKAGE
from tests.support.failpoints import EVERY, MAY_DELIVER_TWICE, POINTS, Armed, Moment, installed

from groupmilter.moderation.mailbox import Folder, Maildir


class Died(BaseException):
    """In the place of a death."""


def die() -> None:
    raise Died


@pytest.mark.parametrize("name", EVERY)
def test_every_point_is_a_step_of_the_product(name: str) -> None:
    point = EVERY[name]
    holder = point.holder()
    assert callable(getattr(holder, point.step)), name
    assert holder.__module__ if isinstance(holder, type) else holder.__name__ == point.owner


def test_the_window_is_made_of_points() -> None:
    assert POINTS.keys() >= MAY_DELIVER_TWICE


def test_the_product_has_no_hook() -> None:
    words = ("failpoint", "fail_point", "fail-point")
    found = [
        str(path)
        for path in Path(PACKAGE).rglob("*.py")
        if any(word in path.read_text("utf-8").lower() for word in words)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("name", "moved"),
    [("record: before filing", False), ("record: filed", True), ("settle: filed a released one", None)],
)
def test_a_point_fires_once_at_its_moment_for_its_calls(
    tmp_path: Path, name: str, moved: bool | None
) -> None:
    box = Maildir(tmp_path / "box")
    box.prepare()
    mail = tmp_path / "box" / "new" / "1.a"
    mail.write_bytes(b"x")
    armed = Armed(name, die, tmp_path / "marker")
    with installed(lambda: armed):
        if moved is None:
            box.move("1.a", Folder.HELD)
        else:
            with pytest.raises(Died):
                box.move("1.a", Folder.HELD)
        assert mail.exists() == (moved is False)
        assert (tmp_path / "marker").exists() == (moved is not None)
        box.move("1.a", Folder.HELD)
    assert box.read("1.a") == b"x"
    assert not hasattr(Maildir.move, "__wrapped__")


def test_nothing_happens_where_nothing_is_armed(tmp_path: Path) -> None:
    box = Maildir(tmp_path / "box")
    with installed(lambda: None):
        box.prepare()
        assert list(box.names(Folder.INBOX)) == []


def test_an_unknown_point_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        Armed("nowhere", die, tmp_path / "marker")


def test_both_moments_are_there() -> None:
    assert {point.moment for point in EVERY.values()} == set(Moment)
