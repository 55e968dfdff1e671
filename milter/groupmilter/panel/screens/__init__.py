"""The panel's pages: a module for each, with its routes; all of them together here."""

from __future__ import annotations

from groupmilter.panel.routes import Route
from groupmilter.panel.screens import (
    adding,
    door,
    dynamic,
    group_delete,
    group_delivery,
    group_general,
    group_moderation,
    group_new,
    group_owners,
    group_suspend,
    groups,
    home,
    members,
    membership,
    mine,
    pick,
    removing,
    requests,
    roster,
)

ROUTES: tuple[Route, ...] = (
    *home.ROUTES,
    *door.ROUTES,
    *groups.ROUTES,
    *group_new.ROUTES,
    *group_general.ROUTES,
    *group_owners.ROUTES,
    *group_delivery.ROUTES,
    *group_moderation.ROUTES,
    *group_suspend.ROUTES,
    *group_delete.ROUTES,
    *members.ROUTES,
    *adding.ROUTES,
    *removing.ROUTES,
    *dynamic.ROUTES,
    *roster.ROUTES,
    *membership.ROUTES,
    *pick.ROUTES,
    *mine.ROUTES,
    *requests.ROUTES,
)
"""Every page, in the order in which paths are compared."""
