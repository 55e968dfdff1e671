"""The API's description as it is committed: ``python -m tests.panel.api_document`` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from groupmilter.panel.api.app import application, description

COPY = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def document() -> dict[str, Any]:
    """The description that the application gives."""
    return description(application(lambda _, sentence: sentence, lambda _, __: None))


if __name__ == "__main__":
    COPY.write_text(json.dumps(document(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
