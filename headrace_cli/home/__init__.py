"""A home folder: its hold, its record, its first administrator, its settings."""
