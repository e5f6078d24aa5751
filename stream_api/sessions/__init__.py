"""WebSocket sessions: what a client may say, and the subscriptions it makes."""
