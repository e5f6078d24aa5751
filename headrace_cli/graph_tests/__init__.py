"""Runs the tests that graph documents carry: the engine, a journal in memory, users' code in its sandbox, no server."""
