"""Following a run: stored events, live tails, filters, the form on the wire."""
