"""How a queue id looks, in both forms that Postfix has. Pure. Source: postconf(5), enable_long_queue_ids."""

from __future__ import annotations

import re

QUEUE_ID = re.compile(r"(?:[0-9A-F]{6,16}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20})")
