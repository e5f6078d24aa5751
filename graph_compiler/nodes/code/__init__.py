"""Node types that run users' code: Python, shell scripts, containers."""
