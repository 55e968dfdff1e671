"""Mail as values: addresses, envelope, replies, actions. Pure: nothing here does I/O or reads a clock."""
