"""The demonstration: a private Postfix, slapd and groupmilter with sample people, and five telling messages.

`deploy/demo/run` prepares a bare machine and starts it. Imported from a checkout only: it uses tests/support.
"""
