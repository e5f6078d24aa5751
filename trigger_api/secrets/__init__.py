"""Secrets of the caller: written, never read back."""
