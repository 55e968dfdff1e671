"""The web panel. Today one page: a moderator's link, which asks and then decides."""
