"""For all tests: Hypothesis gives an example as long as it takes, however busy the machine is."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("groupmilter", deadline=None)
settings.load_profile("groupmilter")
