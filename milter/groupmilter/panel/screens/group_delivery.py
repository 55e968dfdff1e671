"""Gestion de remise: who may write to a group and who not, how large a message may be, who sends in its name."""

from __future__ import annotations

from groupmilter.panel.group_form import GroupForm
from groupmilter.panel.wishing import Fields

FORM = GroupForm(
    "delivery",
    "group_delivery.html",
    Fields(
        singles=("require_authentication", "max_size", "bounces_to", "policy"),
        ticks=("auto_replies",),
        lists=("external_senders", "allowed", "denied", "send_as", "on_behalf"),
    ),
)
ROUTES = FORM.routes
