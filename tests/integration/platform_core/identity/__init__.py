"""Who a token is."""
