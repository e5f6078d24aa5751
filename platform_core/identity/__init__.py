"""Who calls: users, keys, tokens, and the secrets they own."""
