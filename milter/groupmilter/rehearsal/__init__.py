"""Case files, and the rehearsal of their messages through the very same collector, policy and plan as live mail.

An administrator tests policies here as others test firewalls (specification 5.4). Only the commands use it.
"""
