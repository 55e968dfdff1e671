"""One configuration laid over another, for the tests that change a few options. Never fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(basis: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another, section by section."""
    laid = dict(basis)
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(laid.get(name), Mapping)
        laid[name] = merged(laid[name], value) if both else value
    return laid
