"""Held mail: the hold mailbox, who decides about it, and how it goes back to the MTA."""
