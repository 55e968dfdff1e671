"""Which part of a list a page shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pager:
    """One page of a list.

    :param page: from 1 on. ``total``: of the whole list; ``size``: of a page.
    """

    page: int
    total: int
    size: int = 50

    @property
    def pages(self) -> int:
        """How many pages there are, one at least."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """How many come before this page."""
        return (self.page - 1) * self.size


def pager(page: int, total: int, size: int = 50) -> Pager:
    """Return the page that is asked for, or the last one there is."""
    made = Pager(1, total, size)
    return Pager(min(page, made.pages), total, size)
