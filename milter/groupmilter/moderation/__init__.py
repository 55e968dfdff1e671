"""Held mail and who decides about it. The desk comes next; today the hold mailbox only fills."""
