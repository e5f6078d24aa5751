"""Users' code: a warm interpreter, the supervisor of each call, and the child that runs it."""
