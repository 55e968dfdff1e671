"""For all tests: Hypothesis tries the same examples each time, and gives each as long as it takes.

What holds here holds for everybody then, on however busy a machine. `GROUPMILTER_EXAMPLES=1000` in the environment
looks for other examples, at random, and so many where a test names no number of its own.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EXAMPLES = os.environ.get("GROUPMILTER_EXAMPLES", "")

settings.register_profile(
    "groupmilter",
    deadline=None,
    derandomize=not EXAMPLES,
    max_examples=int(EXAMPLES or 100),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("groupmilter")
