"""Propriété: the persons and groups that own a group."""

from __future__ import annotations

from groupmilter.panel.group_form import GroupForm
from groupmilter.panel.wishing import Fields

FORM = GroupForm("owners", "group_owners.html", Fields(lists=("owners",)))
ROUTES = FORM.routes
