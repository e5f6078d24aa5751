"""Who am I: tokens for user name and password."""
