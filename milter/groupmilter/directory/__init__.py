"""The directory: read from LDAP or LDIF, mirrored in SQLite, asked in snapshots."""
