"""API keys of the caller."""
