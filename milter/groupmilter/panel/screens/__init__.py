"""The panel's pages: a module for each, with its routes; all of them together here."""

from __future__ import annotations

from groupmilter.panel.routes import Route
from groupmilter.panel.screens import door, home

ROUTES: tuple[Route, ...] = (*home.ROUTES, *door.ROUTES)
"""Every page, in the order in which paths are compared."""
