"""Approbation des messages: whether messages wait, who decides, who needs no approval, and for how long they wait."""

from __future__ import annotations

from groupmilter.panel.group_form import GroupForm
from groupmilter.panel.wishing import Fields

FORM = GroupForm(
    "moderation",
    "group_moderation.html",
    Fields(
        singles=("notify", "hold_hours", "approvals"),
        ticks=("moderated", "covers_nested"),
        lists=("moderators", "bypass"),
    ),
)
ROUTES = FORM.routes
