"""The stylesheet's colours against WCAG 2.2: 4.5 for text (1.4.3), 3 for what shows a field's border (1.4.11)."""

from __future__ import annotations

import re

import pytest

from groupmilter.panel.pages import Pages

TEXT = [
    *(("ink", paper) for paper in ("paper", "sheet", "good-paper", "bad-paper", "warn-paper", "info-paper")),
    *(("quiet", paper) for paper in ("paper", "sheet", "good-paper", "bad-paper")),
    *(("accent", paper) for paper in ("paper", "sheet", "bad-paper")),
    *((colour, "sheet") for colour in ("good", "bad", "warn")),
    ("accent-ink", "accent"),
]
BORDERS = [("field", "sheet"), ("accent", "sheet"), ("good", "good-paper"), ("bad", "bad-paper")]


def schemes() -> list[dict[str, str]]:
    """Return the light and the dark colours by name."""
    text = Pages(lambda _, sentence: sentence).statics["panel.css"][1].decode()
    blocks = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("front", "back", "least"), [*((*p, 4.5) for p in TEXT), *((*p, 3.0) for p in BORDERS)]
)
def test_contrast(dark: bool, front: str, back: str, least: float) -> None:
    light_scheme, dark_scheme = schemes()
    scheme = dark_scheme if dark else light_scheme
    assert contrast(scheme[front], scheme[back]) >= least
