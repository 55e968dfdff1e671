"""Configuration and policy files: read, checked, and handed out as one frozen snapshot."""
