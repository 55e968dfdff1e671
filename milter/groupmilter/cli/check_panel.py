"""``check``'s look at the panel: whether those whom the configuration names are in the directory.

Nothing is written; the mirror is asked, and where there is none yet, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from groupmilter.cli.advice import Advice, Level

if TYPE_CHECKING:
    from groupmilter.config.reload import Configuration

_AREA = "panel"


def named(configuration: Configuration) -> Iterator[Advice]:
    """Yield who administers the groups, and which of the names lead nowhere: nobody has the rights given there."""
    from groupmilter import bootstrap
    from groupmilter.groups.directory import DirectoryUnknown

    panel = configuration.site.panel
    wanted = [("administrators", one.group) for one in panel.administrators]
    wanted += [("create.who", one) for one in panel.create.who if "=" in one]
    if not wanted:
        return
    try:
        with bootstrap.looking(configuration) as directory:
            missing = [(option, dn) for option, dn in wanted if directory.by_dn(dn) is None]
    except DirectoryUnknown:
        return
    for option, dn in missing:
        text = f"{dn} is no person and no group of the directory: nobody has these rights."
        yield Advice(Level.ERROR, _AREA, option, text)
    if not missing:
        yield Advice(Level.OK, _AREA, "administrators", "everybody named is in the directory.")
