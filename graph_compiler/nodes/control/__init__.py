"""Node types that steer a run: waits, ends, log lines, branches and their joins."""
