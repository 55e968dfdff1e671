"""Général: name, address and further addresses, description, mail tip in each language, hidden or not."""

from __future__ import annotations

from groupmilter.panel.group_form import GroupForm
from groupmilter.panel.wishing import Fields

FORM = GroupForm(
    "",
    "group_general.html",
    Fields(
        singles=("name", "description", "address", "mail_tip"),
        ticks=("hidden", "hidden_members"),
        lists=("aliases",),
    ),
)
ROUTES = FORM.routes
