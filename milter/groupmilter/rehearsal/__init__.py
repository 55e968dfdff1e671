"""Case files, and the rehearsal of their messages through the very same collector, policy and plan as live mail.

An administrator tests policies here as others test firewalls (specification 5.4). The commands use it, and the panel
for its page that explains who may write to a group.
"""
