"""How commands reach a server."""
