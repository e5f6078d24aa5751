"""Hostile code in nodes of a running `up`: what it tries, and who runs it."""
