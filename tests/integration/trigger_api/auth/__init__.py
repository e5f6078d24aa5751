"""Who calls: passwords, sessions, tokens."""
