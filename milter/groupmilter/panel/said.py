"""What a page says after something was done on the page before: short keys in the address, sentences here."""

from __future__ import annotations

from groupmilter.language.catalogue import marked

SAID = {
    "saved": marked("Saved."),
    "soon": marked("Saved. It takes a moment until it shows here."),
    "made": marked("The group is made."),
    "made-soon": marked("The group is made. It takes a moment until it stands in the list."),
    "deleted": marked("The group is deleted."),
    "suspended": marked("The group refuses every message now."),
    "resumed": marked("The group accepts messages again."),
    "nothing": marked("There was nothing to change."),
    "out": marked("You are logged out."),
    "everywhere": marked("You are logged out on all devices."),
}
