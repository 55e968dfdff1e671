"""Processes: one single-threaded parent that forks the roles of ``groupmilter serve`` and keeps them running.

Knows nothing of mail: a role is a name, a number of processes and a function that runs in each of them. It
imports nothing of the other rooms, and only bootstrap imports it. A parent that dies leaves its children to
finish what they have begun and to end; a child that dies or falls silent is replaced.
"""

from groupmilter.supervision.channel import Channel
from groupmilter.supervision.control import ControlError, ask
from groupmilter.supervision.notify import Notifier
from groupmilter.supervision.role import Accepted, Limits, Refused, Role
from groupmilter.supervision.supervisor import Supervisor

__all__ = [
    "Accepted",
    "Channel",
    "ControlError",
    "Limits",
    "Notifier",
    "Refused",
    "Role",
    "Supervisor",
    "ask",
]
