"""Triggers that graphs declare."""
