"""Stored triggers, and what became of each call and each time."""
