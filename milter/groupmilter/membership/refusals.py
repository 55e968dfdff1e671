"""Why a group can't be found, made or changed though nothing that was typed is at fault: sentences of the catalogue."""

from __future__ import annotations

from groupmilter.language.catalogue import marked

NO_PLACE = marked("where new groups go isn't known: directory.write.groups says it, or --under")
UNMADE = marked("the profile {profile} doesn't know how a new group is made")
THERE = marked("there is an entry {dn} already; --cn gives the new one another name")
SEVERAL = marked("{address} is the address of several: {names}")
OTHERWISE = marked("{field} isn't what it was taken for")
FASTER = marked("somebody else has got the address {address} at the same moment; nothing was made")

LAST_OWNER = marked("The other owners have just left, and somebody has to stay: add another owner first.")
