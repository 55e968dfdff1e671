"""What a page says after something was done on the page before: short keys in the address, sentences here."""

from __future__ import annotations

from groupmilter.language.catalogue import marked

SAID = {
    "saved": marked("Saved."),
    "nothing": marked("There was nothing to change."),
    "out": marked("You are logged out."),
    "everywhere": marked("You are logged out on all devices."),
}
