"""People and groups as the directory says them, and how a group becomes its members. Pure."""
