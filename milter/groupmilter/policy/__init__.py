"""The decision: facts in, dispositions out, with every rule's hit and miss recorded. Pure."""
