"""Log lines: one event each, to standard error, as text or JSON. Fails like writing to a closed pipe: not at all."""

from __future__ import annotations

import logging
import sys
from typing import cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor


def logger(level: str, json: bool) -> FilteringBoundLogger:
    """Return a logger.

    :param level: the least important lines that are written: debug, info, warning, error.
    :param json: one JSON object a line, else ``key=value`` text.
    """
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.processors.LogfmtRenderer(
            key_order=["timestamp", "level", "event"], bool_as_flag=False
        )
    )
    chain: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        renderer,
    ]
    made = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
    )
    return cast(FilteringBoundLogger, made.bind())
